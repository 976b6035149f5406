import { expect, test } from "vitest";
import type { ValidatorJson } from "./schema_text";
import { readValidator, writeFields, writeValidator } from "./validator_text";

const VALIDATOR: ValidatorJson = {
  type: "object",
  value: {
    text: { fieldType: { type: "string" }, optional: false },
    "odd name": { fieldType: { type: "id", tableName: "users" }, optional: true },
    tags: {
      fieldType: { type: "array", value: { type: "union", value: [{ type: "bigint" }, { type: "null" }] } },
      optional: false,
    },
    kind: {
      fieldType: {
        type: "union",
        value: [
          { type: "literal", value: "a" },
          { type: "literal", value: true },
        ],
      },
      optional: false,
    },
    by: {
      fieldType: {
        type: "record",
        keys: { type: "string" },
        values: {
          fieldType: { type: "object", value: { n: { fieldType: { type: "number" }, optional: true } } },
          optional: false,
        },
      },
      optional: false,
    },
    none: { fieldType: { type: "object", value: {} }, optional: false },
  },
};

test("a validator is read as it was written, in both languages", () => {
  for (const language of ["TypeScript", "Python"] as const) {
    expect(readValidator(writeValidator(VALIDATOR, language))).toEqual(VALIDATOR);
  }
  expect(writeValidator(VALIDATOR, "Python")).toContain("v.literal(True)");
  expect(writeFields(VALIDATOR.value as never, "TypeScript")).toContain("\n  text: v.string(),\n");
});

test("the fields of a table alone are a validator too, with remarks and commas where people put them", () => {
  const read = readValidator("{ a: v.optional(v.string()), // a remark\n 'b': v.int64(),\n}");
  expect(read).toEqual({
    type: "object",
    value: {
      a: { fieldType: { type: "string" }, optional: true },
      b: { fieldType: { type: "bigint" }, optional: false },
    },
  });
});

test("what cannot be read is said with its place", () => {
  expect(() => readValidator("v.object({\n a: string })")).toThrow(/^Line 2: there should be “v”/);
  expect(() => readValidator("v.nothing()")).toThrow("no validator v.nothing");
  expect(() => readValidator("v.optional(v.any())")).toThrow("Only a field");
  expect(() => readValidator("v.any() x")).toThrow("the end");
});
