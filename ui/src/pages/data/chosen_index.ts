import type { DeclaredIndex } from "../../deployment/system";
import type { Clause, Operator } from "./filters";

/** One condition on a field of an index, as the server takes it. */
type Condition =
  | { type: "indexEq"; enabled: true; clause: Clause }
  | {
      type: "indexRange";
      enabled: true;
      lower: { op: "gt" | "gte"; clause: Clause } | null;
      upper: { op: "lt" | "lte"; clause: Clause } | null;
    };

/** An index that answers some of the conditions; the rest are looked at document by document. */
export interface ChosenIndex {
  name: string;
  conditions: Condition[];
  rest: Clause[];
}

const BY_CREATION_TIME: Pick<DeclaredIndex, "name" | "fields"> = {
  name: "by_creation_time",
  fields: ["_creationTime"],
};
const LOWER: ReadonlySet<Operator> = new Set(["gt", "gte"]);
const UPPER: ReadonlySet<Operator> = new Set(["lt", "lte"]);

/**
 * The index that finds most of what the conditions say: those that hold its first fields against one value each, and the
 * next one against bounds. None where no index begins with any of them.
 */
export function chooseIndex(clauses: readonly Clause[], indexes: readonly DeclaredIndex[]): ChosenIndex | null {
  let best: (ChosenIndex & { worth: number }) | null = null;
  for (const { name, fields } of [...indexes.filter(canBeAsked), BY_CREATION_TIME]) {
    const found = useOf(name, fields as string[], clauses);
    if (found.worth > (best?.worth ?? 0)) best = found;
  }
  return best === null ? null : { name: best.name, conditions: best.conditions, rest: best.rest };
}

/** Whether an index finds documents by its fields: one of the database that is filled and not staged. */
function canBeAsked({ fields, backfill, staged }: DeclaredIndex): boolean {
  return Array.isArray(fields) && backfill.state === "done" && staged !== true;
}

function useOf(name: string, fields: readonly string[], clauses: readonly Clause[]): ChosenIndex & { worth: number } {
  const rest = [...clauses];
  const conditions: Condition[] = [];
  const take = (fits: (clause: Clause) => boolean): Clause | undefined => {
    const place = rest.findIndex(fits);
    return place < 0 ? undefined : rest.splice(place, 1)[0];
  };
  let worth = 0;
  for (const field of fields) {
    const equal = take((clause) => clause.field.trim() === field && clause.op === "eq");
    if (equal !== undefined) {
      conditions.push({ type: "indexEq", enabled: true, clause: equal });
      worth += 2;
      continue;
    }
    const lower = take((clause) => clause.field.trim() === field && LOWER.has(clause.op));
    const upper = take((clause) => clause.field.trim() === field && UPPER.has(clause.op));
    if (lower !== undefined || upper !== undefined) {
      conditions.push({
        type: "indexRange",
        enabled: true,
        lower: lower === undefined ? null : { op: lower.op as "gt" | "gte", clause: lower },
        upper: upper === undefined ? null : { op: upper.op as "lt" | "lte", clause: upper },
      });
      worth += 1;
    }
    break;
  }
  return { name, conditions, rest, worth };
}
