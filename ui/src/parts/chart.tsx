/** A series over time: when each part begins, in seconds since 1970, and its value; null where nothing ran. */
export type Series = [{ secs_since_epoch: number }, number | null][];

const WIDTH = 300;
const HEIGHT = 48;

/** A small column chart. What it shows is said in words beside it; it is a picture for screen readers. */
export function Columns({
  series,
  label,
  colour = "text-accent",
  unit = "",
}: {
  series: Series;
  label: string;
  colour?: string;
  unit?: string;
}) {
  const highest = Math.max(...series.map(([, value]) => value ?? 0), 1e-9);
  const step = WIDTH / Math.max(1, series.length);
  return (
    <svg
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
      className={`h-12 w-full fill-current ${colour}`}
    >
      <line x1="0" x2={WIDTH} y1={HEIGHT - 0.5} y2={HEIGHT - 0.5} className="stroke-line" />
      {series.map(([{ secs_since_epoch }, value], place) => {
        const height = ((value ?? 0) / highest) * (HEIGHT - 2);
        return (
          <rect key={secs_since_epoch} x={place * step} y={HEIGHT - 1 - height} width={step * 0.8} height={height}>
            <title>{`${new Date(secs_since_epoch * 1000).toLocaleTimeString()}: ${value ?? "–"}${value === null ? "" : unit}`}</title>
          </rect>
        );
      })}
    </svg>
  );
}

/** The window of the last hour in minutes, as the server takes it; the same for all who ask within a minute. */
export function lastHour(nowMs: number): string {
  const end = Math.ceil(nowMs / 60_000) * 60;
  const time = (secs: number) => ({ secs_since_epoch: secs, nanos_since_epoch: 0 });
  return encodeURIComponent(JSON.stringify({ start: time(end - 3600), end: time(end), num_buckets: 60 }));
}
