/** Reads the functions, the classes and the patterns of a module: what they declare, and where their scopes begin. */
import { ExpressionReader } from "./expression_reader.mjs";
import { NAME, NUMBER, STRING } from "./lexer.mjs";
import { isSome } from "./variable_scopes.mjs";
/** @import { Captured, Scope } from "./variable_scopes.mjs" */

/**
 * @typedef {object} KeptOfClass  what is out of sight
 * @property {Captured} of  of its instances
 * @property {Captured} ofAll  of the class itself
 * @property {boolean} isPrivate  whether its instances have private members
 */

export class FunctionReader extends ExpressionReader {
  declaration() {
    const { cursor } = this;
    const isVar = cursor.mark === "var";
    cursor.i += 1;
    do {
      this.binding(isVar);
      if (cursor.skip("=")) this.assignment();
    } while (cursor.skip(","));
  }

  /** A name or a pattern that declares. @param {boolean} isVar */
  binding(isVar) {
    const { cursor } = this;
    if (cursor.isName) {
      this.scopes.declare(cursor.mark, { isVar });
      cursor.i += 1;
      return;
    }
    if (cursor.skip("[")) {
      while (!cursor.skip("]")) {
        if (cursor.skip(",")) continue;
        cursor.skip("...");
        this.bindingElement(isVar);
      }
      return;
    }
    cursor.take("{");
    while (!cursor.skip("}")) {
      if (cursor.skip(",")) continue;
      if (cursor.skip("...")) {
        this.binding(isVar);
        continue;
      }
      const isName = cursor.isName;
      const name = cursor.mark;
      this.key();
      if (cursor.skip(":")) this.bindingElement(isVar);
      else {
        if (!isName) throw cursor.surprise();
        this.scopes.declare(name, { isVar });
        if (cursor.skip("=")) this.assignment();
      }
    }
  }

  /** @param {boolean} isVar */
  bindingElement(isVar) {
    this.binding(isVar);
    if (this.cursor.skip("=")) this.assignment();
  }

  /** A function from its keyword on. @param {boolean} isExpression */
  function(isExpression) {
    const { cursor } = this;
    cursor.skip("async");
    cursor.take("function");
    cursor.skip("*");
    const name = cursor.isName ? cursor.mark : null;
    if (name !== null) cursor.i += 1;
    this.parametersAndBody(isExpression ? name : null);
  }

  /** @param {string|null} ownName  by which it knows itself */
  parametersAndBody(ownName) {
    const scope = this.scopes.open("function", { isArrow: false });
    if (ownName !== null) this.scopes.declare(ownName);
    this.parameters();
    this.functionBody(scope);
  }

  parameters() {
    const { cursor } = this;
    cursor.take("(");
    while (!cursor.skip(")")) {
      if (cursor.skip(",")) continue;
      cursor.skip("...");
      this.bindingElement(false);
    }
  }

  /** @param {Scope} scope */
  functionBody(scope) {
    const { cursor } = this;
    const brace = cursor.i;
    scope.begin = brace;
    cursor.take("{");
    while (!cursor.skip("}")) this.statement();
    this.scopes.registerIn(brace, this.scopes.close());
  }

  /** Whether an arrow function begins here. */
  isArrow() {
    const { cursor } = this;
    const at = cursor.mark === "async" && !cursor.startsLine(1) && cursor.after(1) !== "=>" ? cursor.i + 1 : cursor.i;
    if (cursor.marks[at] === "(") return cursor.marks[cursor.closing[at] + 1] === "=>";
    return cursor.tokens.kinds[at] === NAME && cursor.marks[at + 1] === "=>";
  }

  arrow() {
    const { cursor, scopes } = this;
    if (cursor.mark === "async" && cursor.after(1) !== "=>") cursor.i += 1;
    const scope = scopes.open("function", { isArrow: true });
    if (cursor.mark === "(") this.parameters();
    else this.binding(false);
    cursor.take("=>");
    if (cursor.mark === "{") return this.functionBody(scope);
    const first = cursor.i;
    scope.begin = first;
    const inserted = scopes.insertions.length;
    this.assignment();
    const captured = scopes.close();
    if (!isSome(captured)) return undefined;
    scopes.surround(first, inserted, ["(", ")"], `${scopes.registration(captured)},`);
    return undefined;
  }

