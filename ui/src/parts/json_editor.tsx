import { type KeyboardEvent, useId } from "react";
import { Problem } from "./states";

/** A field for a value as JSON. Ctrl or Cmd and Enter hand it in. */
export function JsonEditor(props: {
  label: string;
  text: string;
  onChange: (text: string) => void;
  onSubmit?: () => void;
  problem?: string | null;
  rows?: number;
  readOnly?: boolean;
  autoFocus?: boolean;
}) {
  const id = useId();
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      props.onSubmit?.();
    }
  };
  return (
    <div className="flex flex-col gap-1">
      <label htmlFor={id} className="font-medium">
        {props.label}
      </label>
      <textarea
        id={id}
        value={props.text}
        readOnly={props.readOnly}
        autoFocus={props.autoFocus}
        rows={props.rows ?? Math.min(24, Math.max(5, props.text.split("\n").length + 1))}
        spellCheck={false}
        autoCapitalize="off"
        aria-invalid={props.problem != null}
        onChange={(event) => props.onChange(event.target.value)}
        onKeyDown={onKeyDown}
        className="w-full rounded-md border border-line bg-page px-3 py-2 font-mono text-xs"
      />
      {props.problem != null && <Problem>{props.problem}</Problem>}
    </div>
  );
}
