import { useQuery } from "convex/react";
import { useEffect, useMemo, useState } from "react";
import { Link } from "wouter";
import { request } from "../../deployment/requests";
import { type DeclaredIndex, system } from "../../deployment/system";
import { Empty, Loading, Problem } from "../../parts/states";
import { useSession } from "../../session/session";
import { useComponent, useWay } from "../../shell/component";
import { PageHead } from "../../shell/shell";
import { Diagram } from "./diagram";
import { fieldsOf, inWords, readSchema, referencesOf, type SchemaTable, type ValidatorJson } from "./schema_text";
import { type Shape, validatorOf } from "./shapes";
import { Trial } from "./trial";

/** The tables as the schema declares them or as their documents look, how they refer to each other, and their indexes. */
export default function Schema() {
  const { componentId } = useComponent();
  const schemas = useQuery(system.schemas, { componentId });
  const mapping = useQuery(system.tables, { componentId });
  const declared = useMemo(() => (schemas?.active === undefined ? [] : readSchema(schemas.active)), [schemas?.active]);
  const undeclared = useMemo(() => {
    const names = new Set(declared.map((table) => table.name));
    return Object.values(mapping ?? {})
      .filter((name) => !name.startsWith("_") && !names.has(name))
      .sort();
  }, [mapping, declared]);
  const isLoose = declared.some((table) => table.fields === null) || undeclared.length > 0;
  const { shapes, problem } = useShapes(isLoose);
  const all = useMemo(() => {
    const shapeOf = (name: string) => {
      const shape = shapes?.[name];
      return shape === undefined ? null : validatorOf(shape);
    };
    return [
      ...declared.map((table) => ({ ...table, seen: table.fields === null ? shapeOf(table.name) : null })),
      ...undeclared.map((name) => ({ name, fields: null, validator: null, staged: null, seen: shapeOf(name) })),
    ];
  }, [declared, undeclared, shapes]);
  const names = useMemo(() => all.map((table) => table.name), [all]);
  const references = useMemo(
    () => all.flatMap((table) => referencesOf(table.name, table.fields === null ? table.seen : table.validator)),
    [all],
  );
  return (
    <>
      <PageHead name="Schema" />
      {schemas?.inProgress !== undefined && <Checking />}
      {problem !== null && <Problem>{problem}</Problem>}
      {schemas === undefined || mapping === undefined ? (
        <Loading what="the schema" />
      ) : all.length === 0 ? (
        <Empty title="There are no tables and no schema.">
          Tables take any document. A <code className="font-mono">schema.py</code> or{" "}
          <code className="font-mono">schema.ts</code> says what they hold, and is enforced from then on.
        </Empty>
      ) : (
        <div className="flex flex-col gap-5 p-5">
          {declared.length === 0 && (
            <p>
              There is no schema: tables take any document. What is shown is how their oldest and newest documents look.
            </p>
          )}
          {all.length > 1 && <Diagram tables={names} references={references} />}
          <div className="grid gap-4 lg:grid-cols-2">
            {all.map((table) => (
              <TableCard
                key={table.name}
                table={table}
                referredBy={references.filter((each) => each.to === table.name).map((each) => each.from)}
              />
            ))}
          </div>
        </div>
      )}
    </>
  );
}

/** How documents look, by table, asked once where it is wanted. */
function useShapes(isWanted: boolean): { shapes: Record<string, Shape> | undefined; problem: string | null } {
  const { key } = useSession();
  const { componentId } = useComponent();
  const [shapes, setShapes] = useState<Record<string, Shape>>();
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    if (!isWanted) return;
    const stop = new AbortController();
    const path = `/api/shapes2?component=${encodeURIComponent(componentId ?? "")}`;
    request<Record<string, Shape>>(key, path, { signal: stop.signal })
      .then((told) => {
        setShapes(told);
        setProblem(null);
      })
      .catch((error: unknown) => !stop.signal.aborted && setProblem((error as Error).message));
    return () => stop.abort();
  }, [isWanted, key, componentId]);
  return { shapes, problem };
}

/** Said while a push looks through the documents. */
function Checking() {
  const { componentId } = useComponent();
  const progress = useQuery(system.schemaProgress, { componentId });
  return (
    <p role="status" className="border-b border-line bg-raised px-5 py-2">
      A push is checking all documents against another schema
      {progress != null &&
        `: ${progress.numDocsValidated.toLocaleString()} of ${progress.totalDocs?.toLocaleString() ?? "?"}`}
      .
    </p>
  );
}

type ShownTable = SchemaTable & { seen: ValidatorJson | null };

