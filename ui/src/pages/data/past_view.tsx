import { type JSONValue, jsonToConvex } from "convex/values";
import { useDeferredValue, useEffect, useState } from "react";
import { request } from "../../deployment/requests";
import type { Document } from "../../deployment/system";
import { Button } from "../../parts/button";
import { Empty, Loading, Problem } from "../../parts/states";
import { useSession } from "../../session/session";
import { useComponent } from "../../shell/component";
import { Grid } from "./grid";
import { Revisions } from "./revisions";

interface Page {
  documents: JSONValue[];
  continueCursor: string | null;
  isDone: boolean;
  oldest: number;
  newest: number;
}

const PAGE = 100;
const SECOND = 1_000;
const STEP = 100;
const KEY_STEP = 5 * SECOND;
const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

/** A table as it was at a moment of the last hour, which a slider chooses. Nothing here can be changed. */
export function PastView({ table, columns }: { table: string; columns: string[] }) {
  const { key } = useSession();
  const { componentId } = useComponent();
  const [window_, setWindow] = useState<{ oldest: number; newest: number }>();
  const [at, setAt] = useState<number>();
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    let isCurrent = true;
    request<{ oldest: number; newest: number }>(key, "/api/parabola/past_documents")
      .then((told) => {
        if (!isCurrent) return;
        setWindow(told);
        setAt((before) => before ?? told.newest);
      })
      .catch((error: unknown) => isCurrent && setProblem((error as Error).message));
    return () => {
      isCurrent = false;
    };
  }, [key]);
  const asked = useDeferredValue(at);
  if (problem !== null) return <Problem>{problem}</Problem>;
  if (window_ === undefined || at === undefined) return <Loading what="the last hour" />;
  const secondsAgo = Math.round((window_.newest - at) / SECOND);
  return (
    <>
      <div className="flex flex-wrap items-center gap-3 border-b border-line px-5 py-2">
        <label className="flex grow items-center gap-3">
          <span>As of</span>
          <input
            type="range"
            min={window_.oldest}
            max={window_.newest}
            step={STEP}
            value={at}
            aria-valuetext={`${TIME.format(at)}, ${agoText(secondsAgo)}`}
            onChange={(event) => setAt(Number(event.target.value))}
            onKeyDown={(event) => {
              const by = { ArrowLeft: -KEY_STEP, ArrowDown: -KEY_STEP, ArrowRight: KEY_STEP, ArrowUp: KEY_STEP }[
                event.key
              ];
              if (by === undefined) return;
              event.preventDefault();
              setAt(Math.max(window_.oldest, Math.min(window_.newest, at + by)));
            }}
            className="min-w-40 grow accent-(--accent)"
          />
        </label>
        <output className="tabular-nums">
          {TIME.format(at)} <span className="text-quiet">{agoText(secondsAgo)}</span>
        </output>
      </div>
      <PastTable key={table} table={table} columns={columns} at={asked ?? at} componentId={componentId ?? ""} />
    </>
  );
}

function agoText(seconds: number): string {
  if (seconds < 1) return "now";
  return seconds < 60 ? `${seconds} s ago` : `${Math.floor(seconds / 60)} min ${seconds % 60} s ago`;
}

function PastTable(props: { table: string; columns: string[]; at: number; componentId: string }) {
  const { table, at, componentId } = props;
  const { key } = useSession();
  const [shown, setShown] = useState<{ at: number; documents: Document[]; cursor: string | null; isDone: boolean }>();
  const [problem, setProblem] = useState<string | null>(null);
  const [opened, setOpened] = useState<string | null>(null);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    const before = shown?.at === at ? shown : undefined;
    if (before?.isDone) return;
    const load = async () => {
      const query = new URLSearchParams({ table, componentId, at: String(at), limit: String(PAGE) });
      if (before?.cursor) query.set("cursor", before.cursor);
      try {
        const page = await request<Page>(key, `/api/parabola/past_documents?${query}`, { signal: stop.signal });
        const documents = page.documents.map((each) => jsonToConvex(each) as Document);
        setProblem(null);
        setShown({
          at,
          documents: [...(before?.documents ?? []), ...documents],
          cursor: page.continueCursor,
          isDone: page.isDone,
        });
      } catch (error) {
        if (!stop.signal.aborted) setProblem((error as Error).message);
      }
    };
    // Whoever drags the slider is asked for the place where it rests.
    const timer = setTimeout(() => void load(), 120);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
    // What is shown changes by this very effect: more of it comes with the next turn.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [key, table, componentId, at, turn]);
  if (problem !== null) return <Problem>{problem}</Problem>;
  if (shown === undefined) return <Loading what="the documents" />;
  return (
    <>
      <p role="status" className="px-5 py-2 text-quiet">
        {shown.isDone ? "" : "at least "}
        {shown.documents.length.toLocaleString()} {shown.documents.length === 1 ? "document" : "documents"}, in the
        order of their ids
      </p>
      {shown.documents.length === 0 ? (
        <Empty title="The table was empty then." />
      ) : (
        <Grid
          label={`Documents of ${table} as they were`}
          rows={shown.documents}
          columns={props.columns}
          hasMore={false}
          onMore={() => undefined}
          onOpen={setOpened}
        />
      )}
      {!shown.isDone && (
        <div className="p-3 text-center">
          <Button onClick={() => setTurn(turn + 1)}>Show more</Button>
        </div>
      )}
      {opened !== null && <Revisions id={opened} seen={shown.at} onClose={() => setOpened(null)} />}
    </>
  );
}
