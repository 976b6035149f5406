/** A time in seconds as people say it: the largest unit, from two of it on. */
export function ageText(seconds: number): string {
  const units = [
    [172_800, 86_400, "days"],
    [7_200, 3_600, "hours"],
    [120, 60, "minutes"],
  ] as const;
  for (const [from, unit, name] of units) {
    if (seconds >= from) return `${Math.floor(seconds / unit)} ${name}`;
  }
  const whole = Math.max(0, Math.round(seconds));
  return whole === 1 ? "1 second" : `${whole} seconds`;
}

/** What restores the newest state of a place, or its state at a local time such as `2026-05-04T13:30:00`. */
export function restoreCommand(place: string, at: string): string {
  const words = ["parabola restore", shellWord(place), "--data restored"];
  const moment = at === "" ? null : new Date(at);
  if (moment !== null && !Number.isNaN(moment.getTime())) {
    words.push(`--at ${moment.toISOString().replace(".000Z", "Z")}`, "--paused");
  }
  return words.join(" ");
}

/** A word that a shell takes as it is, in quotes where it must be. */
function shellWord(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