function TableCard({ table, referredBy }: { table: ShownTable; referredBy: string[] }) {
  const { componentId } = useComponent();
  const way = useWay();
  const size = useQuery(system.tableSize, { componentId, tableName: table.name });
  const indexes = useQuery(system.indexes, { componentId: null, tableName: table.name, tableNamespace: componentId });
  return (
    <section
      id={`table-${table.name}`}
      tabIndex={-1}
      aria-label={table.name}
      className="min-w-0 rounded-lg border border-line bg-surface p-4 target:border-accent"
    >
      <h2 className="mb-2 flex flex-wrap items-baseline gap-3 font-mono font-semibold">
        <Link href={way(`/data/${table.name}`)} className="text-accent underline">
          {table.name}
        </Link>
        <span className="font-sans text-xs font-normal text-quiet">
          {size !== undefined && `${size.toLocaleString()} ${size === 1 ? "document" : "documents"}`}
        </span>
      </h2>
      <Fields table={table} />
      {referredBy.length > 0 && (
        <p className="mt-2 text-quiet">
          referred to by <span className="font-mono">{[...new Set(referredBy)].join(", ")}</span>
        </p>
      )}
      {indexes !== undefined && indexes.length > 0 && (
        <>
          <h3 className="mt-3 mb-1 text-quiet">Indexes</h3>
          <ul className="flex flex-col gap-1">
            {indexes.map((index) => (
              <IndexLine key={index.name} index={index} />
            ))}
          </ul>
        </>
      )}
      <Trials table={table} size={size} />
    </section>
  );
}

function IndexLine({ index }: { index: DeclaredIndex }) {
  const isFilling = index.backfill.state === "in_progress";
  const { stats } = index.backfill;
  return (
    <li className="flex flex-wrap items-center gap-x-3">
      <span className="font-mono">{index.name}</span>
      <span className="font-mono break-all text-quiet">{fieldsOfIndex(index)}</span>
      {index.unique === true && <span>unique</span>}
      {index.staged === true && <span className="text-warm">staged: filled, and not asked yet</span>}
      {isFilling && <span className="text-warm">{progressOf(index)}</span>}
      {isFilling && stats?.totalDocs != null && (
        <progress
          className="h-2 grow accent-(--accent)"
          aria-label={`Filling ${index.name}`}
          max={stats.totalDocs || 1}
          value={stats.numDocsIndexed}
        />
      )}
    </li>
  );
}

/** What would be rejected by the staged validator, by what the documents look like, or by what one writes oneself. */
function Trials({ table, size }: { table: ShownTable; size: number | undefined }) {
  const [isOpen, setIsOpen] = useState(false);
  const declared = table.fields === null ? (table.seen ?? table.validator) : table.validator;
  const start = table.staged ?? declared ?? { type: "any" };
  return (
    <details className="mt-3" onToggle={(event) => setIsOpen(event.currentTarget.open)}>
      <summary className="text-accent">
        {table.staged === null ? "Would a stricter validator hold?" : "Does the staged validator hold?"}
      </summary>
      {isOpen && <Trial key={JSON.stringify(start)} table={table.name} validator={start} size={size} />}
    </details>
  );
}

function Fields({ table }: { table: ShownTable }) {
  const way = useWay();
  const fields = table.fields ?? fieldsOf(table.seen);
  const words = table.fields !== null ? null : table.validator === null ? "any document" : inWords(table.validator);
  return (
    <>
      {words !== null && (
        <p className="mb-1 text-quiet">
          {words}
          {fields !== null && "; the oldest and the newest look so:"}
        </p>
      )}
      {fields !== null && (
        <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1 font-mono">
          {fields.map((field) => (
            <div key={field.name} className="contents">
              <dt className="break-all">
                {field.name}
                {field.optional && <span className="text-quiet">?</span>}
              </dt>
              <dd className="min-w-0 break-words text-quiet">
                {field.table === undefined ? (
                  inWords(field.type)
                ) : (
                  <>
                    id of{" "}
                    <Link href={way(`/data/${field.table}`)} className="text-accent underline">
                      {field.table}
                    </Link>
                  </>
                )}
              </dd>
            </div>
          ))}
        </dl>
      )}
    </>
  );
}

function fieldsOfIndex({ fields }: DeclaredIndex): string {
  if (Array.isArray(fields)) return fields.join(", ");
  const searched = fields.searchField ?? fields.vectorField;
  return typeof searched === "string" ? `${fields.vectorField === undefined ? "text" : "vectors"} in ${searched}` : "";
}

function progressOf({ backfill: { stats } }: DeclaredIndex): string {
  if (stats === undefined) return "being filled";
  return `being filled: ${stats.numDocsIndexed.toLocaleString()} of ${stats.totalDocs?.toLocaleString() ?? "?"}`;
}
