import { type FormEvent, useId, useState } from "react";
import { request } from "../../deployment/requests";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { Problem } from "../../parts/states";
import { useEdit } from "../../parts/use_edit";
import { useSession } from "../../session/session";
import { bodyOf, type Field, isSecret, KINDS, type LogStream, textOf, titleOf, TOPICS } from "./kinds";

const INPUT = "min-h-8 w-full rounded-md border border-line bg-page px-2 py-1";

/** Makes a stream of one of the kinds that there are none of yet, or changes one. */
export function StreamForm(props: {
  stream: LogStream | null;
  kinds: readonly string[];
  onDone: () => void;
  onClose: () => void;
}) {
  const { stream } = props;
  const { key } = useSession();
  const { isRunning, problem, run } = useEdit();
  const [type, setType] = useState(stream?.logStreamType ?? props.kinds[0] ?? "webhook");
  const [texts, setTexts] = useState(() => textsOf(type, stream));
  const [topics, setTopics] = useState<readonly string[] | null>(stream?.topics ?? null);
  const kind = KINDS[type];
  const save = async (event: FormEvent) => {
    event.preventDefault();
    const path = stream === null ? "create_log_stream" : `update_log_stream/${stream.id}`;
    const body = JSON.stringify(bodyOf(type, texts, topics, stream === null));
    const headers = { "Content-Type": "application/json" };
    if (await run(() => request(key, `/api/v1/${path}`, { method: "POST", headers, body }))) props.onDone();
  };
  return (
    <Dialog title={stream === null ? "New log stream" : `Edit ${titleOf(type)}`} onClose={props.onClose}>
      <form onSubmit={(event) => void save(event)} className="flex flex-col gap-4">
        {stream === null && (
          <label className="flex flex-col gap-1">
            Where to
            <select
              value={type}
              onChange={(event) => {
                setType(event.target.value);
                setTexts(textsOf(event.target.value, null));
              }}
              className={INPUT}
            >
              {props.kinds.map((each) => (
                <option key={each} value={each}>
                  {titleOf(each)}
                </option>
              ))}
            </select>
          </label>
        )}
        <p className="text-quiet">{kind?.about}</p>
        {kind?.fields.map((field) => (
          <Asked
            key={`${type} ${field.name}`}
            field={field}
            isKept={stream !== null}
            text={texts[field.name] ?? ""}
            onText={(text) => setTexts({ ...texts, [field.name]: text })}
          />
        ))}
        {kind?.hasTopics === true && <Topics topics={topics} onTopics={setTopics} />}
        {problem !== null && <Problem>{problem}</Problem>}
        <div className="flex justify-end gap-2">
          <Button onClick={props.onClose}>Cancel</Button>
          <Button kind="primary" type="submit" disabled={isRunning}>
            {stream === null ? "Make it" : "Save"}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function textsOf(type: string, stream: LogStream | null): Record<string, string> {
  const fields = KINDS[type]?.fields ?? [];
  return Object.fromEntries(fields.map((field) => [field.name, textOf(field, stream)]));
}

function Asked(props: { field: Field; isKept: boolean; text: string; onText: (text: string) => void }) {
  const { field, text } = props;
  const id = useId();
  const keeps = props.isKept && isSecret(field);
  const common = {
    id,
    value: text,
    required: field.isOptional !== true && !keeps,
    spellCheck: false,
    className: `${INPUT} ${field.kind === "choice" ? "" : "font-mono"}`,
  };
  const hint = keeps ? "what it is now" : field.hint;
  return (
    <div className="flex flex-col gap-1">
      <label htmlFor={id}>
        {field.label}
        {field.isOptional === true && <span className="text-quiet"> (optional)</span>}
      </label>
      {field.kind === "choice" ? (
        <select {...common} onChange={(event) => props.onText(event.target.value)}>
          {field.choices?.map((choice) => (
            <option key={choice} value={choice}>
              {choice === "" ? "the usual" : choice}
            </option>
          ))}
        </select>
      ) : field.kind === "pairs" || field.kind === "secretPairs" || field.kind === "record" ? (
        <textarea {...common} rows={3} placeholder={hint} onChange={(event) => props.onText(event.target.value)} />
      ) : (
        <input
          {...common}
          type={field.kind === "secret" ? "password" : field.kind === "number" ? "number" : "text"}
          min={field.kind === "number" ? 1 : undefined}
          autoComplete="off"
          placeholder={hint}
          onChange={(event) => props.onText(event.target.value)}
        />
      )}
    </div>
  );
}

function Topics(props: { topics: readonly string[] | null; onTopics: (topics: readonly string[] | null) => void }) {
  const { topics } = props;
  return (
    <fieldset className="flex flex-col gap-2">
      <legend className="mb-1">What it is sent</legend>
      <label className="flex items-center gap-2">
        <input
          type="checkbox"
          checked={topics === null}
          onChange={(event) => props.onTopics(event.target.checked ? null : ["function_execution", "console"])}
        />
        Everything, but for what functions write into the audit log
      </label>
      {topics !== null &&
        TOPICS.map(({ topic, text }) => (
          <label key={topic} className="flex items-start gap-2 pl-6">
            <input
              type="checkbox"
              className="mt-1"
              checked={topics.includes(topic)}
              onChange={(event) =>
                props.onTopics(event.target.checked ? [...topics, topic] : topics.filter((each) => each !== topic))
              }
            />
            <span>
              <code className="font-mono break-all">{topic}</code> <span className="text-quiet">{text}</span>
            </span>
          </label>
        ))}
    </fieldset>
  );
}
