const FORMAT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** A moment in milliseconds since 1970, in the reader's own time; the exact one on hovering. */
export function Time({ ms }: { ms: number }) {
  const date = new Date(ms);
  return (
    <time dateTime={date.toISOString()} title={date.toISOString()} className="whitespace-nowrap tabular-nums">
      {FORMAT.format(date)}
    </time>
  );
}

/** Nanoseconds since 1970 as milliseconds. */
export function msOf(nanoseconds: bigint): number {
  return Number(nanoseconds / 1_000_000n);
}

/** A size in bytes as people say it. */
export function sizeText(bytes: number): string {
  const units = ["bytes", "KB", "MB", "GB", "TB"];
  const power = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  const amount = bytes / 1000 ** power;
  return `${power === 0 ? amount : amount.toPrecision(3)} ${units[power]}`;
}
