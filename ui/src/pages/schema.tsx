import { useQuery } from "convex/react";
import { Link } from "wouter";
import { type DeclaredIndex, system } from "../deployment/system";
import { Empty, Loading } from "../parts/states";
import { useComponent } from "../shell/component";
import { PageHead } from "../shell/shell";
import { type FieldType, inWords, readSchema, type SchemaTable } from "./schema_text";

/** The tables as the schema declares them, with their indexes and how far those are. */
export default function Schema() {
  const { componentId } = useComponent();
  const schemas = useQuery(system.schemas, { componentId });
  const declared = schemas?.active === undefined ? [] : readSchema(schemas.active);
  return (
    <>
      <PageHead name="Schema" />
      {schemas?.inProgress !== undefined && (
        <p role="status" className="border-b border-line bg-raised px-5 py-2">
          A push is checking all documents against another schema.
        </p>
      )}
      {schemas === undefined ? (
        <Loading what="the schema" />
      ) : declared.length === 0 ? (
        <Empty title="There is no schema.">
          Tables take any document. A <code className="font-mono">schema.py</code> or{" "}
          <code className="font-mono">schema.ts</code> says what they hold, and is enforced from then on.
        </Empty>
      ) : (
        <div className="grid gap-4 p-5 lg:grid-cols-2">
          {declared.map((table) => (
            <DeclaredTable key={table.name} table={table} />
          ))}
        </div>
      )}
    </>
  );
}

function DeclaredTable({ table }: { table: SchemaTable }) {
  const { componentId } = useComponent();
  const indexes = useQuery(system.indexes, { componentId: null, tableName: table.name, tableNamespace: componentId });
  return (
    <section className="rounded-lg border border-line bg-surface p-4">
      <h2 className="mb-2 font-mono font-semibold">
        <Link href={`/data/${table.name}`} className="text-accent underline">
          {table.name}
        </Link>
      </h2>
      <Fields fields={table.fields} />
      {indexes !== undefined && indexes.length > 0 && (
        <>
          <h3 className="mt-3 mb-1 text-quiet">Indexes</h3>
          <ul className="flex flex-col gap-1">
            {indexes.map((index) => (
              <li key={index.name} className="flex flex-wrap gap-x-3">
                <span className="font-mono">{index.name}</span>
                <span className="font-mono text-quiet">{fieldsOf(index)}</span>
                {index.unique === true && <span>unique</span>}
                {index.staged === true && <span className="text-warm">staged</span>}
                {index.backfill.state !== "done" && <span className="text-warm">{progressOf(index)}</span>}
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

function Fields({ fields }: { fields: FieldType[] | null }) {
  if (fields === null) return <p className="text-quiet">any document</p>;
  return (
    <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1 font-mono">
      {fields.map((field) => (
        <div key={field.name} className="contents">
          <dt>
            {field.name}
            {field.optional && <span className="text-quiet">?</span>}
          </dt>
          <dd className="break-words text-quiet">
            {field.table === undefined ? (
              inWords(field.type)
            ) : (
              <>
                id of{" "}
                <Link href={`/data/${field.table}`} className="text-accent underline">
                  {field.table}
                </Link>
              </>
            )}
          </dd>
        </div>
      ))}
    </dl>
  );
}

function fieldsOf({ fields }: DeclaredIndex): string {
  if (Array.isArray(fields)) return fields.join(", ");
  const searched = fields.searchField ?? fields.vectorField;
  return typeof searched === "string" ? `${fields.vectorField === undefined ? "text" : "vectors"} in ${searched}` : "";
}

function progressOf({ backfill: { stats } }: DeclaredIndex): string {
  if (stats === undefined) return "being filled";
  return `being filled: ${stats.numDocsIndexed.toLocaleString()} of ${stats.totalDocs?.toLocaleString() ?? "?"}`;
}
