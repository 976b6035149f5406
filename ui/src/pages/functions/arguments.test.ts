import { expect, test } from "vitest";
import type { ValidatorJson } from "../schema/schema_text";
import { argumentsOf, draftsOf, firstDrafts, formFields, kindOf } from "./arguments";

const ARGS: ValidatorJson = {
  type: "object",
  value: {
    text: { fieldType: { type: "string" }, optional: false },
    n: { fieldType: { type: "number" }, optional: false },
    big: { fieldType: { type: "bigint" }, optional: true },
    done: { fieldType: { type: "boolean" }, optional: false },
    kind: {
      fieldType: { type: "union", value: [{ type: "literal", value: "a" }, { type: "null" }] },
      optional: false,
    },
    list: { fieldType: { type: "array", value: { type: "string" } }, optional: true },
  },
};
const FIELDS = formFields(ARGS)!;

test("each kind of argument has its field", () => {
  expect(FIELDS.map(({ type }) => kindOf(type))).toEqual(["text", "number", "int64", "boolean", "choice", "json"]);
});

test("a form begins with what is needed, and says it as values", () => {
  expect(argumentsOf(FIELDS, firstDrafts(FIELDS))).toEqual({ text: "", n: 0, done: false, kind: "a" });
});

test("what was written as JSON is the same in the form", () => {
  const args = { text: "5", n: 1.5, big: 9007199254740993n, done: true, kind: null, list: ["x"] };
  expect(argumentsOf(FIELDS, draftsOf(FIELDS, args))).toEqual(args);
});

test("what cannot be read is said with the name of the field", () => {
  const drafts = { ...firstDrafts(FIELDS), n: { isSet: true, text: "many" } };
  expect(() => argumentsOf(FIELDS, drafts)).toThrow("n: this must be a number");
});
