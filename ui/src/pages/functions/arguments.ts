/** The arguments of a function as a form: one field for each, by what the validator takes. Pure. */
import { convexToJson, type JSONValue, jsonToConvex, type Value } from "convex/values";
import { exampleOf, fieldsOf, type FieldType, type ValidatorJson } from "../schema/schema_text";

export type Kind = "text" | "number" | "int64" | "boolean" | "choice" | "json";

/** What is written into a field of the form; an optional one that is not set is not sent. */
export interface Draft {
  isSet: boolean;
  text: string;
}

export type Drafts = Record<string, Draft>;

/** The fields of a form for these arguments; null where they are not those of an object. */
export function formFields(args: ValidatorJson): FieldType[] | null {
  return fieldsOf(args);
}

export function kindOf(validator: ValidatorJson): Kind {
  switch (validator.type) {
    case "string":
    case "id":
      return "text";
    case "number":
      return "number";
    case "bigint":
      return "int64";
    case "boolean":
      return "boolean";
    case "union":
      return choicesOf(validator) === null ? "json" : "choice";
    default:
      return "json";
  }
}

/** The values of a union of literals, as JSON; null where it is none. */
export function choicesOf(validator: ValidatorJson): JSONValue[] | null {
  const members = validator.value as ValidatorJson[];
  const values = members.map((each) =>
    each.type === "null" ? null : each.type === "literal" ? each.value : undefined,
  );
  return values.includes(undefined) || values.length === 0 ? null : (values as JSONValue[]);
}

/** The form as it begins: examples of what is needed, nothing of what is optional. */
export function firstDrafts(fields: readonly FieldType[]): Drafts {
  return Object.fromEntries(
    fields.map((field) => [
      field.name,
      { isSet: !field.optional, text: draftText(field.type, exampleOf(field.type) as JSONValue) },
    ]),
  );
}

/** The form that says the same as arguments that were written as JSON. */
export function draftsOf(fields: readonly FieldType[], args: Record<string, Value>): Drafts {
  return Object.fromEntries(
    fields.map(({ name, type }) => {
      const value = args[name];
      const text = draftText(type, (value === undefined ? exampleOf(type) : convexToJson(value)) as JSONValue);
      return [name, { isSet: value !== undefined, text }];
    }),
  );
}

function draftText(type: ValidatorJson, json: JSONValue): string {
  const kind = kindOf(type);
  if (kind === "text" && typeof json === "string") return json;
  if (kind === "int64") return String(jsonToConvex(json) as bigint);
  if (kind === "number" && typeof json === "number") return String(json);
  return kind === "json" ? JSON.stringify(json, null, 2) : JSON.stringify(json);
}

/** The arguments that a form says. Throws an error that names the field that cannot be read. */
export function argumentsOf(fields: readonly FieldType[], drafts: Drafts): Record<string, Value> {
  const args: Record<string, Value> = {};
  for (const { name, type } of fields) {
    const draft = drafts[name];
    if (draft?.isSet !== true) continue;
    try {
      args[name] = valueOf(type, draft.text);
    } catch (error) {
      throw new Error(`${name}: ${(error as Error).message}`);
    }
  }
  return args;
}

function valueOf(type: ValidatorJson, text: string): Value {
  switch (kindOf(type)) {
    case "text":
      return text;
    case "number": {
      const number = Number(text);
      if (text.trim() === "" || Number.isNaN(number)) throw new Error("this must be a number.");
      return number;
    }
    case "int64":
      try {
        return BigInt(text.trim());
      } catch {
        throw new Error("this must be a whole number.");
      }
    default:
      return jsonToConvex(JSON.parse(text) as JSONValue);
  }
}
