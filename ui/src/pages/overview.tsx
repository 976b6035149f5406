import { useQuery } from "convex/react";
import { CircleAlert, CircleCheck, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { system } from "../deployment/system";
import { Time } from "../parts/times";
import { usePolled } from "../deployment/use_polled";
import { Columns, lastHour, type Series } from "../parts/chart";
import { Loading, Problem } from "../parts/states";
import { useComponent, useWay } from "../shell/component";
import { PageHead } from "../shell/shell";

/** How the deployment is, in one look: what runs here, where it is reached, what was pushed last. */
export function Overview() {
  const { componentId, components = [] } = useComponent();
  const app = { componentId: null };
  const cloudUrl = useQuery(system.cloudUrl, app);
  const siteUrl = useQuery(system.siteUrl, app);
  const push = useQuery(system.lastPush, app);
  const modules = useQuery(system.modules, { componentId });
  const tables = useQuery(system.tables, { componentId });
  const version = useQuery(system.version, app);
  const nodes = usePolled<{ nodes: ListedNode[] }>("/api/parabola/nodes", 10_000);
  const functions = modules?.flatMap(([, module]) => module.functions);
  const userTables = tables && Object.values(tables).filter((name) => !name.startsWith("_"));
  return (
    <>
      <PageHead name="Overview" />
      <Attention />
      <div className="grid gap-4 p-5 md:grid-cols-2 xl:grid-cols-4">
        <Card title="Addresses">
          <Fact name="API and sockets">{cloudUrl ?? "…"}</Fact>
          <Fact name="HTTP actions">{siteUrl ?? "…"}</Fact>
        </Card>
        <Card title="Last push">
          {push === undefined ? (
            "…"
          ) : push === null ? (
            <p>
              Nothing has been pushed yet. <code className="font-mono">parabola dev</code> or{" "}
              <code className="font-mono">npx convex dev</code> does it.
            </p>
          ) : (
            <>
              <Fact name="When">
                <Time ms={push._creationTime} />
              </Fact>
              {typeof push.metadata.message === "string" && <Fact name="Message">{push.metadata.message}</Fact>}
              <Link href="/history" className="text-accent underline">
                All of the history
              </Link>
            </>
          )}
        </Card>
        <Card title="Deployed">
          <Fact name="Functions">{functions?.length ?? "…"}</Fact>
          <Fact name="Tables">{userTables?.length ?? "…"}</Fact>
          <Fact name="Components">{components.length - 1}</Fact>
        </Card>
        <Card title="Versions">
          <Fact name="Speaks npm convex">{version ?? "…"}</Fact>
          {nodes.answer?.nodes.map((node) => (
            <Fact key={node.incarnation} name={`Server ${node.name}`}>
              {node.version} {node.ready === false && <span className="text-bad">not ready</span>}
            </Fact>
          ))}
        </Card>
      </div>
      <Busiest />
    </>
  );
}

interface ListedNode {
  name: string;
  incarnation: string;
  version: string;
  ready: boolean | null;
}

interface Looked {
  kind: string;
  level: "bad" | "warn";
  text: string;
  page: string;
}

/** What somebody should look at, what fails first. */
function Attention() {
  const way = useWay();
  const { answer, problem } = usePolled<{ found: Looked[] }>("/api/parabola/attention", 10_000);
  if (problem !== null) return <Problem>{problem}</Problem>;
  if (answer === undefined) return <Loading what="what needs attention" />;
  const { found } = answer;
  return (
    <section aria-labelledby="attention" className="px-5 pt-5">
      <h2 id="attention" className="mb-2 flex items-center gap-2 font-semibold">
        {found.length === 0 ? (
          <>
            <CircleCheck size={18} aria-hidden className="text-good" /> All is well
          </>
        ) : (
          "Needs attention"
        )}
      </h2>
      {found.length > 0 && (
        <ul className="divide-y divide-line rounded-lg border border-line bg-surface">
          {found.map((each) => (
            <li key={`${each.kind} ${each.text}`} className="flex items-start gap-3 px-4 py-2">
              {each.level === "bad" ? (
                <CircleAlert size={18} aria-label="fails" className="mt-0.5 shrink-0 text-bad" />
              ) : (
                <TriangleAlert size={18} aria-label="could be better" className="mt-0.5 shrink-0 text-warm" />
              )}
              <span className="min-w-0 grow break-words">{each.text}</span>
              {each.page !== "/" && (
                <Link href={way(each.page)} className="shrink-0 text-accent underline">
                  Look<span className="sr-only"> at {each.page.slice(1)}</span>
                </Link>
              )}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

type Top = [string, Series][];

/** What ran most in the last hour, and what failed. */
function Busiest() {
  const calls = usePolled<Top>(`/api/app_metrics/function_call_count_top_k?k=8&window=${lastHour(Date.now())}`, 10_000);
  const failures = usePolled<Top>(
    `/api/app_metrics/failure_percentage_top_k?k=5&window=${lastHour(Date.now())}`,
    10_000,
  );
  if (calls.problem !== null) return <Problem>{calls.problem}</Problem>;
  if (calls.answer === undefined) return null;
  return (
    <div className="grid gap-4 px-5 pb-5 lg:grid-cols-2">
      <Card title="Called most in the last hour">
        {calls.answer.length === 0 && <p className="text-quiet">No function has run.</p>}
        {calls.answer.map(([name, series]) => (
          <Charted
            key={name}
            name={name}
            series={series}
            words={`${sum(series).toLocaleString()} ${sum(series) === 1 ? "call" : "calls"}`}
          />
        ))}
      </Card>
      <Card title="Failed in the last hour">
        {failures.answer?.length === 0 && <p className="text-good">Nothing has failed.</p>}
        {failures.answer?.map(([name, series]) => (
          <Charted
            key={name}
            name={name}
            series={series}
            words={`up to ${Math.round(Math.max(...series.map(([, value]) => value ?? 0)))} % of a minute’s calls`}
            colour="text-bad"
          />
        ))}
      </Card>
    </div>
  );
}

function Charted(props: { name: string; series: Series; words: string; colour?: string }) {
  return (
    <div>
      <p className="flex flex-wrap justify-between gap-x-4">
        <Link href={`/logs?function=${encodeURIComponent(props.name)}`} className="font-mono text-accent underline">
          {props.name}
        </Link>
        <span className="text-quiet tabular-nums">{props.words}</span>
      </p>
      <Columns series={props.series} label={`${props.name}: ${props.words}`} colour={props.colour} />
    </div>
  );
}

function sum(series: Series): number {
  return series.reduce((total, [, value]) => total + (value ?? 0), 0);
}

function Card({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="flex flex-col gap-2 rounded-lg border border-line bg-surface p-4">
      <h2 className="font-semibold">{title}</h2>
      {children}
    </section>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="flex flex-wrap justify-between gap-x-4">
      <span className="text-quiet">{name}</span>
      <span className="break-all">{children}</span>
    </div>
  );
}
