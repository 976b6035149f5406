import { useVirtualizer } from "@tanstack/react-virtual";
import { useMutation, usePaginatedQuery, useQuery } from "convex/react";
import type { Value } from "convex/values";
import { Plus, Trash2 } from "lucide-react";
import { useDeferredValue, useEffect, useMemo, useRef, useState } from "react";
import { type Document, system } from "../../deployment/system";
import { Button } from "../../parts/button";
import { Confirm } from "../../parts/dialog";
import { Empty, Loading, Problem } from "../../parts/states";
import { useEdit } from "../../parts/use_edit";
import { inOneLine } from "../../parts/values";
import { useSession } from "../../session/session";
import { useComponent } from "../../shell/component";
import { readSchema } from "../schema_text";
import { AddDocuments, EditDocument } from "./documents";
import { FilterBar } from "./filter_bar";
import { encodeFilters, type Filters, NO_FILTERS } from "./filters";

const PAGE = 100;
const ROW = 33;
const MOST_COLUMNS = 60;
const TIMES = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "medium" });

/** The documents of a table, as many as there are: what is in view is loaded, and stays live. */
export function TableView({ table, mapping }: { table: string; mapping: Record<string, string> }) {
  const { componentId } = useComponent();
  const { readOnly } = useSession();
  const [filters, setFilters] = useState<Filters>(NO_FILTERS);
  const encoded = useDeferredValue(useMemo(() => encodeFilters(filters), [filters]));
  const documents = usePaginatedQuery(
    system.documents,
    { componentId, table, filters: encoded },
    { initialNumItems: PAGE },
  );
  const schemas = useQuery(system.schemas, { componentId });
  const declared = useMemo(
    () => (schemas?.active === undefined ? undefined : readSchema(schemas.active).find((each) => each.name === table)),
    [schemas, table],
  );
  const columns = useMemo(
    () => columnsOf(documents.results, declared?.fields?.map((field) => field.name) ?? []),
    [documents.results, declared],
  );
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [edited, setEdited] = useState<string | null>(null);
  const [isAdding, setIsAdding] = useState(false);
  const [isDeleting, setIsDeleting] = useState(false);
  const [isClearing, setIsClearing] = useState(false);
  const remove = useMutation(system.deleteDocuments);
  const clear = useMutation(system.clearTablePage);
  const { isRunning, problem, run } = useEdit();

  const deleteChosen = () =>
    run(async () => {
      const answer = await remove({ componentId, toDelete: [...chosen].map((id) => ({ id, tableName: table })) });
      if (answer.success) setChosen(new Set());
      return answer;
    });
  const clearAll = () =>
    run(async () => {
      for (let cursor: string | null = null, hasMore = true; hasMore;) {
        const page: { continueCursor: string; hasMore: boolean } = await clear({
          componentId,
          tableName: table,
          cursor,
        });
        ({ hasMore, continueCursor: cursor } = page);
      }
    });

  return (
    <>
      <div className="flex flex-wrap items-center gap-2 px-5 py-2">
        <h2 className="mr-auto font-mono font-semibold">{table}</h2>
        {chosen.size > 0 && (
          <Button kind="danger" disabled={readOnly || isRunning} onClick={() => setIsDeleting(true)}>
            <Trash2 size={14} aria-hidden /> Delete {chosen.size}
          </Button>
        )}
        <Button kind="danger" disabled={readOnly || isRunning} onClick={() => setIsClearing(true)}>
          Clear the table
        </Button>
        <Button kind="primary" disabled={readOnly} onClick={() => setIsAdding(true)}>
          <Plus size={14} aria-hidden /> Add
        </Button>
      </div>
      <FilterBar filters={filters} fields={columns} onChange={setFilters} />
      {problem !== null && <Problem>{problem}</Problem>}
      {documents.status === "LoadingFirstPage" ? (
        <Loading what="the documents" />
      ) : documents.results.length === 0 ? (
        <Empty title={filters.clauses.length === 0 ? "This table is empty." : "No document fits."}>
          {filters.clauses.length > 0 && documents.status === "CanLoadMore" && (
            <Button onClick={() => documents.loadMore(PAGE)}>Look further</Button>
          )}
        </Empty>
      ) : (
        <Grid
          label={`Documents of ${table}`}
          rows={documents.results}
          columns={columns}
          hasMore={documents.status === "CanLoadMore"}
          onMore={() => documents.loadMore(PAGE)}
          chosen={chosen}
          onChoose={setChosen}
          onOpen={setEdited}
        />
      )}
      {isAdding && <AddDocuments table={table} declared={declared} onClose={() => setIsAdding(false)} />}
      {edited !== null && (
        <EditDocument key={edited} id={edited} mapping={mapping} onClose={() => setEdited(null)} onOpen={setEdited} />
      )}
      {isDeleting && (
        <Confirm
          title={`Delete ${chosen.size} ${chosen.size === 1 ? "document" : "documents"}?`}
          verb="Delete"
          onClose={() => setIsDeleting(false)}
          onConfirm={() => void deleteChosen()}
        >
          All of them go in one transaction, or none.
        </Confirm>
      )}
      {isClearing && (
        <Confirm
          title={`Delete all documents of ${table}?`}
          verb="Delete all"
          onClose={() => setIsClearing(false)}
          onConfirm={() => void clearAll()}
        >
          The table and its indexes stay. An export keeps what is in it now.
        </Confirm>
      )}
    </>
  );
}

