import { useQuery } from "convex/react";
import { Download, Upload } from "lucide-react";
import { type FormEvent, useState } from "react";
import { Link } from "wouter";
import { request, requestBlob, upload } from "../deployment/requests";
import { type ExportRow, type ImportRow, system } from "../deployment/system";
import { Button } from "../parts/button";
import { Confirm } from "../parts/dialog";
import { Empty, Loading, Problem } from "../parts/states";
import { Table } from "../parts/table";
import { msOf, sizeText, Time } from "../parts/times";
import { useEdit } from "../parts/use_edit";
import { useSession } from "../session/session";
import { useComponent } from "../shell/component";
import { PageHead } from "../shell/shell";
import { formatOf } from "./archive_format";

/** All data out into one archive, and data in from files. Whole backups have a page of their own. */
export default function Archives() {
  return (
    <>
      <PageHead name="Archives" />
      <div className="flex flex-col gap-8 p-5">
        <Export />
        <Import />
        <p className="text-quiet">
          An archive has documents and, if wanted, stored files. Functions, variables and schedules too are in{" "}
          <Link href="/backups" className="text-accent underline">
            backups
          </Link>
          .
        </p>
      </div>
    </>
  );
}

function Export() {
  const { key, readOnly } = useSession();
  const latest = useQuery(system.latestExport, { componentId: null });
  const [withFiles, setWithFiles] = useState(false);
  const { isRunning, problem, run } = useEdit();
  const isUnderWay = latest?.state === "requested" || latest?.state === "in_progress";
  const fetchArchive = (made: ExportRow) =>
    run(async () => {
      const address = URL.createObjectURL(await requestBlob(key, `/api/export/zip/${made._id}`));
      const link = Object.assign(document.createElement("a"), { href: address, download: `${made._id}.zip` });
      link.click();
      URL.revokeObjectURL(address);
    });
  return (
    <section aria-labelledby="export" className="flex flex-col gap-3">
      <h2 id="export" className="text-base font-semibold">
        Export
      </h2>
      {problem !== null && <Problem>{problem}</Problem>}
      <div className="flex flex-wrap items-center gap-3">
        <label className="flex items-center gap-2">
          <input type="checkbox" checked={withFiles} onChange={(event) => setWithFiles(event.target.checked)} />
          stored files too
        </label>
        <Button
          kind="primary"
          disabled={readOnly || isRunning || isUnderWay}
          onClick={() =>
            void run(() => request(key, `/api/export/request/zip?includeStorage=${withFiles}`, { method: "POST" }))
          }
        >
          Export all tables
        </Button>
      </div>
      {latest === undefined ? (
        <Loading what="the last export" />
      ) : latest === null ? (
        <p className="text-quiet">Nothing has been exported yet.</p>
      ) : isUnderWay ? (
        <p role="status">{latest.progress_message ?? "The export is under way…"}</p>
      ) : latest.state === "failed" ? (
        <Problem>The last export failed; the server’s log says why.</Problem>
      ) : (
        <p className="flex flex-wrap items-center gap-3">
          The last one is of {latest.start_ts !== undefined && <Time ms={msOf(latest.start_ts)} />}
          {latest.size != null && <span className="text-quiet">{sizeText(Number(latest.size))}</span>}
          <Button disabled={readOnly || isRunning} onClick={() => void fetchArchive(latest)}>
            <Download size={16} aria-hidden /> {isRunning ? "Fetching…" : "Save the archive"}
          </Button>
        </p>
      )}
    </section>
  );
}

const MODES = [
  ["append", "add to what is there"],
  ["requireEmpty", "only into an empty table"],
  ["replace", "in place of what is there"],
] as const;