  /** @param {boolean} isDeclaration */
  class(isDeclaration) {
    const { cursor, scopes } = this;
    cursor.i += 1;
    const name = cursor.isName && cursor.mark !== "extends" ? cursor.mark : null;
    if (name !== null) {
      if (isDeclaration) scopes.declare(name);
      cursor.i += 1;
    }
    scopes.open("class", scopes.current.body);
    if (name !== null) scopes.declare(name);
    const isDerived = cursor.skip("extends");
    if (isDerived) this.member();
    const brace = cursor.i;
    cursor.take("{");
    /** @type {KeptOfClass} */
    const kept = { of: { assigned: [], fixed: [] }, ofAll: { assigned: [], fixed: [] }, isPrivate: false };
    while (!cursor.skip("}")) if (!cursor.skip(";")) this.classElement(kept);
    const captured = scopes.close();
    let text = isSome(captured) ? `static{${scopes.registration(captured)}}` : "";
    // What a derived class gives private members may be anything that its parent returns.
    if (isDerived && kept.isPrivate) text += `#${this.scopes.names.watch}=${this.scopes.names.watch}(this);`;
    if (isSome(kept.of)) text += `#${this.scopes.names.register}=${scopes.registration(kept.of)};`;
    if (isSome(kept.ofAll)) text += `static #${this.scopes.names.register}s=${scopes.registration(kept.ofAll)};`;
    if (text !== "") scopes.insert(cursor.tokens.ends[brace], text);
  }

  /** @param {KeptOfClass} kept */
  classElement(kept) {
    const { cursor, scopes } = this;
    if (cursor.mark === "static" && cursor.after(1) === "{") {
      cursor.i += 1;
      return this.functionBody(scopes.open("function", { isArrow: false }));
    }
    const isStatic = cursor.mark === "static" && !["(", "=", ";", "}"].includes(cursor.after(1));
    if (isStatic) cursor.i += 1;
    this.methodModifiers();
    const isPrivate = cursor.mark === "#";
    if (!isStatic) kept.isPrivate ||= isPrivate;
    this.key();
    if (cursor.mark === "(") return this.parametersAndBody(null);
    const keeps = isStatic ? kept.ofAll : kept.of;
    if (isPrivate) keeps.assigned.push(`this.#${cursor.marks[cursor.i - 1]}`);
    if (cursor.skip("=")) {
      scopes.open("field", { isArrow: false });
      this.assignment();
      if (isSome(scopes.close())) keeps.fixed.push("this");
    }
    return cursor.endStatement();
  }

  /** `get`, `set`, `async` and `*` in front of the name of a method. */
  methodModifiers() {
    const { cursor } = this;
    const isWord = cursor.mark === "get" || cursor.mark === "set" || cursor.mark === "async";
    if (
      isWord &&
      cursor.isName &&
      !["(", "=", ";", "}", ",", ":"].includes(cursor.after(1)) &&
      cursor.i + 1 < cursor.tokens.length
    ) {
      // A field may be called so, and the next element stand on a line of its own.
      if (cursor.startsLine(1)) throw cursor.surprise();
      cursor.i += 1;
    }
    cursor.skip("*");
  }

  /** The name of a property. */
  key() {
    const { cursor } = this;
    const kind = cursor.kind;
    if (cursor.skip("[")) {
      this.assignment();
      cursor.take("]");
    } else {
      if (cursor.skip("#") ? !cursor.isName : kind !== NAME && kind !== STRING && kind !== NUMBER)
        throw cursor.surprise();
      cursor.i += 1;
    }
  }

  /** See captured_variables.mjs. */
  statement() {
    throw this.cursor.surprise();
  }
}
