import { useQuery } from "convex/react";
import { type FormEvent, useEffect, useState } from "react";
import { request } from "../deployment/requests";
import { system } from "../deployment/system";
import { Button } from "../parts/button";
import { Confirm, Dialog } from "../parts/dialog";
import { Empty, Loading, Problem } from "../parts/states";
import { Table } from "../parts/table";
import { Time } from "../parts/times";
import { useEdit } from "../parts/use_edit";
import { inOneLine } from "../parts/values";
import { useSession } from "../session/session";
import { useComponent } from "../shell/component";
import { PageHead } from "../shell/shell";
import { LogStreams } from "./log_streams/log_streams";
import { PauseSwitch } from "./pause";

/** What a deployment is told: variables, and who may tell it. */
export default function Settings() {
  return (
    <>
      <PageHead name="Settings" />
      <div className="flex flex-col gap-8 p-5">
        <Variables />
        <Keys />
        <Providers />
        <Components />
        <LogStreams />
        <PauseSwitch />
      </div>
    </>
  );
}

async function send(key: string, path: string, body: unknown): Promise<void> {
  const headers = { "Content-Type": "application/json" };
  await request(key, path, { method: "POST", headers, body: JSON.stringify(body) });
}

function Variables() {
  const variables = useQuery(system.environmentVariables, { componentId: null });
  const { key, readOnly } = useSession();
  const { isRunning, problem, run } = useEdit();
  const [name, setName] = useState("");
  const [value, setValue] = useState("");
  const [shown, setShown] = useState<ReadonlySet<string>>(new Set());
  const [doomed, setDoomed] = useState<string | null>(null);
  const change = (changed: string, to: string | null) =>
    run(() => send(key, "/api/update_environment_variables", { changes: [{ name: changed, value: to }] }));
  const add = async (event: FormEvent) => {
    event.preventDefault();
    if (await change(name.trim(), value)) {
      setName("");
      setValue("");
    }
  };
  const field = "min-h-8 rounded-md border border-line bg-surface px-2 font-mono";
  return (
    <section aria-labelledby="variables" className="flex flex-col gap-3">
      <h2 id="variables" className="text-base font-semibold">
        Environment variables
      </h2>
      {problem !== null && <Problem>{problem}</Problem>}
      {variables === undefined ? (
        <Loading what="the variables" />
      ) : variables.length === 0 ? (
        <Empty title="No variables are set." />
      ) : (
        <Table heads={["Name", "Value", ""]} label="Environment variables">
          {variables.map((variable) => (
            <tr key={variable.name}>
              <td className="font-mono">{variable.name}</td>
              <td className="min-w-40 font-mono break-all">
                {shown.has(variable.name) ? (
                  variable.value
                ) : (
                  <Button kind="quiet" onClick={() => setShown(new Set([...shown, variable.name]))}>
                    Show the value<span className="sr-only"> of {variable.name}</span>
                  </Button>
                )}
              </td>
              <td className="text-right whitespace-nowrap">
                <Button
                  disabled={readOnly}
                  onClick={() => {
                    setName(variable.name);
                    setValue(variable.value);
                  }}
                >
                  Change
                </Button>{" "}
                <Button kind="danger" disabled={readOnly} onClick={() => setDoomed(variable.name)}>
                  Remove
                </Button>
              </td>
            </tr>
          ))}
        </Table>
      )}
      <form onSubmit={(event) => void add(event)} className="flex flex-wrap items-end gap-2">
        <label className="flex flex-col gap-1">
          Name
          <input value={name} onChange={(event) => setName(event.target.value)} className={field} spellCheck={false} />
        </label>
        <label className="flex grow flex-col gap-1">
          Value
          <input
            value={value}
            onChange={(event) => setValue(event.target.value)}
            className={field}
            spellCheck={false}
          />
        </label>
        <Button kind="primary" type="submit" disabled={readOnly || isRunning || name.trim() === ""}>
          Set
        </Button>
      </form>
      {doomed !== null && (
        <Confirm
          title={`Remove ${doomed}?`}
          verb="Remove"
          onClose={() => setDoomed(null)}
          onConfirm={() => void change(doomed, null)}
        >
          Functions that read it will not find it from then on.
        </Confirm>
      )}
    </section>
  );
}

