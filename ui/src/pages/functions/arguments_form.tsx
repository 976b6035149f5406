import { useId } from "react";
import { type FieldType, inWords } from "../schema/schema_text";
import { choicesOf, type Draft, type Drafts, kindOf } from "./arguments";

const FIELD = "min-h-8 w-full rounded-md border border-line bg-page px-2 py-1 font-mono text-xs";

/** A form with a field for each argument; Ctrl or Cmd and Enter hand it in. */
export function ArgumentsForm(props: {
  fields: readonly FieldType[];
  drafts: Drafts;
  onChange: (drafts: Drafts) => void;
  onSubmit: () => void;
}) {
  const { fields, drafts, onChange, onSubmit } = props;
  if (fields.length === 0) return <p className="text-quiet">It takes no arguments.</p>;
  return (
    <div
      role="group"
      aria-label="Arguments"
      className="flex max-w-2xl flex-col gap-3"
      onKeyDown={(event) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) onSubmit();
      }}
    >
      {fields.map((field) => (
        <Argument
          key={field.name}
          field={field}
          draft={drafts[field.name] ?? { isSet: false, text: "" }}
          onChange={(draft) => onChange({ ...drafts, [field.name]: draft })}
        />
      ))}
    </div>
  );
}

function Argument({ field, draft, onChange }: { field: FieldType; draft: Draft; onChange: (draft: Draft) => void }) {
  const id = useId();
  return (
    <div className="flex flex-col gap-1">
      <div className="flex flex-wrap items-baseline gap-x-3">
        <label htmlFor={id} className="font-mono font-medium">
          {field.name}
        </label>
        <span className="text-xs text-quiet">{inWords(field.type)}</span>
        {field.optional && (
          <label className="ml-auto flex items-center gap-1 text-xs">
            <input
              type="checkbox"
              checked={draft.isSet}
              onChange={(event) => onChange({ ...draft, isSet: event.target.checked })}
            />
            given
          </label>
        )}
      </div>
      {draft.isSet && (
        <Field id={id} field={field} text={draft.text} onText={(text) => onChange({ isSet: true, text })} />
      )}
    </div>
  );
}

function Field(props: { id: string; field: FieldType; text: string; onText: (text: string) => void }) {
  const { id, field, text, onText } = props;
  const kind = kindOf(field.type);
  if (kind === "boolean" || kind === "choice") {
    const choices = kind === "boolean" ? [true, false] : choicesOf(field.type)!;
    return (
      <select id={id} value={text} onChange={(event) => onText(event.target.value)} className={FIELD}>
        {choices.map((choice) => (
          <option key={JSON.stringify(choice)} value={JSON.stringify(choice)}>
            {typeof choice === "string" ? choice : JSON.stringify(choice)}
          </option>
        ))}
      </select>
    );
  }
  if (kind === "json" || text.includes("\n")) {
    return (
      <textarea
        id={id}
        value={text}
        rows={Math.min(10, text.split("\n").length + 1)}
        spellCheck={false}
        onChange={(event) => onText(event.target.value)}
        className={FIELD}
      />
    );
  }
  return (
    <input
      id={id}
      value={text}
      inputMode={kind === "number" ? "decimal" : kind === "int64" ? "numeric" : undefined}
      spellCheck={false}
      onChange={(event) => onText(event.target.value)}
      className={FIELD}
    />
  );
}
