import { convexToJson, type Value } from "convex/values";

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

/** The filters as the server reads them; null where there is nothing to say. */
export function encodeFilters({ clauses, order }: Filters): string | null {
  const said = clauses.filter((clause) => clause.field.trim() !== "");
  if (said.length === 0 && order === "desc") return null;
  const json = {
    order,
    clauses: said.map(({ field, op, value }) => ({
      field: field.trim(),
      op,
      value: op === "type" || op === "notype" ? value : convexToJson(typedValue(value)),
      enabled: true,
    })),
  };
  return btoa(String.fromCharCode(...new TextEncoder().encode(JSON.stringify(json))));
}
