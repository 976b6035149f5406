import { expect, test } from "vitest";
import { encodeFilters, NO_FILTERS, typedValue } from "./filters";

const decoded = (text: string | null) =>
  JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(text!), (each) => each.charCodeAt(0)))) as unknown;

test("without filters nothing is sent", () => {
  expect(encodeFilters(NO_FILTERS)).toBeNull();
  expect(encodeFilters({ clauses: [{ field: " ", op: "eq", value: "1" }], order: "desc" })).toBeNull();
});

test("what is typed is JSON, or a text", () => {
  expect([typedValue("5"), typedValue("true"), typedValue('"5"'), typedValue("ann"), typedValue("")]).toEqual([
    5,
    true,
    "5",
    "ann",
    "",
  ]);
});

test("clauses go as base64 of JSON, whatever script they are in", () => {
  const filters = encodeFilters({ clauses: [{ field: "name", op: "eq", value: "Zoë 🌊" }], order: "asc" });
  expect(decoded(filters)).toEqual({
    order: "asc",
    clauses: [{ field: "name", op: "eq", value: "Zoë 🌊", enabled: true }],
  });
});

test("a type is named, not a value", () => {
  const filters = encodeFilters({ clauses: [{ field: "n", op: "type", value: "null" }], order: "desc" });
  expect(decoded(filters)).toMatchObject({ clauses: [{ op: "type", value: "null" }] });
});
