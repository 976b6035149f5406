import { expect, test } from "vitest";
import { type Shape, validatorOf } from "./shapes";
import { writeValidator } from "./validator_text";

test("a shape becomes the validator that takes it", () => {
  const shape: Shape = {
    type: "Object",
    fields: [
      { fieldName: "_id", optional: false, shape: { type: "Id", tableName: "t" } },
      { fieldName: "by", optional: true, shape: { type: "Id", tableName: "users" } },
      { fieldName: "n", optional: false, shape: { type: "Union", shapes: [{ type: "Int64" }, { type: "Null" }] } },
      { fieldName: "list", optional: false, shape: { type: "Array", shape: { type: "Never" } } },
      { fieldName: "map", optional: false, shape: { type: "Record", valueShape: { shape: { type: "Float64" } } } },
    ],
  };
  expect(writeValidator(validatorOf(shape), "TypeScript").replace(/\s+/g, " ")).toBe(
    'v.object({ by: v.optional(v.id("users")), n: v.union(v.int64(), v.null()), list: v.array(v.any()), map: v.record(v.string(), v.number()), })',
  );
});
