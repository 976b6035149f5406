import { jsonToConvex } from "convex/values";
import { expect, test } from "vitest";
import { exampleOf, inWords, readSchema, type ValidatorJson } from "./schema_text";

const number: ValidatorJson = { type: "number" };
const text: ValidatorJson = { type: "string" };
const note: ValidatorJson = {
  type: "object",
  value: {
    text: { fieldType: text, optional: false },
    by: { fieldType: { type: "id", tableName: "people" }, optional: true },
    tags: { fieldType: { type: "array", value: { type: "union", value: [text, number] } }, optional: false },
  },
};

test("a schema is its tables, with fields where documents have one shape", () => {
  const schema = JSON.stringify({
    tables: [
      { tableName: "notes", documentType: note },
      { tableName: "loose", documentType: { type: "any" } },
      { tableName: "either", documentType: { type: "union", value: [note, note] } },
    ],
  });
  const [notes, loose, either] = readSchema(schema);
  expect(notes!.fields!.map((field) => [field.name, field.optional, field.table])).toEqual([
    ["text", false, undefined],
    ["by", true, "people"],
    ["tags", false, undefined],
  ]);
  expect(loose!.fields).toBeNull();
  expect(either!.fields).toBeNull();
});

test("validators are written as types are", () => {
  const words: [ValidatorJson, string][] = [
    [{ type: "bigint" }, "int64"],
    [{ type: "literal", value: "red" }, '"red"'],
    [{ type: "array", value: { type: "union", value: [text, number] } }, "(string | number)[]"],
    [{ type: "record", keys: text, values: { fieldType: number, optional: false } }, "{ [string]: number }"],
    [note, "{ text: string, by?: id of people, tags: (string | number)[] }"],
  ];
  for (const [validator, said] of words) expect(inWords(validator)).toBe(said);
});

test("an example can be sent, and leaves out what is optional", () => {
  expect(exampleOf(note)).toEqual({ text: "", tags: [] });
  expect(jsonToConvex(exampleOf({ type: "bigint" }) as never)).toBe(0n);
  expect(exampleOf({ type: "union", value: [{ type: "literal", value: 3 }, text] })).toBe(3);
});
