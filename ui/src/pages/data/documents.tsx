import { useMutation, useQuery } from "convex/react";
import { makeFunctionReference } from "convex/server";
import type { Value } from "convex/values";
import { useMemo, useState } from "react";
import { type Document, system } from "../../deployment/system";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { JsonEditor } from "../../parts/json_editor";
import { Empty, Loading } from "../../parts/states";
import { Time } from "../../parts/times";
import { useEdit } from "../../parts/use_edit";
import { fromText, objectFromText, toText, withoutSystemFields } from "../../parts/values";
import { useSession } from "../../session/session";
import { useComponent } from "../../shell/component";
import { exampleOf, type SchemaTable } from "../schema/schema_text";
import { Revisions } from "./revisions";

const getById = makeFunctionReference<"query", { componentId: string | null; id: string }, Document | null>(
  "_system/frontend/getById",
);

/** A document as it is now, and as it changes; null where there is none. */
export function useDocument(id: string): Document | null | undefined {
  const { componentId } = useComponent();
  return useQuery(getById, { componentId, id });
}

/** Add one document, or several as a list: all of them or none. */
export function AddDocuments({
  table,
  declared,
  onClose,
}: {
  table: string;
  declared: SchemaTable | undefined;
  onClose: () => void;
}) {
  const { componentId } = useComponent();
  const add = useMutation(system.addDocument);
  const [text, setText] = useState(() => JSON.stringify(exampleDocument(declared), null, 2));
  const { isRunning, problem, run } = useEdit();
  const submit = async () => {
    const added = await run(async () => {
      const value = fromText(text);
      return await add({ componentId, table, documents: Array.isArray(value) ? value : [value] });
    });
    if (added) onClose();
  };
  return (
    <Dialog title={`Add to ${table}`} onClose={onClose} wide>
      <JsonEditor
        label="Document, or a list of them"
        text={text}
        onChange={setText}
        onSubmit={() => void submit()}
        problem={problem}
      />
      <div className="flex justify-end">
        <Button kind="primary" disabled={isRunning} onClick={() => void submit()}>
          Add
        </Button>
      </div>
    </Dialog>
  );
}

/** One document: what it holds, what it refers to, and an edit of it, which the schema checks. */
export function EditDocument(props: {
  id: string;
  mapping: Record<string, string>;
  onClose: () => void;
  onOpen: (id: string) => void;
}) {
  const { id, onClose } = props;
  const document = useDocument(id);
  const [isLookingBack, setIsLookingBack] = useState(false);
  if (isLookingBack) return <Revisions id={id} onClose={() => setIsLookingBack(false)} />;
  return (
    <Dialog title={id} onClose={onClose} wide>
      {document === undefined ? (
        <Loading what="the document" />
      ) : document === null ? (
        <Empty title="This document is not there (any more)." />
      ) : (
        <Editor document={document} onOpen={props.onOpen} onSaved={onClose} onLookBack={() => setIsLookingBack(true)} />
      )}
    </Dialog>
  );
}

function Editor({
  document,
  onOpen,
  onSaved,
  onLookBack,
}: {
  document: Document;
  onOpen: (id: string) => void;
  onSaved: () => void;
  onLookBack: () => void;
}) {
  const { componentId } = useComponent();
  const { readOnly } = useSession();
  const replace = useMutation(system.replaceDocument);
  const current = toText(withoutSystemFields(document));
  const [begun, setBegun] = useState(current);
  const [text, setText] = useState(current);
  const { isRunning, problem, run } = useEdit();
  const ids = useMemo(() => referencesIn(withoutSystemFields(document)), [document]);
  if (text === begun && begun !== current) {
    setBegun(current); // nobody has typed: follow what others change
    setText(current);
  }
  const save = async () => {
    if (await run(() => replace({ componentId, id: document._id, document: objectFromText(text) }))) onSaved();
  };
  return (
    <>
      <p className="text-quiet">
        created <Time ms={document._creationTime} />
      </p>
      <JsonEditor
        label="Fields"
        text={text}
        readOnly={readOnly}
        onChange={setText}
        onSubmit={() => void save()}
        problem={problem}
      />
      {begun !== current && (
        <p role="alert" className="text-warm">
          Somebody else has changed this document meanwhile. Saving puts yours in its place.{" "}
          <Button
            onClick={() => {
              setBegun(current);
              setText(current);
            }}
          >
            Take theirs
          </Button>
        </p>
      )}
      {ids.length > 0 && (
        <p className="flex flex-wrap items-center gap-2">
          <span className="text-quiet">refers to</span>
          {ids.map((each) => (
            <Reference key={each} id={each} onOpen={onOpen} />
          ))}
        </p>
      )}
      <div className="flex justify-end gap-2">
        <Button kind="quiet" onClick={onLookBack}>
          Its last hour
        </Button>
        <Button kind="primary" disabled={readOnly || isRunning || text === current} onClick={() => void save()}>
          Save
        </Button>
      </div>
    </>
  );
}

/** A text that may be an id: a way to the document, if there is one. */
function Reference({ id, onOpen }: { id: string; onOpen: (id: string) => void }) {
  const found = useDocument(id);
  if (!found) return null;
  return (
    <button type="button" className="font-mono text-xs text-accent underline" onClick={() => onOpen(id)}>
      {id}
    </button>
  );
}

/** What an id looks like. Whether there is a document, the server knows. */
export const ID = /^[0-9a-hjkmnp-tv-z]{31,37}$/;
const MOST_REFERENCES = 20;

/** The texts in a value that look like ids, each once. */
export function referencesIn(value: Value): string[] {
  const found = new Set<string>();
  const look = (each: Value | undefined) => {
    if (typeof each === "string") {
      if (ID.test(each)) found.add(each);
    } else if (Array.isArray(each)) each.forEach(look);
    else if (each !== null && typeof each === "object" && !(each instanceof ArrayBuffer))
      Object.values(each).forEach(look);
  };
  look(value);
  return [...found].slice(0, MOST_REFERENCES);
}

function exampleDocument(declared: SchemaTable | undefined): unknown {
  if (!declared?.fields) return {};
  const required = declared.fields.filter((field) => !field.optional);
  return Object.fromEntries(required.map((field) => [field.name, exampleOf(field.type)]));
}
