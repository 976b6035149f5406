import { convexToJson, type Value } from "convex/values";
import type { ChosenIndex } from "./chosen_index";

/** The filters of the table view, and their form on the wire: base64 of JSON (deploy-api 19.1). */
export const OPERATORS = [
  ["eq", "is"],
  ["neq", "is not"],
  ["lt", "<"],
  ["lte", "≤"],
  ["gt", ">"],
  ["gte", "≥"],
  ["type", "is of type"],
  ["notype", "is not of type"],
] as const;
export type Operator = (typeof OPERATORS)[number][0];
export const TYPES = [
  "string",
  "number",
  "boolean",
  "bigint",
  "null",
  "unset",
  "id",
  "bytes",
  "array",
  "object",
] as const;

export interface Clause {
  field: string;
  op: Operator;
  /** As it is typed: JSON, or a word that is taken as text. */
  value: string;
}

export interface Filters {
  clauses: Clause[];
  order: "asc" | "desc";
}

export const NO_FILTERS: Filters = { clauses: [], order: "desc" };

/** What a person means who types this into the field of a value. */
export function typedValue(text: string): Value {
  try {
    const parsed: unknown = JSON.parse(text);
    return parsed as Value;
  } catch {
    return text;
  }
}

/** The conditions that say something: those that name a field. */
export function saidClauses({ clauses }: Filters): Clause[] {
  return clauses.filter((clause) => clause.field.trim() !== "");
}

/** The filters as the server reads them, through an index or not; null where there is nothing to say. */
export function encodeFilters(filters: Filters, index: ChosenIndex | null = null): string | null {
  const said = index?.rest ?? saidClauses(filters);
  if (said.length === 0 && index === null && filters.order === "desc") return null;
  const json = {
    order: filters.order,
    clauses: said.map((clause) => ({
      field: clause.field.trim(),
      op: clause.op,
      value: clause.op === "type" || clause.op === "notype" ? clause.value : valueJson(clause),
      enabled: true,
    })),
    ...(index === null ? {} : { index: { name: index.name, clauses: index.conditions.map(conditionJson) } }),
  };
  return btoa(String.fromCharCode(...new TextEncoder().encode(JSON.stringify(json))));
}

function conditionJson(condition: ChosenIndex["conditions"][number]): unknown {
  if (condition.type === "indexEq") {
    return { type: "indexEq", enabled: true, value: valueJson(condition.clause) };
  }
  const { lower, upper } = condition;
  return {
    type: "indexRange",
    enabled: true,
    ...(lower === null ? {} : { lowerOp: lower.op, lowerValue: valueJson(lower.clause) }),
    ...(upper === null ? {} : { upperOp: upper.op, upperValue: valueJson(upper.clause) }),
  };
}

function valueJson(clause: Clause): unknown {
  return convexToJson(typedValue(clause.value));
}
