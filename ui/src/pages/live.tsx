import { useEffect, useState } from "react";
import { request } from "../deployment/requests";
import { usePolled } from "../deployment/use_polled";
import { Empty, Loading, Problem } from "../parts/states";
import { Table } from "../parts/table";
import { msOf, sizeText, Time } from "../parts/times";
import { useSession } from "../session/session";
import { PageHead } from "../shell/shell";

interface Read {
  table: string;
  index: string;
  ranges: string[];
  more: number;
}

interface Followed {
  component: string;
  function: string;
  args: string;
  clients: number;
  runs: number;
  unchangedRuns: number;
  hits: number;
  bytes: number;
  failed: boolean;
  usesClock: boolean;
  usesIdentity: boolean;
  reads: Read[];
}

interface Rerun {
  ts: string;
  component: string;
  function: string;
  args: string;
  clients: number;
  writer: string | null;
  place: { table: string; index: string; key: string[] } | null;
}

const KEPT = 200;

/** Every query that clients follow, what it depends on, and why it ran again. */
export default function Live() {
  const { answer, problem } = usePolled<{ total: number; queries: Followed[] }>("/api/parabola/live_queries", 2_000);
  return (
    <>
      <PageHead name="Live">
        <span className="text-quiet">
          {answer === undefined
            ? ""
            : answer.total === 1
              ? "1 query is followed"
              : `${answer.total.toLocaleString()} queries are followed`}
        </span>
      </PageHead>
      {problem !== null && <Problem>{problem}</Problem>}
      {answer === undefined ? (
        <Loading what="the queries" />
      ) : answer.queries.length === 0 ? (
        <Empty title="Nobody follows a query.">
          A client that uses <code className="font-mono">useQuery</code> does. What the dashboard follows itself is left
          out.
        </Empty>
      ) : (
        <ul aria-label="Queries that are followed" className="divide-y divide-line">
          {answer.queries.map((query) => (
            <Query key={`${query.component} ${query.function} ${query.args}`} query={query} />
          ))}
        </ul>
      )}
      <Reruns />
    </>
  );
}

function Query({ query }: { query: Followed }) {
  const wasted = query.runs > 1 ? Math.round((100 * query.unchangedRuns) / (query.runs - 1)) : 0;
  return (
    <li className="px-5 py-2">
      <details>
        <summary className="flex flex-wrap items-baseline gap-x-4 gap-y-1">
          <span className="font-mono font-semibold">
            {query.component !== "" && <span className="text-quiet">{query.component}/</span>}
            {query.function}
          </span>
          <span className="min-w-0 grow truncate font-mono text-quiet">{query.args}</span>
          <span className="tabular-nums">
            {query.clients} {query.clients === 1 ? "client" : "clients"}
          </span>
          <span className="tabular-nums">
            {query.runs} {query.runs === 1 ? "run" : "runs"}
          </span>
          {query.failed && <span className="text-bad">failed</span>}
          {wasted >= 50 && query.runs > 3 && <span className="text-warm">{wasted} % changed nothing</span>}
        </summary>
        <dl className="mt-2 grid grid-cols-[auto_1fr] gap-x-4 gap-y-1">
          <dt className="text-quiet">Depends on</dt>
          <dd>
            {query.reads.length === 0 && "no documents"}
            {query.reads.map((read) => (
              <p key={`${read.table} ${read.index}`}>
                <span className="font-mono">
                  {read.table}.{read.index}
                </span>
                : {read.ranges.join("; ")}
                {read.more > 0 && ` and ${read.more} more`}
              </p>
            ))}
            {query.usesIdentity && <p>who asks</p>}
            {query.usesClock && <p>the clock, so that its result is handed out for seconds only</p>}
          </dd>
          <dt className="text-quiet">Result</dt>
          <dd>
            {sizeText(query.bytes)}; {query.unchangedRuns} of {query.runs} runs had the result of the one before
          </dd>
        </dl>
      </details>
    </li>
  );
}

/** Why queries ran again, from the moment on at which this page was opened. */
function Reruns() {
  const { key } = useSession();
  const [seen, setSeen] = useState<Rerun[]>([]);
  useEffect(() => {
    const stop = new AbortController();
    let after = "0";
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async () => {
      try {
        const { reruns } = await request<{ reruns: Rerun[] }>(key, `/api/parabola/reruns?after=${after}`, {
          signal: stop.signal,
        });
        after = reruns.at(-1)?.ts ?? after;
        if (reruns.length > 0) setSeen((before) => [...reruns.toReversed(), ...before].slice(0, KEPT));
      } catch {
        // The list above says what is wrong.
      }
      if (!stop.signal.aborted) timer = setTimeout(() => void look(), 1_000);
    };
    void look();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [key]);
  return (
    <section aria-labelledby="reruns">
      <h2 id="reruns" className="px-5 pt-6 pb-1 font-semibold">
        Why they ran again
      </h2>
      {seen.length === 0 ? (
        <p className="px-5 py-2 text-quiet">As soon as a commit changes what a query has read, it says so here.</p>
      ) : (
        <Table heads={["When", "Query", "Because of", "Which wrote"]} label="Why queries ran again">
          {seen.map((rerun, place) => (
            <tr key={`${rerun.ts} ${rerun.function} ${rerun.args} ${place}`}>
              <td>
                <Time ms={msOf(BigInt(rerun.ts))} />
              </td>
              <td className="max-w-xs truncate font-mono" title={rerun.args}>
                {rerun.function} <span className="text-quiet">{rerun.args}</span>
              </td>
              <td className="font-mono">{rerun.writer ?? "a commit that is forgotten"}</td>
              <td className="font-mono">
                {rerun.place === null
                  ? "–"
                  : `${rerun.place.table}.${rerun.place.index}: ${rerun.place.key.join(", ")}`}
              </td>
            </tr>
          ))}
        </Table>
      )}
    </section>
  );
}
