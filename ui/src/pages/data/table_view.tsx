import { useMutation, usePaginatedQuery, useQuery } from "convex/react";
import { History, Plus, Trash2 } from "lucide-react";
import { useDeferredValue, useMemo, useState } from "react";
import { Link, useSearchParams } from "wouter";
import { system } from "../../deployment/system";
import { Button } from "../../parts/button";
import { Confirm } from "../../parts/dialog";
import { Empty, Loading, Problem } from "../../parts/states";
import { useEdit } from "../../parts/use_edit";
import { useSession } from "../../session/session";
import { useComponent, useWay } from "../../shell/component";
import { readSchema } from "../schema/schema_text";
import { CellEditor, type EditedCell } from "./cell_editor";
import { chooseIndex, type ChosenIndex } from "./chosen_index";
import { AddDocuments, EditDocument } from "./documents";
import { FilterBar } from "./filter_bar";
import { encodeFilters, type Filters, NO_FILTERS, saidClauses } from "./filters";
import { columnsOf, Grid } from "./grid";
import { PastView } from "./past_view";

const PAGE = 100;
/** Pages grow as one goes on: who scrolls through thousands of documents follows few pages. */
const MOST_OF_A_PAGE = 800;

/** The documents of a table, as many as there are: what is in view is loaded, and stays live. */
export function TableView({ table, mapping }: { table: string; mapping: Record<string, string> }) {
  const { componentId } = useComponent();
  const { readOnly } = useSession();
  const [filters, setFilters] = useState<Filters>(NO_FILTERS);
  const indexes = useQuery(system.indexes, { componentId: null, tableName: table, tableNamespace: componentId });
  const index = useMemo(() => chooseIndex(saidClauses(filters), indexes ?? []), [filters, indexes]);
  const encoded = useDeferredValue(useMemo(() => encodeFilters(filters, index), [filters, index]));
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
  const [search] = useSearchParams();
  const [edited, setEdited] = useState<string | null>(search.get("open"));
  const [cell, setCell] = useState<EditedCell | null>(null);
  const [isPast, setIsPast] = useState(false);
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
        <Button kind="quiet" aria-pressed={isPast} onClick={() => setIsPast(!isPast)}>
          <History size={14} aria-hidden /> {isPast ? "Back to now" : "Look back"}
        </Button>
        <Exchange />
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
      {!isPast && <FilterBar filters={filters} fields={columns} onChange={setFilters} />}
      {!isPast && <HowFound filters={filters} index={index} />}
      {problem !== null && <Problem>{problem}</Problem>}
      {isPast ? (
        <PastView table={table} columns={columns} />
      ) : documents.status === "LoadingFirstPage" ? (
        <Loading what="the documents" />
      ) : documents.results.length === 0 ? (
        <Empty
          title={
            filters.clauses.length === 0
              ? "This table is empty."
              : documents.status === "CanLoadMore"
                ? "None of the documents that were read so far fits."
                : "No document fits."
          }
        >
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
          onMore={() => documents.loadMore(Math.min(MOST_OF_A_PAGE, documents.results.length))}
          chosen={chosen}
          onChoose={setChosen}
          onOpen={setEdited}
          onEdit={(id, field) => setCell({ id, field })}
        />
      )}
      {isAdding && <AddDocuments table={table} declared={declared} onClose={() => setIsAdding(false)} />}
      {edited !== null && (
        <EditDocument key={edited} id={edited} mapping={mapping} onClose={() => setEdited(null)} onOpen={setEdited} />
      )}
      {cell !== null && (
        <CellEditor
          table={table}
          cell={cell}
          declared={declared?.fields?.find((field) => field.name === cell.field)}
          onClose={() => setCell(null)}
          onDocument={() => {
            setEdited(cell.id);
            setCell(null);
          }}
        />
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

/** Says whether an index finds what is looked for, or all of the table is read for it. */
function HowFound({ filters, index }: { filters: Filters; index: ChosenIndex | null }) {
  const said = saidClauses(filters);
  if (said.length === 0) return null;
  const looked = (index?.rest ?? said).map((clause) => clause.field.trim());
  const read = [...new Set(looked)].join(", ");
  return (
    <p role="status" className={`border-b border-line px-5 py-1.5 ${index === null ? "text-warm" : "text-quiet"}`}>
      {index === null
        ? `No index begins with ${read}: documents are read one by one until enough of them fit.`
        : read === ""
          ? `The index ${index.name} finds them, and orders them.`
          : `The index ${index.name} finds and orders them; of what it finds, ${read} is looked at one by one.`}
    </p>
  );
}

/** The way to what goes in and out as files. */
function Exchange() {
  const way = useWay();
  return (
    <Link href={way("/archives")} className="px-3 py-1 text-accent underline">
      Import, export
    </Link>
  );
}
