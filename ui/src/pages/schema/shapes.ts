import type { ValidatorJson } from "./schema_text";

/** What documents look like, as the server has seen a sample of them (`GET /api/shapes2`). */
export type Shape =
  | { type: "Object"; fields: { fieldName: string; optional: boolean; shape: Shape }[] }
  | { type: "Union"; shapes: Shape[] }
  | { type: "Array"; shape: Shape }
  | { type: "Record"; valueShape: { shape: Shape } }
  | { type: "Id"; tableName: string }
  | { type: "Float64" | "Int64" | "String" | "Boolean" | "Null" | "Bytes" | "Never" | "Unknown" };

const PLAIN: Record<string, string> = {
  Float64: "number",
  Int64: "bigint",
  String: "string",
  Boolean: "boolean",
  Null: "null",
  Bytes: "bytes",
};

/** The validator that takes what has this shape; system fields are not said. */
export function validatorOf(shape: Shape): ValidatorJson {
  switch (shape.type) {
    case "Id":
      return { type: "id", tableName: shape.tableName };
    case "Array":
      return { type: "array", value: shape.shape.type === "Never" ? { type: "any" } : validatorOf(shape.shape) };
    case "Union":
      return { type: "union", value: shape.shapes.map(validatorOf) };
    case "Record": {
      const values = { fieldType: validatorOf(shape.valueShape.shape), optional: false };
      return { type: "record", keys: { type: "string" }, values };
    }
    case "Object":
      return {
        type: "object",
        value: Object.fromEntries(
          shape.fields
            .filter(({ fieldName }) => !fieldName.startsWith("_"))
            .map(({ fieldName, optional, shape: of }) => [fieldName, { fieldType: validatorOf(of), optional }]),
        ),
      };
    default:
      return { type: PLAIN[shape.type] ?? "any" };
  }
}
