import { ConvexProvider, useQuery } from "convex/react";
import { makeFunctionReference } from "convex/server";
import { convexToJson, type JSONValue, jsonToConvex, type Value } from "convex/values";
import { type ReactNode, useEffect, useId, useMemo, useState } from "react";
import { Link } from "wouter";
import { Button } from "../../parts/button";
import { JsonEditor } from "../../parts/json_editor";
import { Guarded, Loading, Problem } from "../../parts/states";
import { said } from "../../parts/use_edit";
import { objectFromText, toText } from "../../parts/values";
import { adminClient, useSession } from "../../session/session";
import { useComponent } from "../../shell/component";
import { exampleOf, inWords, type ValidatorJson } from "../schema/schema_text";
import { Activity } from "./activity";
import { argumentsOf, draftsOf, type Drafts, firstDrafts, formFields } from "./arguments";
import { ArgumentsForm } from "./arguments_form";
import type { NamedFunction } from "./functions";

type Ended = { value: Value; ms: number } | { error: string; ms: number };

/** One function: what it takes and answers, and a form that runs it. A query goes on showing its result as it changes. */
export function Runner({ shown }: { shown: NamedFunction }) {
  const args = useMemo(() => JSON.parse(shown.argsValidator) as ValidatorJson, [shown.argsValidator]);
  const returns = useMemo(() => JSON.parse(shown.returnsValidator) as ValidatorJson | null, [shown.returnsValidator]);
  return (
    <div className="flex flex-col gap-5">
      <div>
        <h2 className="font-mono text-base font-semibold break-all">{shown.path}</h2>
        <p className="text-quiet">
          {shown.visibility.kind} {shown.udfType === "HttpAction" ? "HTTP action" : shown.udfType.toLowerCase()}
          {shown.lineno !== null && `, line ${shown.lineno}`} ·{" "}
          <Link href={`/logs?function=${encodeURIComponent(shown.path)}`} className="text-accent underline">
            its log
          </Link>
        </p>
        <dl className="mt-3 grid grid-cols-[auto_1fr] gap-x-4 gap-y-1">
          <dt className="text-quiet">takes</dt>
          <dd className="font-mono break-words">{inWords(args)}</dd>
          <dt className="text-quiet">answers</dt>
          <dd className="font-mono break-words">{returns === null ? "anything" : inWords(returns)}</dd>
        </dl>
      </div>
      {shown.udfType === "HttpAction" ? (
        <p>Send it a request to run it; the address of HTTP actions is on the overview.</p>
      ) : (
        <RunForm shown={shown} takes={args} />
      )}
      <Activity shown={shown} />
    </div>
  );
}

function RunForm({ shown, takes }: { shown: NamedFunction; takes: ValidatorJson }) {
  const { readOnly, key } = useSession();
  const fields = useMemo(() => formFields(takes), [takes]);
  const [drafts, setDrafts] = useState<Drafts>(() => firstDrafts(fields ?? []));
  const [text, setText] = useState(() => JSON.stringify(exampleOf(takes), null, 2));
  const [isForm, setIsForm] = useState(fields !== null);
  const [user, setUser] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const [running, setRunning] = useState<{
    args: Record<string, Value>;
    user: Record<string, Value> | null;
    turn: number;
  } | null>(null);
  const { component } = useComponent();
  const isQuery = shown.udfType === "Query";
  // Clients subscribe to functions of the app alone; those of a component are run once.
  const isFollowed = isQuery && !component?.path;
  const run = () => {
    try {
      const args = isForm ? argumentsOf(fields!, drafts) : objectFromText(text);
      const actingAs = user.trim() === "" ? null : objectFromText(user);
      setProblem(null);
      setRunning((before) => ({ args, user: actingAs, turn: (before?.turn ?? 0) + 1 }));
    } catch (error) {
      setProblem((error as Error).message);
    }
  };
  const turn = () => {
    try {
      if (isForm) setText(toText(argumentsOf(fields!, drafts)));
      else setDrafts(draftsOf(fields!, objectFromText(text)));
      setIsForm(!isForm);
      setProblem(null);
    } catch (error) {
      setProblem((error as Error).message);
    }
  };
  return (
    <>
      {isForm ? (
        <>
          <ArgumentsForm fields={fields!} drafts={drafts} onChange={setDrafts} onSubmit={run} />
          {problem !== null && <Problem>{problem}</Problem>}
        </>
      ) : (
        <JsonEditor label="Arguments" text={text} onChange={setText} onSubmit={run} problem={problem} />
      )}
      <details>
        <summary>Run as a user</summary>
        <JsonEditor
          label={'Identity, such as {"subject": "ann", "issuer": "https://example.com"}'}
          text={user}
          onChange={setUser}
          rows={4}
        />
      </details>
      <div className="flex flex-wrap gap-2">
        <Button kind="primary" disabled={readOnly && !isQuery} onClick={run}>
          {isFollowed ? "Run and follow" : "Run"}
        </Button>
        {fields !== null && fields.length > 0 && (
          <Button kind="quiet" onClick={turn}>
            {isForm ? "Write the arguments as JSON" : "Fill in a form"}
          </Button>
        )}
      </div>
      {running !== null && (
        <Guarded key={running.turn} of={`${running.turn}`}>
          {isFollowed ? (
            <As user={running.user} adminKey={key}>
              <Followed path={shown.path} args={running.args} />
            </As>
          ) : (
            <Once path={shown.path} args={running.args} user={running.user} />
          )}
        </Guarded>
      )}
    </>
  );
}