function Import() {
  const { key, readOnly } = useSession();
  const { component } = useComponent();
  const imports = useQuery(system.imports, { componentId: null });
  const [file, setFile] = useState<File | null>(null);
  const [table, setTable] = useState("");
  const [mode, setMode] = useState<string>("append");
  const [isAsking, setIsAsking] = useState(false);
  const [written, setWritten] = useState<number | null>(null);
  const [sent, setSent] = useState(0);
  const { isRunning, problem, run } = useEdit();
  const format = file === null ? null : formatOf(file.name);
  const isArchive = format === "zip";

  const send = () =>
    run(async () => {
      setWritten(null);
      const query = new URLSearchParams({ format: format!, mode });
      if (!isArchive) query.set("tableName", table.trim());
      if (component?.path) query.set("componentPath", component.path);
      setSent(0);
      const told = await upload<{ numWritten: number }>(key, `/api/import?${query}`, file!, setSent);
      setWritten(told.numWritten);
      setFile(null);
    });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (mode === "replace") setIsAsking(true);
    else void send();
  };
  const field = "min-h-8 rounded-md border border-line bg-surface px-2";
  return (
    <section aria-labelledby="import" className="flex flex-col gap-3">
      <h2 id="import" className="text-base font-semibold">
        Import
      </h2>
      {problem !== null && <Problem>{problem}</Problem>}
      {written !== null && (
        <p role="status" className="text-good">
          {written.toLocaleString()} {written === 1 ? "document was" : "documents were"} written.
        </p>
      )}
      <form onSubmit={submit} className="flex flex-wrap items-end gap-3">
        <label className="flex flex-col gap-1">
          File: .csv, .jsonl, .json or an archive
          <input
            type="file"
            accept=".csv,.jsonl,.json,.zip"
            onChange={(event) => setFile(event.target.files?.[0] ?? null)}
            className={`${field} py-1`}
          />
        </label>
        {!isArchive && (
          <label className="flex flex-col gap-1">
            Table
            <input
              value={table}
              onChange={(event) => setTable(event.target.value)}
              spellCheck={false}
              className={`${field} font-mono`}
            />
          </label>
        )}
        <label className="flex flex-col gap-1">
          How
          <select value={mode} onChange={(event) => setMode(event.target.value)} className={field}>
            {MODES.map(([each, words]) => (
              <option key={each} value={each}>
                {words}
              </option>
            ))}
          </select>
        </label>
        <Button
          kind="primary"
          type="submit"
          disabled={readOnly || isRunning || format === null || (!isArchive && table.trim() === "")}
        >
          <Upload size={16} aria-hidden /> {isRunning ? "Importing…" : "Import"}
        </Button>
      </form>
      {isRunning && (
        <div role="status" className="flex flex-col gap-1">
          <progress className="h-2 w-full max-w-xl accent-(--accent)" aria-label="Sent" max={1} value={sent} />
          <p className="text-quiet">
            {sent < 1
              ? `${Math.floor(sent * 100)} % of the file is sent.`
              : "The file is there; its documents are being written. They appear all at once."}
          </p>
        </div>
      )}
      {file !== null && format === null && (
        <Problem>What a file is, its name must say: .csv, .jsonl, .json or .zip.</Problem>
      )}
      {imports !== undefined && imports.length > 0 && <Imports imports={imports} />}
      {imports?.length === 0 && <Empty title="Nothing has been imported yet." />}
      {isAsking && (
        <Confirm
          title={isArchive ? "Replace the tables of the archive?" : `Replace the documents of ${table.trim()}?`}
          verb="Replace"
          onClose={() => setIsAsking(false)}
          onConfirm={() => void send()}
        >
          What is there now goes in the same moment in which the new documents come. An export keeps it.
        </Confirm>
      )}
    </section>
  );
}

function Imports({ imports }: { imports: ImportRow[] }) {
  return (
    <Table heads={["When", "How", "State"]} label="Imports">
      {imports.map((each) => (
        <tr key={each._id}>
          <td>
            <Time ms={each._creationTime} />
          </td>
          <td>{each.mode}</td>
          <td>{stateText(each)}</td>
        </tr>
      ))}
    </Table>
  );
}

function stateText({ state }: ImportRow): string {
  switch (state.state) {
    case "completed":
      return `${Number(state.num_rows_written ?? 0).toLocaleString()} documents written`;
    case "failed":
      return `failed: ${state.error_message}`;
    case "in_progress":
      return state.progress_message ?? "under way";
    case "waiting_for_confirmation":
      return "waits for somebody to confirm it";
    default:
      return state.state;
  }
}
