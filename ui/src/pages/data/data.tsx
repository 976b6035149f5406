import { useMutation, useQuery } from "convex/react";
import { Plus } from "lucide-react";
import { useMemo, useState } from "react";
import { Link, useLocation, useParams, useSearch } from "wouter";
import { system } from "../../deployment/system";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { Empty, Loading, Problem } from "../../parts/states";
import { useEdit } from "../../parts/use_edit";
import { useSession } from "../../session/session";
import { useComponent } from "../../shell/component";
import { PageHead } from "../../shell/shell";
import { TableView } from "./table_view";

/** The tables of the component, and the documents of the chosen one. */
export default function Data() {
  const { componentId } = useComponent();
  const { readOnly } = useSession();
  const mapping = useQuery(system.tables, { componentId });
  const { table } = useParams<{ table?: string }>();
  const [isAdding, setIsAdding] = useState(false);
  const names = useMemo(
    () =>
      mapping &&
      Object.values(mapping)
        .filter((name) => !name.startsWith("_"))
        .sort(),
    [mapping],
  );
  return (
    <>
      <PageHead name="Data">
        <Button disabled={readOnly} onClick={() => setIsAdding(true)}>
          <Plus size={16} aria-hidden /> New table
        </Button>
      </PageHead>
      {names === undefined ? (
        <Loading what="the tables" />
      ) : (
        <div className="flex min-h-0 min-w-0 grow flex-col md:flex-row">
          <nav
            aria-label="Tables"
            className="max-h-48 shrink-0 overflow-y-auto border-r border-b border-line bg-surface p-3 md:max-h-none md:w-56 md:border-b-0"
          >
            {names.length === 0 && <p className="px-2 text-quiet">no tables yet</p>}
            {names.map((name) => (
              <TableLink key={name} name={name} isChosen={name === table} />
            ))}
          </nav>
          <div className="flex min-h-96 min-w-0 grow flex-col">
            {table === undefined ? (
              <Empty title={names.length === 0 ? "There are no tables yet." : "Choose a table."}>
                {names.length === 0 && "The first document makes its table; so does a push with a schema."}
              </Empty>
            ) : names.includes(table) || table.startsWith("_") ? (
              <TableView key={`${componentId} ${table}`} table={table} mapping={mapping!} />
            ) : (
              <Empty title={`There is no table “${table}” here.`} />
            )}
          </div>
        </div>
      )}
      {isAdding && <NewTable onClose={() => setIsAdding(false)} />}
    </>
  );
}

function TableLink({ name, isChosen }: { name: string; isChosen: boolean }) {
  const { componentId } = useComponent();
  const size = useQuery(system.tableSize, { componentId, tableName: name });
  const component = new URLSearchParams(useSearch()).get("component");
  return (
    <Link
      href={`/data/${encodeURIComponent(name)}${component === null ? "" : `?component=${encodeURIComponent(component)}`}`}
      aria-current={isChosen ? "true" : undefined}
      className={`flex items-baseline gap-2 rounded-md px-2 py-1 ${isChosen ? "bg-raised text-accent" : "hover:bg-raised"}`}
    >
      <span className="grow font-mono break-all">{name}</span>
      <span className="text-xs text-quiet tabular-nums">{size?.toLocaleString()}</span>
    </Link>
  );
}

function NewTable({ onClose }: { onClose: () => void }) {
  const { componentId } = useComponent();
  const create = useMutation(system.createTable);
  const { isRunning, problem, run } = useEdit();
  const [name, setName] = useState("");
  const [, go] = useLocation();
  const submit = async () => {
    if (await run(() => create({ componentId, table: name.trim() }))) {
      onClose();
      go(`/data/${encodeURIComponent(name.trim())}`);
    }
  };
  return (
    <Dialog title="New table" onClose={onClose}>
      <form
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <label className="flex flex-col gap-1">
          Name
          <input
            value={name}
            onChange={(event) => setName(event.target.value)}
            spellCheck={false}
            className="min-h-8 rounded-md border border-line bg-page px-2 font-mono"
          />
        </label>
        {problem !== null && <Problem>{problem}</Problem>}
        <Button kind="primary" type="submit" disabled={isRunning || name.trim() === ""}>
          Make it
        </Button>
      </form>
    </Dialog>
  );
}