interface AdminKey {
  keyId: string;
  name: string | null;
  issuedAt: number;
  isReadOnly: boolean;
  isRevoked: boolean;
  lastUsedAt: number | null;
}

function Keys() {
  const { key, readOnly } = useSession();
  const { problem, run } = useEdit();
  const [keys, setKeys] = useState<AdminKey[]>();
  const [doomed, setDoomed] = useState<AdminKey | null>(null);
  const [made, setMade] = useState<{ name: string; key: string } | null>(null);
  const [turn, setTurn] = useState(0);
  const [failure, setFailure] = useState<string | null>(null);
  useEffect(() => {
    const stop = new AbortController();
    request<{ keys: AdminKey[] }>(key, "/api/parabola/admin_keys", { signal: stop.signal })
      .then((told) => {
        setKeys(told.keys);
        setFailure(null);
      })
      .catch((error: unknown) => !stop.signal.aborted && setFailure((error as Error).message));
    return () => stop.abort();
  }, [key, turn]);
  return (
    <section aria-labelledby="keys" className="flex flex-col gap-3">
      <h2 id="keys" className="text-base font-semibold">
        Admin keys
      </h2>
      {problem !== null && <Problem>{problem}</Problem>}
      {failure !== null && <Problem>{failure}</Problem>}
      {keys === undefined ? (
        failure === null && <Loading what="the keys" />
      ) : keys.length === 0 ? (
        <Empty title="Only this server's own key has been used.">
          Keys that are made here or by <code className="font-mono">parabola admin-key</code> have a name, by which the
          history knows who did what.
        </Empty>
      ) : (
        <Table heads={["Name", "Id", "May", "Made", "Used last", ""]} label="Admin keys">
          {keys.map((each) => (
            <tr key={each.keyId}>
              <td>{each.name ?? "–"}</td>
              <td className="font-mono">{each.keyId}</td>
              <td>{each.isReadOnly ? "read" : "everything"}</td>
              <td>
                <Time ms={each.issuedAt * 1000} />
              </td>
              <td>{each.lastUsedAt === null ? "–" : <Time ms={each.lastUsedAt * 1000} />}</td>
              <td className="text-right">
                {each.isRevoked ? (
                  <span className="text-bad">revoked</span>
                ) : (
                  <Button kind="danger" disabled={readOnly} onClick={() => setDoomed(each)}>
                    Revoke
                  </Button>
                )}
              </td>
            </tr>
          ))}
        </Table>
      )}
      <NewKey
        onMade={(one) => {
          setMade(one);
          setTurn(turn + 1);
        }}
      />
      {made !== null && <MadeKey made={made} onClose={() => setMade(null)} />}
      {doomed !== null && (
        <Confirm
          title={`Revoke the key ${doomed.name ?? doomed.keyId}?`}
          verb="Revoke"
          onClose={() => setDoomed(null)}
          onConfirm={() =>
            void run(() => send(key, "/api/parabola/admin_keys/revoke", { keyId: doomed.keyId })).then(() =>
              setTurn(turn + 1),
            )
          }
        >
          It is never taken again, and connections that came in with it are closed. The instance’s secret stays.
        </Confirm>
      )}
    </section>
  );
}