/** The columns: the id, what the schema names, what documents have beside it, the creation time. */
export function columnsOf(documents: readonly Document[], declared: readonly string[]): string[] {
  const found = new Set(declared);
  for (const document of documents) {
    for (const name of Object.keys(document)) if (!name.startsWith("_")) found.add(name);
    if (found.size >= MOST_COLUMNS) break;
  }
  return ["_id", ...[...found].slice(0, MOST_COLUMNS), "_creationTime"];
}

function Grid(props: {
  label: string;
  rows: Document[];
  columns: string[];
  hasMore: boolean;
  onMore: () => void;
  chosen: ReadonlySet<string>;
  onChoose: (ids: ReadonlySet<string>) => void;
  onOpen: (id: string) => void;
}) {
  const { rows, columns, hasMore, onMore, chosen, onChoose } = props;
  const frame = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => frame.current,
    estimateSize: () => ROW,
    overscan: 20,
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasMore && last >= rows.length - PAGE / 2) onMore();
  }, [hasMore, last, rows.length, onMore]);
  const template = `2.5rem 18rem repeat(${columns.length - 2}, minmax(9rem, 1fr)) 12rem`;
  const toggle = (id: string) => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    onChoose(next);
  };
  const isAllChosen = rows.every((row) => chosen.has(row._id));
  return (
    <div ref={frame} className="h-0 min-h-72 grow overflow-auto" tabIndex={0} role="region" aria-label={props.label}>
      <div
        role="table"
        aria-label={props.label}
        aria-rowcount={hasMore ? -1 : rows.length + 1}
        style={{ minWidth: `${columns.length * 9 + 14}rem` }}
      >
        <div
          role="row"
          className="sticky top-0 z-[1] grid border-b border-line bg-surface"
          style={{ gridTemplateColumns: template }}
        >
          <div role="columnheader" className="px-3 py-2">
            <input
              type="checkbox"
              aria-label="Choose all that are loaded"
              checked={isAllChosen}
              onChange={() => onChoose(isAllChosen ? new Set() : new Set(rows.map((row) => row._id)))}
            />
          </div>
          {columns.map((column) => (
            <div key={column} role="columnheader" className="truncate px-3 py-2 font-mono text-xs text-quiet">
              {column}
            </div>
          ))}
        </div>
        <div role="rowgroup" className="relative" style={{ height: virtual.getTotalSize() }}>
          {items.map((item) => {
            const row = rows[item.index]!;
            return (
              <div
                key={row._id}
                role="row"
                aria-rowindex={item.index + 2}
                aria-selected={chosen.has(row._id)}
                className={`absolute inset-x-0 grid border-b border-line ${chosen.has(row._id) ? "bg-raised" : "hover:bg-raised"}`}
                style={{ gridTemplateColumns: template, height: ROW, transform: `translateY(${item.start}px)` }}
              >
                <div role="cell" className="px-3 py-1.5">
                  <input
                    type="checkbox"
                    aria-label={`Choose ${row._id}`}
                    checked={chosen.has(row._id)}
                    onChange={() => toggle(row._id)}
                  />
                </div>
                {columns.map((column) => (
                  <Cell key={column} column={column} value={row[column]} onOpen={() => props.onOpen(row._id)} />
                ))}
              </div>
            );
          })}
        </div>
      </div>
      {hasMore && <p className="px-5 py-2 text-quiet">Loading more…</p>}
    </div>
  );
}

function Cell({ column, value, onOpen }: { column: string; value: Value | undefined; onOpen: () => void }) {
  if (column === "_id") {
    return (
      <div role="cell" className="truncate px-3 py-1.5">
        <button type="button" className="font-mono text-xs text-accent underline" onClick={onOpen}>
          {value as string}
        </button>
      </div>
    );
  }
  const text = column === "_creationTime" ? TIMES.format(value as number) : inOneLine(value);
  const isNoText = value !== undefined && typeof value !== "string";
  return (
    <div
      role="cell"
      title={text.length > 24 ? text.slice(0, 2000) : undefined}
      onDoubleClick={onOpen}
      className={`truncate px-3 py-1.5 font-mono text-xs ${value === undefined ? "text-quiet" : isNoText && column !== "_creationTime" ? "text-warm" : ""}`}
    >
      {value === undefined ? <span aria-label="not set">·</span> : text.slice(0, 300)}
    </div>
  );
}