/** Calls below are made as a user, by a connection of their own; without one by the page's. */
function As({
  user,
  adminKey,
  children,
}: {
  user: Record<string, Value> | null;
  adminKey: string;
  children: ReactNode;
}) {
  const [client, setClient] = useState<ReturnType<typeof adminClient> | null>(null);
  useEffect(() => {
    if (user === null) return;
    const made = adminClient(adminKey, user);
    setClient(made);
    return () => void made.close();
  }, [user, adminKey]);
  if (user === null) return children;
  return client === null ? null : <ConvexProvider client={client}>{children}</ConvexProvider>;
}

function Followed({ path, args }: { path: string; args: Record<string, Value> }) {
  const reference = useMemo(() => makeFunctionReference<"query", Record<string, Value>, Value>(path), [path]);
  const result = useQuery(reference, args);
  return result === undefined ? (
    <Loading what="the result" />
  ) : (
    <Result of={{ value: result }} note="It changes here when the data does." />
  );
}

/** Runs the function when this appears, and not again. */
function Once({ path, args, user }: { path: string; args: Record<string, Value>; user: Record<string, Value> | null }) {
  const { key } = useSession();
  const { component } = useComponent();
  const [ended, setEnded] = useState<Ended | null>(null);
  const componentPath = component?.path || null;
  useEffect(() => {
    let isCurrent = true;
    const began = performance.now();
    const call = async (): Promise<Ended> => {
      const answer = await callFunction(user === null ? key : `${key}:${base64(user)}`, path, args, componentPath);
      return { ...answer, ms: performance.now() - began };
    };
    // A moment later, so that React's second mounting in development runs nothing twice.
    const timer = setTimeout(() => void call().then((end) => isCurrent && setEnded(end)), 0);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [key, user, path, args, componentPath]);
  if (ended === null) return <Loading what="the result" />;
  return <Result of={ended} note={`after ${ended.ms.toFixed(0)} ms`} />;
}

/** One call over HTTP, of a function of any kind and component. */
async function callFunction(
  key: string,
  path: string,
  args: Record<string, Value>,
  componentPath: string | null,
): Promise<{ value: Value } | { error: string }> {
  try {
    const answer = await fetch("/api/function", {
      method: "POST",
      headers: { Authorization: `Convex ${key}`, "Content-Type": "application/json" },
      body: JSON.stringify({
        path,
        args: convexToJson(args),
        format: "convex_encoded_json",
        ...(componentPath === null ? {} : { componentPath }),
      }),
    });
    const told = (await answer.json()) as {
      status?: string;
      value?: JSONValue;
      errorMessage?: string;
      message?: string;
    };
    if (told.status === "success") return { value: jsonToConvex(told.value ?? null) };
    return { error: told.errorMessage ?? told.message ?? answer.statusText };
  } catch (error) {
    return { error: said(error) };
  }
}

/** An identity as it stands behind the key of an administrator who acts as a user. */
function base64(identity: Record<string, Value>): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(JSON.stringify(identity))));
}

function Result({ of, note }: { of: { value: Value } | { error: string }; note: string }) {
  const id = useId();
  return (
    <section aria-labelledby={id} className="flex flex-col gap-1">
      <h3 id={id} className="font-medium">
        {"error" in of ? "Error" : "Result"} <span className="font-normal text-quiet">{note}</span>
      </h3>
      {"error" in of ? (
        <Problem>{of.error}</Problem>
      ) : (
        <pre aria-live="polite" className="max-h-[32rem] overflow-auto rounded-md bg-raised p-3 font-mono text-xs">
          {toText(of.value)}
        </pre>
      )}
    </section>
  );
}
