import { usePolled } from "../../deployment/use_polled";
import { Columns, lastHour, type Series } from "../../parts/chart";
import { Problem } from "../../parts/states";
import { useComponent } from "../../shell/component";
import type { NamedFunction } from "./functions";

const LOOK_MS = 10_000;

/** How often a function ran in the last hour, how long that took, and what failed, minute by minute. */
export function Activity({ shown }: { shown: NamedFunction }) {
  const { component } = useComponent();
  const query = (more: string) =>
    `path=${encodeURIComponent(shown.path)}&udfType=${shown.udfType}&componentPath=${encodeURIComponent(component?.path ?? "")}&window=${lastHour(Date.now())}${more}`;
  const calls = usePolled<Series>(`/api/app_metrics/udf_rate?${query("&metric=invocations")}`, LOOK_MS);
  const errors = usePolled<Series>(`/api/app_metrics/udf_rate?${query("&metric=errors")}`, LOOK_MS);
  const times = usePolled<[number, Series][]>(
    `/api/app_metrics/latency_percentiles?${query("&percentiles=[50,95]")}`,
    LOOK_MS,
  );
  const problem = calls.problem ?? errors.problem ?? times.problem;
  if (problem !== null) return <Problem>{problem}</Problem>;
  if (calls.answer === undefined || errors.answer === undefined || times.answer === undefined) return null;
  const [ran, failed] = [sum(calls.answer), sum(errors.answer)];
  const [p50 = [], p95 = []] = times.answer.map(([, series]) => series);
  return (
    <section aria-label="The last hour" className="grid gap-4 sm:grid-cols-3">
      <Part title="Calls" words={`${ran.toLocaleString()} in the last hour`} series={calls.answer} />
      <Part
        title="Time"
        words={ran === 0 ? "–" : `median ${msText(middle(p50))}, slowest 5 % from ${msText(highest(p95))}`}
        series={p95}
        inMs
      />
      <Part
        title="Errors"
        words={failed === 0 ? "none in the last hour" : `${failed.toLocaleString()} of ${ran.toLocaleString()} failed`}
        series={errors.answer}
        colour="text-bad"
      />
    </section>
  );
}

function Part(props: { title: string; words: string; series: Series; colour?: string; inMs?: boolean }) {
  const series: Series =
    props.inMs === true
      ? props.series.map(([time, value]) => [time, value === null ? null : Math.round(value * 1e4) / 10])
      : props.series;
  return (
    <div className="rounded-lg border border-line bg-surface p-3">
      <h3 className="font-medium">{props.title}</h3>
      <p className="text-xs text-quiet">{props.words}</p>
      <Columns
        series={series}
        label={`${props.title}, minute by minute: ${props.words}`}
        colour={props.colour}
        unit={props.inMs === true ? " ms" : ""}
      />
    </div>
  );
}

function values(series: Series): number[] {
  return series.flatMap(([, value]) => (value === null ? [] : [value]));
}

function sum(series: Series): number {
  return values(series).reduce((total, each) => total + each, 0);
}

function highest(series: Series): number {
  return Math.max(0, ...values(series));
}

function middle(series: Series): number {
  const sorted = values(series).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

function msText(seconds: number): string {
  const ms = seconds * 1000;
  return ms < 10 ? `${ms.toFixed(1)} ms` : ms < 10_000 ? `${ms.toFixed(0)} ms` : `${seconds.toFixed(1)} s`;
}
