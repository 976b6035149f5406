import { useId, useRef, useState } from "react";
import { Link } from "wouter";
import { request } from "../../deployment/requests";
import { Button } from "../../parts/button";
import { JsonEditor } from "../../parts/json_editor";
import { Problem } from "../../parts/states";
import { useSession } from "../../session/session";
import { useComponent, useWay } from "../../shell/component";
import type { ValidatorJson } from "./schema_text";
import { type Language, readValidator, writeValidator } from "./validator_text";

interface Batch {
  checked: number;
  rejected: number;
  examples: { id: string; problem: string }[];
  continueCursor: string | null;
  isDone: boolean;
}

interface Outcome {
  checked: number;
  rejected: number;
  examples: Batch["examples"];
  isDone: boolean;
}

const MOST_EXAMPLES = 20;

/** A validator that is tried on all documents of a table, before a schema says so: which would be rejected, and why. */
export function Trial({
  table,
  validator,
  size,
}: {
  table: string;
  validator: ValidatorJson;
  size: number | undefined;
}) {
  const { key } = useSession();
  const { componentId } = useComponent();
  const way = useWay();
  const [language, setLanguage] = useState<Language>("TypeScript");
  const [text, setText] = useState(() => writeValidator(validator, "TypeScript"));
  const [problem, setProblem] = useState<string | null>(null);
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const stop = useRef<AbortController | null>(null);
  const [isRunning, setIsRunning] = useState(false);
  const id = useId();

  const write = (to: Language) => {
    try {
      setText(writeValidator(readValidator(text), to));
      setLanguage(to);
      setProblem(null);
    } catch (error) {
      setProblem((error as Error).message);
    }
  };
  const run = async () => {
    const stopping = (stop.current = new AbortController());
    setProblem(null);
    setOutcome(null);
    setIsRunning(true);
    try {
      const asked = readValidator(text);
      let [cursor, isDone]: [string | null, boolean] = [null, false];
      const so: Outcome = { checked: 0, rejected: 0, examples: [], isDone: false };
      while (!isDone) {
        const batch: Batch = await request<Batch>(key, "/api/parabola/try_validator", {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify({ table, componentId, validator: asked, cursor }),
          signal: stopping.signal,
        });
        ({ continueCursor: cursor, isDone } = batch);
        so.checked += batch.checked;
        so.rejected += batch.rejected;
        so.examples = [...so.examples, ...batch.examples].slice(0, MOST_EXAMPLES);
        so.isDone = isDone;
        setOutcome({ ...so });
      }
    } catch (error) {
      if (!stopping.signal.aborted) setProblem((error as Error).message);
    }
    setIsRunning(false);
  };
  return (
    <div className="mt-2 flex flex-col gap-3">
      <JsonEditor
        label="Validator, as a schema has it"
        text={text}
        onChange={setText}
        onSubmit={() => void run()}
        problem={problem}
      />
      <div className="flex flex-wrap items-center gap-2">
        <label htmlFor={id} className="sr-only">
          Language
        </label>
        <select
          id={id}
          value={language}
          onChange={(event) => write(event.target.value as Language)}
          className="mr-auto min-h-8 rounded-md border border-line bg-surface px-2"
        >
          <option>TypeScript</option>
          <option>Python</option>
        </select>
        {isRunning ? (
          <Button onClick={() => stop.current?.abort()}>Stop</Button>
        ) : (
          <Button kind="primary" onClick={() => void run()}>
            Try it on all documents
          </Button>
        )}
      </div>
      {outcome !== null && (
        <div role="status" className="flex flex-col gap-2">
          <progress
            className="h-2 w-full accent-(--accent)"
            aria-label="Documents looked at"
            max={outcome.isDone ? outcome.checked || 1 : Math.max(size ?? 0, outcome.checked + 1)}
            value={outcome.isDone ? outcome.checked || 1 : outcome.checked}
          />
          <p className={outcome.rejected > 0 ? "text-bad" : outcome.isDone ? "text-good" : ""}>
            {outcome.checked.toLocaleString()} {outcome.checked === 1 ? "document" : "documents"} looked at,{" "}
            {outcome.rejected === 0
              ? "all of them would be accepted"
              : `${outcome.rejected.toLocaleString()} would be rejected`}
            {!isRunning && !outcome.isDone && " (stopped)"}.
          </p>
        </div>
      )}
      {outcome !== null && outcome.examples.length > 0 && (
        <ul className="flex flex-col gap-2">
          {outcome.examples.map((example) => (
            <li key={example.id}>
              <Link
                href={way(`/data/${table}`, { open: example.id })}
                className="font-mono text-xs text-accent underline"
              >
                {example.id}
              </Link>
              <Problem>{example.problem}</Problem>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
