/** Validators as they are written in a schema, in both languages, and back. Pure. */
import type { ValidatorJson } from "./schema_text";

export type Language = "TypeScript" | "Python";

const PLAIN: Record<string, string> = {
  any: "v.any()",
  null: "v.null()",
  number: "v.number()",
  bigint: "v.int64()",
  boolean: "v.boolean()",
  string: "v.string()",
  bytes: "v.bytes()",
};
const TYPES: Record<string, string> = {
  any: "any",
  null: "null",
  number: "number",
  float64: "number",
  float: "number",
  int64: "bigint",
  bigint: "bigint",
  boolean: "boolean",
  bool: "boolean",
  string: "string",
  str: "string",
  bytes: "bytes",
};

type Fields = Record<string, { fieldType: ValidatorJson; optional: boolean }>;

/** The text of a validator; an object has a field a line. */
export function writeValidator(validator: ValidatorJson, language: Language, depth = 0): string {
  const write = (each: ValidatorJson) => writeValidator(each, language, depth);
  switch (validator.type) {
    case "id":
      return `v.id(${JSON.stringify(validator.tableName)})`;
    case "literal":
      return `v.literal(${literalText(validator.value, language)})`;
    case "array":
      return `v.array(${write(validator.value as ValidatorJson)})`;
    case "union":
      return `v.union(${(validator.value as ValidatorJson[]).map(write).join(", ")})`;
    case "record":
      return `v.record(${write(validator.keys ?? { type: "string" })}, ${write(validator.values?.fieldType ?? { type: "any" })})`;
    case "object":
      return `v.object(${writeFields(validator.value as Fields, language, depth)})`;
    default:
      return PLAIN[validator.type] ?? "v.any()";
  }
}

/** The fields of an object as a schema has them, in braces. */
export function writeFields(fields: Fields, language: Language, depth = 0): string {
  const entries = Object.entries(fields);
  if (entries.length === 0) return "{}";
  const indent = "  ".repeat(depth + 1);
  const lines = entries.map(([name, { fieldType, optional }]) => {
    const text = writeValidator(fieldType, language, depth + 1);
    const key = language === "Python" || !/^[A-Za-z_$][\w$]*$/.test(name) ? JSON.stringify(name) : name;
    return `${indent}${key}: ${optional ? `v.optional(${text})` : text},\n`;
  });
  return `{\n${lines.join("")}${"  ".repeat(depth)}}`;
}

function literalText(value: unknown, language: Language): string {
  if (typeof value === "boolean" && language === "Python") return value ? "True" : "False";
  return JSON.stringify(value);
}

/** The validator that a text in either language says. Throws an error that says what cannot be read, and where. */
export function readValidator(text: string): ValidatorJson {
  const reader = new Reader(text);
  const { validator, optional } = reader.validator();
  if (optional) throw new Error("Only a field can be optional.");
  reader.end();
  return validator;
}

class Reader {
  private at = 0;

  constructor(private readonly text: string) {}

  validator(): { validator: ValidatorJson; optional: boolean } {
    this.skip();
    if (this.text[this.at] === "{") return { validator: { type: "object", value: this.fields() }, optional: false };
    this.expect("v");
    this.expect(".");
    const name = this.word();
    this.expect("(");
    const made = this.made(name);
    this.skip();
    if (this.text[this.at] === ",") this.at++;
    this.expect(")");
    return made;
  }

  end(): void {
    this.skip();
    if (this.text[this.at] === ",") this.at++;
    this.skip();
    if (this.at < this.text.length) throw this.problem("the end");
  }

  private made(name: string): { validator: ValidatorJson; optional: boolean } {
    const plain = (validator: ValidatorJson) => ({ validator, optional: false });
    const type = TYPES[name];
    if (type !== undefined) return plain({ type });
    switch (name) {
      case "optional":
        return { validator: this.inner(), optional: true };
      case "id":
        return plain({ type: "id", tableName: String(this.literal()) });
      case "literal":
        return plain({ type: "literal", value: this.literal() });
      case "array":
        return plain({ type: "array", value: this.inner() });
      case "union":
        return plain({ type: "union", value: this.list() });
      case "object":
        return plain({ type: "object", value: this.fields() });
      case "record": {
        const [keys, values] = this.list();
        if (keys === undefined || values === undefined) throw this.problem("two validators");
        return plain({ type: "record", keys, values: { fieldType: values, optional: false } });
      }
      default:
        throw new Error(`There is no validator v.${name}.`);
    }
  }

  private inner(): ValidatorJson {
    const { validator, optional } = this.validator();
    if (optional) throw new Error("Only a field can be optional.");
    return validator;
  }

  private list(): ValidatorJson[] {
    const found: ValidatorJson[] = [];
    for (this.skip(); this.text[this.at] !== ")"; this.skip()) {
      found.push(this.inner());
      this.skip();
      if (this.text[this.at] !== ",") break;
      this.at++;
    }
    return found;
  }

  private fields(): Fields {
    const fields: Fields = {};
    this.expect("{");
    for (this.skip(); this.text[this.at] !== "}"; this.skip()) {
      const quoted = /["']/.test(this.text[this.at] ?? "");
      const name = quoted ? String(this.literal()) : this.word();
      this.expect(":");
      const { validator, optional } = this.validator();
      fields[name] = { fieldType: validator, optional };
      this.skip();
      if (this.text[this.at] !== ",") break;
      this.at++;
    }
    this.expect("}");
    return fields;
  }

  private literal(): unknown {
    this.skip();
    const rest = this.text.slice(this.at);
    const found = /^("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|-?\d+(?:\.\d+)?|[Tt]rue|[Ff]alse)/.exec(rest)?.[0];
    if (found === undefined) throw this.problem("a text, a number, true or false");
    this.at += found.length;
    if (found.startsWith("'")) return found.slice(1, -1).replace(/\\(.)/g, "$1");
    return JSON.parse(found.replace(/^[TF]/, (letter) => letter.toLowerCase())) as unknown;
  }

  private word(): string {
    this.skip();
    const found = /^[A-Za-z_$][\w$]*/.exec(this.text.slice(this.at))?.[0];
    if (found === undefined) throw this.problem("a name");
    this.at += found.length;
    return found;
  }

  private expect(text: string): void {
    this.skip();
    if (!this.text.startsWith(text, this.at)) throw this.problem(`“${text}”`);
    this.at += text.length;
  }

  private skip(): void {
    const space = /^(?:\s+|\/\/[^\n]*|#[^\n]*)+/.exec(this.text.slice(this.at))?.[0];
    this.at += space?.length ?? 0;
  }

  private problem(expected: string): Error {
    const line = this.text.slice(0, this.at).split("\n").length;
    const found = this.text.slice(this.at, this.at + 12).split("\n")[0];
    return new Error(`Line ${line}: there should be ${expected} in place of “${found}”.`);
  }
}
