import type { Value } from "convex/values";
import { inOneLine } from "../../parts/values";

/** A field that differs between two states of a document; undefined where one has it not. */
export interface FieldChange {
  field: string;
  before: string | undefined;
  after: string | undefined;
}

type State = Record<string, Value> | null;

/** What differs between two states, by field; system fields never do. */
export function differences(before: State, after: State): FieldChange[] {
  const names = new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})]);
  const changes = [];
  for (const field of [...names].filter((name) => !name.startsWith("_")).sort()) {
    const [old, new_] = [textOf(before?.[field]), textOf(after?.[field])];
    if (old !== new_) changes.push({ field, before: old, after: new_ });
  }
  return changes;
}

function textOf(value: Value | undefined): string | undefined {
  return value === undefined ? undefined : typeof value === "string" ? JSON.stringify(value) : inOneLine(value);
}
