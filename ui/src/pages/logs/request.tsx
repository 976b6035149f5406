import { useEffect, useMemo, useState } from "react";
import { request } from "../../deployment/requests";
import { Dialog } from "../../parts/dialog";
import { Loading, Problem } from "../../parts/states";
import { Time } from "../../parts/times";
import { useSession } from "../../session/session";
import { asTree, type Entry } from "./entries";
import { merged } from "./use_log";

/** A whole request: every function that ran in it, below the one that called it, with what each read and wrote. */
export function RequestDetails({ id, known, onClose }: { id: string; known: readonly Entry[]; onClose: () => void }) {
  const { key } = useSession();
  const [kept, setKept] = useState<Entry[]>();
  const entries = useMemo(
    () =>
      kept &&
      merged(
        kept,
        known.filter((entry) => entry.requestId === id),
      ),
    [kept, known, id],
  );
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    let isCurrent = true;
    const find = async () => {
      const told = await request<{ entries: Entry[] }>(key, `/api/parabola/logs?requestId=${encodeURIComponent(id)}`);
      if (isCurrent) setKept(told.entries);
    };
    find().catch((error: Error) => isCurrent && setProblem(error.message));
    return () => {
      isCurrent = false;
    };
  }, [id, key]);
  return (
    <Dialog title={`Request ${id}`} onClose={onClose} wide>
      {problem !== null && <Problem>{problem}</Problem>}
      {problem === null && entries === undefined && <Loading what="the request" />}
      {entries !== undefined && (
        <ol className="flex flex-col gap-3">
          {asTree(entries).map(({ depth, entry }) => (
            <li key={entry.executionId} style={{ marginLeft: `${depth * 1.25}rem` }}>
              <Call entry={entry} lines={entries.filter((each) => each.executionId === entry.executionId)} />
            </li>
          ))}
        </ol>
      )}
    </Dialog>
  );
}

const USAGE: [string, string][] = [
  ["databaseReadDocuments", "documents read"],
  ["databaseReadBytes", "bytes read"],
  ["databaseWriteBytes", "bytes written"],
  ["storageReadBytes", "bytes of files read"],
  ["storageWriteBytes", "bytes of files written"],
];

function Call({ entry, lines }: { entry: Entry; lines: Entry[] }) {
  const usage = USAGE.filter(([name]) => entry.usageStats?.[name]).map(
    ([name, words]) => `${entry.usageStats![name]!.toLocaleString()} ${words}`,
  );
  return (
    <section className="border-l-2 border-line pl-3">
      <h3 className="flex flex-wrap items-baseline gap-x-3 font-mono">
        <span className="font-semibold">{entry.identifier}</span>
        <span className="text-quiet">{entry.udfType}</span>
        <span className="tabular-nums">{((entry.executionTime ?? 0) * 1000).toFixed(1)} ms</span>
        {entry.cachedResult && <span className="text-quiet">from the cache</span>}
      </h3>
      <p className="text-quiet">
        <Time ms={entry.timestamp * 1000} /> · by {entry.identityType} · from {entry.caller}
        {usage.length > 0 && ` · ${usage.join(", ")}`}
      </p>
      {lines.flatMap((each) =>
        each.logLines.map((line, place) => (
          <p key={`${each.timestamp} ${place}`} className="font-mono text-xs break-words whitespace-pre-wrap">
            <span className="text-quiet">{line.level}</span> {line.messages.join(" ")}
          </p>
        )),
      )}
      {entry.error != null && <Problem>{entry.error}</Problem>}
    </section>
  );
}
