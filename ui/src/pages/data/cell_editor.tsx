import { useMutation } from "convex/react";
import type { Value } from "convex/values";
import { useState } from "react";
import { system } from "../../deployment/system";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { JsonEditor } from "../../parts/json_editor";
import { Loading } from "../../parts/states";
import { useEdit } from "../../parts/use_edit";
import { fromText, toText } from "../../parts/values";
import { useSession } from "../../session/session";
import { useComponent } from "../../shell/component";
import { type FieldType, inWords } from "../schema/schema_text";
import { useDocument } from "./documents";

/** A field of a document, which the schema checks when it is saved. */
export interface EditedCell {
  id: string;
  field: string;
}

export function CellEditor(props: {
  table: string;
  cell: EditedCell;
  declared: FieldType | undefined;
  onClose: () => void;
  onDocument: () => void;
}) {
  const { cell, onClose } = props;
  const document = useDocument(cell.id);
  return (
    <Dialog title={`${cell.field} of ${cell.id}`} onClose={onClose}>
      {document === undefined ? (
        <Loading what="the document" />
      ) : document === null ? (
        <p>This document is not there (any more).</p>
      ) : (
        <Form key={cell.id} {...props} value={document[cell.field]} />
      )}
    </Dialog>
  );
}

function Form(props: {
  table: string;
  cell: EditedCell;
  declared: FieldType | undefined;
  value: Value | undefined;
  onClose: () => void;
  onDocument: () => void;
}) {
  const { table, cell, declared, value, onClose } = props;
  const { componentId } = useComponent();
  const { readOnly } = useSession();
  const patch = useMutation(system.patchFields);
  const isText = typeof value === "string" || (value === undefined && declared?.type.type === "string");
  const [asText, setAsText] = useState(isText);
  const shown = value === undefined ? "" : typeof value === "string" && asText ? value : toText(value);
  const [begun, setBegun] = useState(shown);
  const [text, setText] = useState(shown);
  const { isRunning, problem, run } = useEdit();
  if (text === begun && begun !== shown) {
    setBegun(shown); // nobody has typed: follow what others change
    setText(shown);
  }
  const change = async (fields: () => Record<string, Value>, unset: string[] = []) => {
    if (await run(async () => patch({ componentId, table, fields: fields(), unset, ids: [cell.id] }))) onClose();
  };
  const save = () => void change(() => ({ [cell.field]: asText ? text : fromText(text) }));
  return (
    <>
      {declared !== undefined && (
        <p className="text-quiet">
          {inWords(declared.type)}
          {declared.optional && ", optional"}
        </p>
      )}
      <JsonEditor
        label={asText ? "Text" : "Value, as JSON"}
        text={text}
        autoFocus
        readOnly={readOnly}
        rows={Math.min(16, Math.max(2, text.split("\n").length))}
        onChange={setText}
        onSubmit={save}
        problem={problem}
      />
      <div className="flex flex-wrap items-center gap-2">
        {(value === undefined || typeof value === "string") && (
          <label className="mr-auto flex items-center gap-2">
            <input
              type="checkbox"
              checked={asText}
              onChange={(event) => {
                setAsText(event.target.checked);
                setText(event.target.checked ? String(value ?? "") : value === undefined ? "" : toText(value));
                setBegun("");
              }}
            />
            it is a text
          </label>
        )}
        <Button kind="quiet" onClick={props.onDocument}>
          The whole document
        </Button>
        {value !== undefined && (
          <Button kind="danger" disabled={readOnly || isRunning} onClick={() => void change(() => ({}), [cell.field])}>
            Take the field away
          </Button>
        )}
        <Button kind="primary" disabled={readOnly || isRunning} onClick={save}>
          Save
        </Button>
      </div>
    </>
  );
}
