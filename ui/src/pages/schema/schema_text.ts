import type { Reference } from "./diagram_layout";

/** The JSON text of a schema, and validators in it, as people read them. */
export interface ValidatorJson {
  type: string;
  value?: unknown;
  tableName?: string;
  keys?: ValidatorJson;
  values?: { fieldType: ValidatorJson; optional: boolean };
}

export interface FieldType {
  name: string;
  optional: boolean;
  type: ValidatorJson;
  /** The table that an id is of. */
  table?: string;
}

export interface SchemaTable {
  name: string;
  /** None where any document, or one of several shapes, is taken. */
  fields: FieldType[] | null;
  /** Null where any document is taken. */
  validator: ValidatorJson | null;
  /** What documents shall be once, and need not be yet. */
  staged: ValidatorJson | null;
}

interface TableJson {
  tableName: string;
  documentType: ValidatorJson | null;
  stagedDocumentType?: ValidatorJson | null;
}

export function readSchema(text: string): SchemaTable[] {
  const { tables } = JSON.parse(text) as { tables: TableJson[] };
  return tables.map(({ tableName, documentType, stagedDocumentType }) => ({
    name: tableName,
    fields: fieldsOf(documentType),
    validator: documentType,
    staged: stagedDocumentType ?? null,
  }));
}

/** The tables whose ids stand anywhere in a validator, with the fields that hold them. */
export function referencesOf(table: string, validator: ValidatorJson | null): Reference[] {
  const found = new Map<string, Set<string>>();
  const look = (each: ValidatorJson | undefined, field: string) => {
    if (each === undefined) return;
    if (each.type === "id" && each.tableName !== undefined) {
      found.set(each.tableName, (found.get(each.tableName) ?? new Set()).add(field));
    } else if (each.type === "array") look(each.value as ValidatorJson, field);
    else if (each.type === "union") (each.value as ValidatorJson[]).forEach((part) => look(part, field));
    else if (each.type === "record") {
      look(each.keys, field);
      look(each.values?.fieldType, field);
    } else if (each.type === "object") {
      for (const inner of fieldsOf(each) ?? []) look(inner.type, field === "" ? inner.name : `${field}.${inner.name}`);
    }
  };
  look(validator ?? undefined, "");
  return [...found].map(([to, fields]) => ({ from: table, to, fields: [...fields] }));
}

/** The fields of the documents that a validator takes, null where it is not that of one object. */
export function fieldsOf(validator: ValidatorJson | null): FieldType[] | null {
  if (validator?.type !== "object") return null;
  const fields = validator.value as Record<string, { fieldType: ValidatorJson; optional: boolean }>;
  return Object.entries(fields).map(([name, { fieldType, optional }]) => ({
    name,
    optional,
    type: fieldType,
    ...(fieldType.type === "id" ? { table: fieldType.tableName } : {}),
  }));
}

/** A validator as a type is written. */
export function inWords(validator: ValidatorJson): string {
  switch (validator.type) {
    case "id":
      return `id of ${validator.tableName}`;
    case "bigint":
      return "int64";
    case "literal":
      return JSON.stringify(validator.value);
    case "array":
      return `${grouped(validator.value as ValidatorJson)}[]`;
    case "union":
      return (validator.value as ValidatorJson[]).map(inWords).join(" | ") || "never";
    case "record":
      return `{ [${validator.keys === undefined ? "string" : inWords(validator.keys)}]: ${validator.values === undefined ? "any" : inWords(validator.values.fieldType)} }`;
    case "object":
      return `{ ${(fieldsOf(validator) ?? []).map((field) => `${field.name}${field.optional ? "?" : ""}: ${inWords(field.type)}`).join(", ")} }`;
    default:
      return validator.type;
  }
}

/** An example of what a validator takes, to begin an edit with. */
export function exampleOf(validator: ValidatorJson): unknown {
  switch (validator.type) {
    case "null":
      return null;
    case "number":
      return 0;
    case "bigint":
      return { $integer: "AAAAAAAAAAA=" };
    case "boolean":
      return false;
    case "bytes":
      return { $bytes: "" };
    case "literal":
      return validator.value;
    case "array":
      return [];
    case "union":
      return exampleOf((validator.value as ValidatorJson[])[0] ?? { type: "null" });
    case "object": {
      const required = (fieldsOf(validator) ?? []).filter((field) => !field.optional);
      return Object.fromEntries(required.map((field) => [field.name, exampleOf(field.type)]));
    }
    case "record":
    case "any":
      return {};
    default:
      return "";
  }
}

function grouped(validator: ValidatorJson): string {
  const words = inWords(validator);
  return validator.type === "union" || validator.type === "id" ? `(${words})` : words;
}
