import { convexToJson, jsonToConvex, type Value } from "convex/values";

/** A value in one line, as a person reads it; `undefined` is a field that is not there. */
export function inOneLine(value: Value | undefined): string {
  if (value === undefined) return "";
  if (typeof value === "string") return value;
  return JSON.stringify(value, (_, each: unknown) => {
    if (typeof each === "bigint") return `${each}n`;
    if (each instanceof ArrayBuffer) return `${each.byteLength} bytes`;
    return each;
  });
}

/** The text that a value is edited as: JSON, where int64 is `{"$integer": …}` and bytes are `{"$bytes": …}`. */
export function toText(value: Value): string {
  return JSON.stringify(convexToJson(value), null, 2);
}

/** The value of an edited text. Throws an error whose message says what is wrong. */
export function fromText(text: string): Value {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new Error(`This is no JSON yet: ${(error as Error).message}`);
  }
  return jsonToConvex(parsed as Parameters<typeof jsonToConvex>[0]);
}

/** As `fromText`, for documents and arguments. */
export function objectFromText(text: string): Record<string, Value> {
  const value = fromText(text);
  if (value === null || typeof value !== "object" || Array.isArray(value) || value instanceof ArrayBuffer) {
    throw new Error("This must be an object: { … }");
  }
  return value as Record<string, Value>;
}

/** The fields that the server gives a document, which nobody sets by hand. */
export function withoutSystemFields(document: Record<string, Value>): Record<string, Value> {
  return Object.fromEntries(Object.entries(document).filter(([name]) => !name.startsWith("_")));
}
