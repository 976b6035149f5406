/**
 * Finds the variables of a module that outlive the code that declares them, because a function made there uses them: beside
 * the module's own variables, that is all where closures can keep state (realm/kept_state.js).
 *
 * A module is read as its grammar says, but no tree is made: what is wanted are scopes, what they declare, and what functions
 * inside them use. Whatever the reader does not know for certain makes the module opaque, which costs time and no more.
 * Strictness of modules helps: no `with`, no `eval` that declares.
 */
import { FunctionReader } from "./function_reader.mjs";
import { STRING, tokenize } from "./lexer.mjs";
import { OpaqueModule, TokenCursor } from "./token_cursor.mjs";
import { isSome, OWN, VariableScopes } from "./variable_scopes.mjs";
/** @import { Names, Variable } from "./variable_scopes.mjs" */

export { OpaqueModule };

/** Of a pattern that has matched, the built-in constructor tells for ever: that cannot be put back. */
const LEGACY = /\bRegExp\s*(?:\?\.)?\s*(?:\.\s*(?:\$|last|left|right|input)|\[)/;

/**
 * @typedef {object} CapturedVariables
 * @property {string[]} names  the variables of the module itself that may hold a state, or lead to one
 * @property {number} assigned  how many of those, the first ones, may be assigned after the evaluation
 * @property {string[]} globals  what the module uses and does not declare
 * @property {[number, string][]} insertions  offsets in the text, and what is to stand there
 */

/**
 * @param {string} source  of a module that V8 has compiled
 * @param {Names} names
 * @returns {CapturedVariables} throws OpaqueModule
 */
export function readCapturedVariables(source, names) {
  if (LEGACY.test(source)) throw new OpaqueModule("it asks RegExp for the last match");
  const cursor = new TokenCursor(tokenize(source));
  try {
    return new ModuleReader(cursor, new VariableScopes(cursor, names)).read();
  } catch (error) {
    if (error instanceof RangeError) throw new OpaqueModule("it is nested too deep");
    throw error;
  }
}

class ModuleReader extends FunctionReader {
  /** @type {Set<string>} */
  #imported = new Set();
  /** @type {Set<string>} */
  #exported = new Set();

  /** @returns {CapturedVariables} */
  read() {
    const { names } = this.scopes.open("module", { isArrow: false });
    while (!this.cursor.isEnd) this.statement();
    this.scopes.close();
    this.#checkNaming(names);
    const assigned = [];
    const fixed = [];
    for (const [name, { isAssigned, isFunction, isShown }] of names) {
      if (OWN.includes(name) || this.#imported.has(name)) continue;
      if (isAssigned) assigned.push(name);
      // What nobody but callers have in hand is nothing but its code.
      else if (!isFunction || isShown || this.#exported.has(name)) fixed.push(name);
    }
    const { globals, insertions } = this.scopes;
    return { names: [...assigned, ...fixed], assigned: assigned.length, globals: [...globals], insertions };
  }

  /** Whether what gives functions their names is what it seems to be. @param {Map<string, Variable>} names */
  #checkNaming(names) {
    if (this.naming === "") return;
    const isFixed = [this.naming, this.defining].every((name) => names.get(name)?.isAssigned === false);
    if (!isFixed || !this.scopes.globals.has("Object"))
      throw new OpaqueModule("it names functions in a way of its own");
  }

  /** @returns {void} */
  statement() {
    const { cursor } = this;
    const mark = cursor.mark;
    if (mark === "{") return this.block();
    if (mark === ";") return void (cursor.i += 1);
    if (!cursor.isName) return this.expressionStatement();
    switch (mark) {
      case "var":
      case "let":
      case "const":
        this.declaration();
        return cursor.endStatement();
      case "function":
        return this.functionDeclaration();
      case "async":
        if (cursor.after(1) === "function" && !cursor.startsLine(1)) return this.functionDeclaration();
        return this.expressionStatement();
      case "class":
        return this.class(true);
      case "if":
        cursor.i += 1;
        this.parenthesized();
        this.statement();
        if (cursor.skip("else")) this.statement();
        return undefined;
      case "for":
        return this.for();
      case "while":
        cursor.i += 1;
        this.parenthesized();
        return this.statement();
      case "do":
        cursor.i += 1;
        this.statement();
        cursor.take("while");
        this.parenthesized();
        return void cursor.skip(";");
      case "return":
      case "throw":
        cursor.i += 1;
        if (!cursor.isEnd && cursor.mark !== ";" && cursor.mark !== "}" && !cursor.startsLine()) this.expression();
        return cursor.endStatement();
      case "break":
      case "continue":
        cursor.i += 1;
        if (cursor.isName && !cursor.startsLine() && cursor.mark !== "case" && cursor.mark !== "default") cursor.i += 1;
        return cursor.endStatement();
      case "debugger":
        cursor.i += 1;
        return cursor.endStatement();
      case "try":
        return this.try();
      case "switch":
        return this.switch();
      case "import":
        if (cursor.after(1) !== "(" && cursor.after(1) !== ".") return this.import();
        return this.expressionStatement();
      case "export":
        return this.export();
      default:
        if (cursor.after(1) === ":") {
          cursor.i += 2;
          return this.statement();
        }
        return this.expressionStatement();
    }
  }

  expressionStatement() {
    this.expression();
    this.cursor.endStatement();
  }

  block() {
    const { cursor, scopes } = this;
    const brace = cursor.i;
    cursor.take("{");
    scopes.open("block", scopes.current.body);
    while (!cursor.skip("}")) this.statement();
    scopes.registerIn(brace, scopes.close());
  }

  functionDeclaration() {
    const { cursor } = this;
    const at = cursor.i + (cursor.mark === "async" ? 2 : 1);
    const name = at + (cursor.marks[at] === "*" ? 1 : 0);
    if (cursor.marks[name] !== "(") this.scopes.declare(cursor.marks[name], { isFunction: name === at });
    this.function(false);
  }

  for() {
    const { cursor, scopes } = this;
    cursor.i += 1;
    cursor.skip("await");
    cursor.take("(");
    const end = cursor.closing[cursor.i - 1];
    const scope = scopes.open("loop", scopes.current.body);
    if (cursor.mark === "var" || cursor.mark === "let" || cursor.mark === "const") this.declaration();
    else if (cursor.mark !== ";") this.expression();
    const head = scope.begin;
    // Where nothing is declared, `in` is read as an operator.
    if (cursor.mark === "of" || cursor.mark === "in" || cursor.i === end) scopes.assign(head);
    if (cursor.mark === "of" || cursor.mark === "in") {
      cursor.i += 1;
      this.expression();
    } else if (cursor.i !== end) {
      for (let part = 0; part < 2; part++) {
        cursor.take(";");
        if (cursor.mark !== ";" && cursor.mark !== ")") this.expression();
      }
    }
    if (cursor.i !== end) throw cursor.surprise();
    cursor.i += 1;
    scope.begin = cursor.i;
    const first = cursor.i;
    const inserted = scopes.insertions.length;
    const inner = cursor.mark === "{" ? this.loopBlock() : this.statement();
    const captured = scopes.close();
    if (!isSome(captured)) return;
    if (inner instanceof Map) {
      if ([...captured.assigned, ...captured.fixed].some((name) => inner.has(name)))
        throw new OpaqueModule("the body of a loop hides its variables");
      scopes.registerIn(first, captured);
    } else {
      scopes.surround(first, inserted, ["{", "}"], `${scopes.registration(captured)};`);
    }
  }

  /** The block that is the body of a loop. @returns {Map<string, Variable>} what it declares */
  loopBlock() {
    const { cursor, scopes } = this;
    const brace = cursor.i;
    cursor.take("{");
    const scope = scopes.open("block", scopes.current.body);
    while (!cursor.skip("}")) this.statement();
    scopes.registerIn(brace, scopes.close());
    return scope.names;
  }

  try() {
    const { cursor, scopes } = this;
    cursor.i += 1;
    this.block();
    if (cursor.skip("catch")) {
      scopes.open("block", scopes.current.body);
      if (cursor.skip("(")) {
        this.binding(false);
        cursor.take(")");
      }
      const brace = cursor.i;
      scopes.current.begin = brace;
      cursor.take("{");
      while (!cursor.skip("}")) this.statement();
      scopes.registerIn(brace, scopes.close());
    }
    if (cursor.skip("finally")) this.block();
  }

  switch() {
    const { cursor, scopes } = this;
    cursor.i += 1;
    this.parenthesized();
    cursor.take("{");
    scopes.open("switch", scopes.current.body);
    while (!cursor.skip("}")) {
      if (cursor.skip("case")) {
        this.expression();
        cursor.take(":");
      } else if (cursor.mark === "default" && cursor.after(1) === ":") cursor.i += 2;
      else this.statement();
    }
    scopes.close();
  }

  import() {
    const { cursor } = this;
    cursor.i += 1;
    while (cursor.kind !== STRING) {
      const name = cursor.mark;
      if (cursor.isEnd) throw cursor.surprise();
      if (name === "{") {
        cursor.i += 1;
        while (!cursor.skip("}")) {
          if (cursor.skip(",")) continue;
          cursor.i += 1;
          if (cursor.skip("as")) cursor.i += 1;
          this.importName(cursor.i - 1);
        }
        continue;
      }
      if (cursor.isName && name !== "from" && name !== "as") this.importName(cursor.i);
      else if (name === "from" && cursor.tokens.kinds[cursor.i + 1] !== STRING) this.importName(cursor.i);
      cursor.i += 1;
    }
    cursor.i += 1;
    this.attributes();
  }

  /** @param {number} token */
  importName(token) {
    this.#imported.add(this.cursor.marks[token]);
    this.scopes.declare(this.cursor.marks[token]);
  }

  /** What may follow a module's specifier. */
  attributes() {
    const { cursor } = this;
    if ((cursor.mark === "with" || cursor.mark === "assert") && cursor.after(1) === "{")
      cursor.i = cursor.closing[cursor.i + 1] + 1;
    cursor.endStatement();
  }

  export() {
    const { cursor } = this;
    cursor.i += 1;
    if (cursor.mark === "{" || cursor.mark === "*") {
      if (cursor.mark === "{") this.exportList();
      else {
        cursor.i += 1;
        if (cursor.skip("as")) cursor.i += 1;
      }
      if (!cursor.skip("from")) return cursor.endStatement();
      cursor.i += 1;
      return this.attributes();
    }
    const { names } = this.scopes.current;
    const known = names.size;
    if (!cursor.skip("default")) {
      this.statement();
      for (const name of [...names.keys()].slice(known)) this.#exported.add(name);
      return undefined;
    }
    const isFunction =
      cursor.mark === "function" ||
      (cursor.mark === "async" && cursor.after(1) === "function" && !cursor.startsLine(1));
    if (isFunction) {
      this.functionDeclaration();
      for (const name of [...names.keys()].slice(known)) this.#exported.add(name);
      return undefined;
    }
    if (cursor.mark === "class") return this.class(true);
    this.assignment();
    return cursor.endStatement();
  }

  /** `{ a, b as c }` behind `export`. */
  exportList() {
    const { cursor } = this;
    const end = cursor.closing[cursor.i];
    for (; cursor.i <= end; cursor.i++) if (cursor.isName) this.#exported.add(cursor.mark);
  }
}