function NewKey({ onMade }: { onMade: (made: { name: string; key: string }) => void }) {
  const { key, readOnly } = useSession();
  const { isRunning, problem, run } = useEdit();
  const [name, setName] = useState("");
  const [isReadOnly, setIsReadOnly] = useState(true);
  const make = async (event: FormEvent) => {
    event.preventDefault();
    await run(async () => {
      const headers = { "Content-Type": "application/json" };
      const body = JSON.stringify({ name: name.trim(), isReadOnly });
      const answer = await request<{ adminKey: string }>(key, "/api/parabola/admin_keys/make", {
        method: "POST",
        headers,
        body,
      });
      onMade({ name: name.trim(), key: answer.adminKey });
      setName("");
    });
  };
  return (
    <form onSubmit={(event) => void make(event)} className="flex flex-wrap items-end gap-3">
      {problem !== null && <Problem>{problem}</Problem>}
      <label className="flex flex-col gap-1">
        Whose key it is
        <input
          value={name}
          maxLength={64}
          onChange={(event) => setName(event.target.value)}
          className="min-h-8 rounded-md border border-line bg-surface px-2"
        />
      </label>
      <label className="flex flex-col gap-1">
        May
        <select
          value={isReadOnly ? "read" : "all"}
          onChange={(event) => setIsReadOnly(event.target.value === "read")}
          className="min-h-8 rounded-md border border-line bg-surface px-2"
        >
          <option value="read">read</option>
          <option value="all">do everything</option>
        </select>
      </label>
      <Button type="submit" disabled={readOnly || isRunning || name.trim() === ""}>
        Make a key
      </Button>
    </form>
  );
}

/** Shows a key once: nobody keeps it here. */
function MadeKey({ made, onClose }: { made: { name: string; key: string }; onClose: () => void }) {
  const [isCopied, setIsCopied] = useState(false);
  return (
    <Dialog title={`The key of ${made.name}`} onClose={onClose}>
      <p>It is shown this once. Whoever has it may do what it may do; it can be revoked here.</p>
      <label className="flex flex-col gap-1">
        Admin key
        <textarea
          readOnly
          rows={4}
          value={made.key}
          onFocus={(event) => event.target.select()}
          className="rounded-md border border-line bg-page px-3 py-2 font-mono text-xs break-all"
        />
      </label>
      <div className="flex justify-end">
        <Button
          kind="primary"
          onClick={() => void navigator.clipboard.writeText(made.key).then(() => setIsCopied(true))}
        >
          {isCopied ? "Copied" : "Copy it"}
        </Button>
      </div>
    </Dialog>
  );
}

/** Who may say who a user is. The functions' own configuration declares them. */
function Providers() {
  const { componentId } = useComponent();
  const providers = useQuery(system.authProviders, { componentId });
  return (
    <section aria-labelledby="providers" className="flex flex-col gap-3">
      <h2 id="providers" className="text-base font-semibold">
        Sign-in providers
      </h2>
      {providers === undefined ? (
        <Loading what="the providers" />
      ) : providers.length === 0 ? (
        <Empty title="No providers are declared.">
          <code className="font-mono">auth_config.py</code> or <code className="font-mono">auth.config.ts</code> says
          whose tokens are taken.
        </Empty>
      ) : (
        <Table heads={["Issuer", "Application", "How"]} label="Sign-in providers">
          {providers.map((each) => {
            const issuer = each.domain ?? each.issuer;
            const application = each.applicationID ?? "any";
            return (
              <tr key={`${JSON.stringify(issuer)} ${JSON.stringify(application)}`}>
                <td className="font-mono break-all">{inOneLine(issuer)}</td>
                <td className="font-mono break-all">{inOneLine(application)}</td>
                <td className="break-all">
                  {each.type === "customJwt"
                    ? `tokens signed with ${inOneLine(each.algorithm)}, keys from ${inOneLine(each.jwks)}`
                    : "OpenID Connect"}
                </td>
              </tr>
            );
          })}
        </Table>
      )}
    </section>
  );
}

function Components() {
  const { components = [] } = useComponent();
  if (components.length < 2) return null;
  return (
    <section aria-labelledby="components" className="flex flex-col gap-3">
      <h2 id="components" className="text-base font-semibold">
        Components
      </h2>
      <Table heads={["Path", "State", "HTTP prefix"]} label="Components">
        {components
          .filter((each) => each.path !== "")
          .map((each) => (
            <tr key={each.id}>
              <td className="font-mono">{each.path}</td>
              <td className={each.state === "unmounted" ? "text-warm" : ""}>{each.state}</td>
              <td className="font-mono">{each.httpPrefix ?? "–"}</td>
            </tr>
          ))}
      </Table>
    </section>
  );
}
