/** Entries of the log of functions, as the server streams them. */
export const LEVELS = ["DEBUG", "INFO", "LOG", "WARN", "ERROR"] as const;
export type Level = (typeof LEVELS)[number];

export interface LogLine {
  messages: string[];
  level: Level;
  timestamp: number;
  isTruncated: boolean;
}

export interface Entry {
  kind: "Completion" | "Progress";
  udfType: string;
  identifier: string;
  componentPath?: string;
  /** Seconds since 1970. */
  timestamp: number;
  logLines: LogLine[];
  requestId: string;
  executionId: string;
  parentExecutionId?: string | null;
  /** Seconds. */
  executionTime?: number;
  error?: string | null;
  caller?: string;
  identityType?: string;
  cachedResult?: boolean;
  usageStats?: Record<string, number>;
}

export interface Wanted {
  functionName: string;
  level: Level;
  text: string;
}

/** Whether an entry is one of those that are looked for. */
export function isWanted(entry: Entry, { functionName, level, text }: Wanted): boolean {
  if (functionName !== "" && !entry.identifier.includes(functionName)) return false;
  if (level !== "DEBUG") {
    const least = LEVELS.indexOf(level);
    const loudest = entry.error
      ? LEVELS.length - 1
      : Math.max(-1, ...entry.logLines.map((line) => LEVELS.indexOf(line.level)));
    if (loudest < least) return false;
  }
  if (text === "") return true;
  const sought = text.toLowerCase();
  return wordsOf(entry).some((words) => words.toLowerCase().includes(sought));
}

/** The functions of one request, each below the one that called it: depth and entry, in the order in which they began. */
export function asTree(entries: readonly Entry[]): { depth: number; entry: Entry }[] {
  const ended = entries.filter((entry) => entry.kind === "Completion");
  const ids = new Set(ended.map((entry) => entry.executionId));
  const began = (entry: Entry) => entry.timestamp - (entry.executionTime ?? 0);
  const sorted = [...ended].sort((one, other) => began(one) - began(other));
  const below = (parent: string | null, depth: number): { depth: number; entry: Entry }[] =>
    sorted
      .filter((entry) => {
        const above = entry.parentExecutionId;
        return parent === null ? !above || !ids.has(above) : above === parent;
      })
      .flatMap((entry) => [{ depth, entry }, ...below(entry.executionId, depth + 1)]);
  return below(null, 0);
}

function wordsOf(entry: Entry): string[] {
  return [entry.requestId, entry.error ?? "", entry.identifier, ...entry.logLines.flatMap((line) => line.messages)];
}
