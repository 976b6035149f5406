import { useVirtualizer } from "@tanstack/react-virtual";
import { Pause, Play } from "lucide-react";
import { type UIEvent, useDeferredValue, useEffect, useMemo, useRef, useState } from "react";
import { useSearchParams } from "wouter";
import { Button } from "../../parts/button";
import { Empty, Loading, Problem } from "../../parts/states";
import { useSession } from "../../session/session";
import { PageHead } from "../../shell/shell";
import { type Entry, isWanted, type Level, LEVELS } from "./entries";
import { RequestDetails } from "./request";
import { useLog } from "./use_log";

const CLOCK = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
  hour12: false,
});
const ROW = 30;

/** What functions log and how they end, live. */
export default function Logs() {
  const { key } = useSession();
  const [isPaused, setIsPaused] = useState(false);
  const { entries, problem } = useLog(key, isPaused);
  const [search, setSearch] = useSearchParams();
  const functionName = search.get("function") ?? "";
  const level = (search.get("level") ?? "DEBUG") as Level;
  const text = search.get("text") ?? "";
  const sought = useDeferredValue(text);
  const [request, setRequest] = useState<string | null>(null);

  const set = (name: string, value: string) =>
    setSearch(
      (before) => {
        const next = new URLSearchParams(before);
        if (value === "") next.delete(name);
        else next.set(name, value);
        return next;
      },
      { replace: true },
    );
  const wanted = useMemo(
    () => entries?.filter((entry) => isWanted(entry, { functionName, level, text: sought })),
    [entries, functionName, level, sought],
  );
  const field = "min-h-8 rounded-md border border-line bg-surface px-2";
  return (
    <>
      <PageHead name="Logs">
        <input
          type="search"
          aria-label="Function"
          placeholder="Function"
          value={functionName}
          onChange={(event) => set("function", event.target.value)}
          className={`${field} w-40`}
        />
        <select
          aria-label="Least level"
          value={level}
          onChange={(event) => set("level", event.target.value === "DEBUG" ? "" : event.target.value)}
          className={field}
        >
          {LEVELS.map((each) => (
            <option key={each} value={each}>
              {each === "DEBUG" ? "every level" : each.toLowerCase()}
            </option>
          ))}
        </select>
        <input
          type="search"
          aria-label="Text or request id"
          placeholder="Text or request id"
          value={text}
          onChange={(event) => set("text", event.target.value)}
          className={`${field} w-52`}
        />
        <Button onClick={() => setIsPaused(!isPaused)} aria-pressed={isPaused}>
          {isPaused ? <Play size={16} aria-hidden /> : <Pause size={16} aria-hidden />}
          {isPaused ? "Go on" : "Pause"}
        </Button>
      </PageHead>
      {problem !== null && <Problem>{problem}</Problem>}
      {wanted === undefined ? (
        <Loading what="the log" />
      ) : wanted.length === 0 ? (
        <Empty title={entries?.length ? "Nothing in the log fits." : "No function has run yet."}>
          {entries?.length
            ? "Other filters show more."
            : "What functions log, and how they end, shows here as it happens."}
        </Empty>
      ) : (
        <Lines entries={wanted} onOpen={setRequest} />
      )}
      {request !== null && <RequestDetails id={request} known={entries ?? []} onClose={() => setRequest(null)} />}
    </>
  );
}

/** The list; it stays at its end as long as the reader is there. */
function Lines({ entries, onOpen }: { entries: readonly Entry[]; onOpen: (requestId: string) => void }) {
  const frame = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  const rows = useVirtualizer({
    count: entries.length,
    getScrollElement: () => frame.current,
    estimateSize: () => ROW,
    overscan: 20,
    getItemKey: (index) => `${entries[index]!.executionId} ${entries[index]!.timestamp}`,
  });
  useEffect(() => {
    if (isAtEnd.current) rows.scrollToIndex(entries.length - 1, { align: "end" });
  }, [entries, rows]);
  const watch = (event: UIEvent<HTMLDivElement>) => {
    const { scrollHeight, scrollTop, clientHeight } = event.currentTarget;
    isAtEnd.current = scrollHeight - scrollTop - clientHeight < 2 * ROW;
  };
  return (
    <div
      ref={frame}
      onScroll={watch}
      role="log"
      aria-label="Log of functions"
      tabIndex={0}
      className="h-0 grow overflow-auto font-mono text-xs"
    >
      <div className="relative min-w-[44rem]" style={{ height: rows.getTotalSize() }}>
        {rows.getVirtualItems().map((item) => (
          <div
            key={item.key}
            data-index={item.index}
            ref={rows.measureElement}
            className="absolute inset-x-0 top-0"
            style={{ transform: `translateY(${item.start}px)` }}
          >
            <Line entry={entries[item.index]!} onOpen={onOpen} />
          </div>
        ))}
      </div>
    </div>
  );
}

const COLOURS: Record<Level, string> = { DEBUG: "text-quiet", INFO: "", LOG: "", WARN: "text-warm", ERROR: "text-bad" };

function Line({ entry, onOpen }: { entry: Entry; onOpen: (requestId: string) => void }) {
  return (
    <div className="border-b border-line px-4 py-1.5 hover:bg-raised">
      <button type="button" className="flex w-full gap-3 text-left" onClick={() => onOpen(entry.requestId)}>
        <span className="text-quiet tabular-nums">{CLOCK.format(entry.timestamp * 1000)}</span>
        <span className={`w-16 shrink-0 ${entry.error ? "text-bad" : "text-good"}`}>{outcome(entry)}</span>
        <span className="w-10 shrink-0 text-quiet">{entry.udfType[0]}</span>
        <span className="grow">
          {entry.componentPath !== undefined && <span className="text-quiet">{entry.componentPath}/</span>}
          {entry.identifier}
        </span>
      </button>
      {entry.logLines.map((line, place) => (
        <p key={place} className={`pl-24 break-words whitespace-pre-wrap ${COLOURS[line.level]}`}>
          {line.level !== "LOG" && <span className="font-semibold">{line.level} </span>}
          {line.messages.join(" ")}
        </p>
      ))}
      {entry.error != null && <p className="pl-24 break-words whitespace-pre-wrap text-bad">{entry.error}</p>}
    </div>
  );
}

/** How an entry went, in a word or its time. */
export function outcome(entry: Entry): string {
  if (entry.kind === "Progress") return "…";
  if (entry.error) return "failed";
  if (entry.cachedResult) return "cached";
  return `${((entry.executionTime ?? 0) * 1000).toFixed(entry.executionTime! < 0.1 ? 1 : 0)} ms`;
}
