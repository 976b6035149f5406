import { useEffect, useState } from "react";
import { request } from "../../deployment/requests";
import type { Entry } from "./entries";

/** Entries that the page keeps; older ones are found by a search on the server. */
export const KEPT = 2_000;
const AT_FIRST = 200;
const RETRY_MS = 2_000;

/** What functions log and how they end, as it comes: the newest last. `problem` is what keeps it from coming. */
export function useLog(
  key: string,
  isPaused: boolean,
): { entries: readonly Entry[] | undefined; problem: string | null } {
  const [entries, setEntries] = useState<readonly Entry[]>();
  const [problem, setProblem] = useState<string | null>(null);

  useEffect(() => {
    if (isPaused) return;
    const stop = new AbortController();
    const ask = <Answer>(path: string) => request<Answer>(key, path, { signal: stop.signal });
    const follow = async () => {
      // The history reaches back furthest, and has what was logged or failed; the stream has all that ran lately.
      const [{ entries: history }, lately] = await Promise.all([
        ask<{ entries: Entry[] }>(`/api/parabola/logs?limit=${AT_FIRST}`),
        ask<{ entries: Entry[]; newCursor: number }>("/api/app_metrics/stream_function_logs?cursor=0"),
      ]);
      let cursor = lately.newCursor;
      setEntries((known) => merged(known ?? [], history, lately.entries));
      for (;;) {
        const more = await ask<{ entries: Entry[]; newCursor: number }>(
          `/api/app_metrics/stream_function_logs?cursor=${cursor}`,
        );
        cursor = more.newCursor;
        setProblem(null);
        if (more.entries.length > 0) setEntries((known) => merged(known ?? [], more.entries));
      }
    };
    const goOn = async () => {
      while (!stop.signal.aborted) {
        try {
          await follow();
        } catch (error) {
          if (stop.signal.aborted) return;
          setProblem((error as Error).message);
          await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
        }
      }
    };
    void goOn();
    return () => stop.abort();
  }, [key, isPaused]);

  return { entries, problem };
}

/** The entries of all lists in the order of time, nothing twice, and no more than are kept. */
export function merged(...lists: (readonly Entry[])[]): readonly Entry[] {
  // Within a log no two entries have the same time.
  const byTime = new Map(lists.flatMap((list) => list.map((entry) => [entry.timestamp, entry] as const)));
  return [...byTime.values()].sort((one, other) => one.timestamp - other.timestamp).slice(-KEPT);
}
