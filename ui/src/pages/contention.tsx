import { usePolled } from "../deployment/use_polled";
import { Empty, Loading, Problem } from "../parts/states";
import { Table } from "../parts/table";
import { msOf, Time } from "../parts/times";
import { PageHead } from "../shell/shell";

interface Contended {
  lanes: number;
  pairs: { function: string; table: string; conflicts: number; against: Record<string, number>; advice: string }[];
  newest: { ts: string; function: string; against: string; table: string; documentId: string }[];
}

/** Which mutations lose against which, where, and what to do about it. None fails by it: they run again. */
export default function Contention() {
  const { answer, problem } = usePolled<Contended>("/api/parabola/contention", 3_000);
  return (
    <>
      <PageHead name="Contention" />
      {problem !== null && <Problem>{problem}</Problem>}
      {answer === undefined ? (
        <Loading what="the conflicts" />
      ) : answer.pairs.length === 0 ? (
        <Empty title="No mutation has lost against another since the server started.">
          Mutations that change what others have read make those run again. None fails by it, but it takes time.
        </Empty>
      ) : (
        <>
          <h2 className="px-5 pt-4 pb-1 font-semibold">Conflicts</h2>
          <Table heads={["Function", "Table", "Run again", "Lost against", "What to do"]} label="Conflicts">
            {answer.pairs.map((pair) => (
              <tr key={`${pair.function} ${pair.table}`}>
                <td className="font-mono">{pair.function || "–"}</td>
                <td className="font-mono">{pair.table || "–"}</td>
                <td className="tabular-nums">{pair.conflicts.toLocaleString()}</td>
                <td className="font-mono">
                  {Object.entries(pair.against).map(([winner, number]) => (
                    <p key={winner}>
                      {winner || "–"} <span className="text-quiet">{number} of the newest</span>
                    </p>
                  ))}
                </td>
                <td className="min-w-72">{pair.advice}</td>
              </tr>
            ))}
          </Table>
          <p className="px-5 py-3 text-quiet">
            {answer.lanes.toLocaleString()} times a mutation that kept losing was let run alone.
          </p>
          <h2 className="px-5 pt-2 pb-1 font-semibold">The newest conflicts</h2>
          <Table heads={["When", "Function", "Lost against", "Table", "Document"]} label="Newest conflicts">
            {answer.newest.toReversed().map((race, place) => (
              <tr key={`${race.ts} ${place}`}>
                <td>
                  <Time ms={msOf(BigInt(race.ts))} />
                </td>
                <td className="font-mono">{race.function || "–"}</td>
                <td className="font-mono">{race.against || "–"}</td>
                <td className="font-mono">{race.table}</td>
                <td className="font-mono">{race.documentId}</td>
              </tr>
            ))}
          </Table>
        </>
      )}
      <Scans />
    </>
  );
}

interface Scan {
  component: string;
  function: string;
  table: string;
  index: string | null;
  times: number;
  rowsRead: number;
  rowsReturned: number;
  advice: string;
  proposed: { name: string; fields: string[] } | null;
}

/** Queries that read far more than they return, and the index that would find the same. */
function Scans() {
  const { answer, problem } = usePolled<{ scans: Scan[] }>("/api/parabola/full_scans", 5_000);
  return (
    <section aria-labelledby="scans">
      <h2 id="scans" className="px-5 pt-6 pb-1 font-semibold">
        Full scans
      </h2>
      {problem !== null && <Problem>{problem}</Problem>}
      {answer === undefined ? (
        problem === null && <Loading what="what reads too much" />
      ) : answer.scans.length === 0 ? (
        <Empty title="No query has read far more than it returned since the server started.">
          What a query reads, it depends on: one that reads a whole table runs again with every change of it.
        </Empty>
      ) : (
        <Table heads={["Function", "Reads", "Times", "Read", "Returned", "What to do"]} label="Full scans">
          {answer.scans.map((scan) => (
            <tr key={[scan.component, scan.function, scan.table, scan.index, scan.advice].join(" ")}>
              <td className="font-mono">
                {scan.function}
                {scan.component !== "" && <span className="text-quiet"> of {scan.component}</span>}
              </td>
              <td className="font-mono">
                {scan.table}
                {scan.index !== null && `.${scan.index}`}
              </td>
              <td className="tabular-nums">{scan.times.toLocaleString()}</td>
              <td className="tabular-nums">{scan.rowsRead.toLocaleString()}</td>
              <td className="tabular-nums">{scan.rowsReturned.toLocaleString()}</td>
              <td className="min-w-72">
                {scan.advice}
                {scan.proposed !== null && (
                  <code className="mt-1 block rounded-md bg-raised px-2 py-1 font-mono text-xs break-all">
                    .index({JSON.stringify(scan.proposed.name)}, {JSON.stringify(scan.proposed.fields)})
                  </code>
                )}
              </td>
            </tr>
          ))}
        </Table>
      )}
    </section>
  );
}
