/**
 * The scopes of a module while it is read: what they declare, and what functions inside them use of that.
 *
 * A variable that is used by a function which is made in its scope may outlive that scope's code. Where such a scope begins,
 * something is inserted into the text that tells of those variables whenever the scope comes to be.
 */
import { OpaqueModule } from "./token_cursor.mjs";
/** @import { TokenCursor } from "./token_cursor.mjs" */

/**
 * @typedef {object} Names  of variables that the module does not use
 * @property {string} register  what is told of variables; undefined once the module is evaluated
 * @property {string} watch  what is told of objects that are given private members, at any time
 *
 * @typedef {object} Body  the code of one function, or of the module
 * @property {boolean} isArrow
 *
 * @typedef {object} Variable
 * @property {boolean} isCaptured  whether a function inside uses it
 * @property {boolean} isAssigned  beside where it is declared
 * @property {boolean} isShown  whether more is done with it than to call it
 * @property {boolean} isFunction  whether a declaration of a function makes it
 *
 * @typedef {object} Reference
 * @property {string} name
 * @property {Body} body
 * @property {number} token
 * @property {boolean} isAssigned
 * @property {boolean} isShown
 * @property {string|null} global  what it means where nothing of that name is declared; null for nothing that could be changed
 *
 * @typedef {object} Scope
 * @property {"module"|"function"|"block"|"loop"|"switch"|"class"|"field"} kind
 * @property {Body} body  whose code it is part of
 * @property {Map<string, Variable>} names  what it declares
 * @property {Reference[]} references  not resolved yet, in the order of the text
 * @property {number} begin  the token with which its statements begin: uses before that are in parameters or heads of loops
 *
 * @typedef {object} Captured  variables that functions use
 * @property {string[]} assigned  those that are assigned beside where they are declared
 * @property {string[]} fixed  all others
 */

const RESERVED = new Set(
  (
    "break case catch class const continue debugger default delete do else export extends finally for function if import in " +
    "instanceof new return super switch this throw try typeof var void while with enum yield let"
  ).split(" "),
);
/** What belongs to every function that is no arrow function. */
export const OWN = ["this", "arguments", "new.target"];

/** @returns {Variable} */
const variable = () => ({ isCaptured: false, isAssigned: false, isShown: false, isFunction: false });

/** Whether there are any. @param {Captured} captured */
export const isSome = ({ assigned, fixed }) => assigned.length + fixed.length > 0;

export class VariableScopes {
  /** @type {Scope[]} */
  #scopes = [];
  /** What is to be inserted: offsets in the text, and what is to stand there. @type {[number, string][]} */
  insertions = [];
  /** What is used and nowhere declared: the globals that the module can lay hands on. @type {Set<string>} */
  globals = new Set();

  /** @param {TokenCursor} cursor @param {Names} names */
  constructor(cursor, names) {
    this.cursor = cursor;
    this.names = names;
  }

  get current() {
    return this.#scopes[this.#scopes.length - 1];
  }

  /** @param {Scope["kind"]} kind @param {Body} body */
  open(kind, body) {
    const names = new Map();
    if ((kind === "function" && !body.isArrow) || kind === "field" || kind === "module")
      for (const name of OWN) names.set(name, variable());
    this.#scopes.push({ kind, body, names, references: [], begin: this.cursor.i });
    return this.current;
  }

  /** Ends the innermost scope. @returns {Captured} */
  close() {
    const scope = /** @type {Scope} */ (this.#scopes.pop());
    const outer = this.current;
    for (const reference of scope.references) {
      const found = scope.names.get(reference.name);
      if (found === undefined) {
        if (outer !== undefined) outer.references.push(reference);
        else if (reference.global !== null) this.globals.add(reference.global);
        continue;
      }
      found.isAssigned ||= reference.isAssigned;
      found.isShown ||= reference.isShown;
      if (reference.body === scope.body) continue;
      found.isCaptured = true;
      if (reference.token < scope.begin)
        throw new OpaqueModule("functions are made in parameters, or in the head of a loop");
    }
    /** @type {Captured} */
    const captured = { assigned: [], fixed: [] };
    for (const [name, { isCaptured, isAssigned }] of scope.names)
      if (isCaptured) captured[isAssigned ? "assigned" : "fixed"].push(name);
    if (captured.fixed.includes("new.target")) throw new OpaqueModule("an arrow function uses new.target");
    if (isSome(captured) && scope.kind === "switch") throw new OpaqueModule("functions use variables of a switch");
    return captured;
  }

  /** @param {string} name @param {{isVar?: boolean, isFunction?: boolean}} [how] */
  declare(name, { isVar = false, isFunction = false } = {}) {
    this.check(name);
    let at = this.#scopes.length - 1;
    if (isVar) while (this.#scopes[at].kind !== "function" && this.#scopes[at].kind !== "module") at -= 1;
    const { names } = this.#scopes[at];
    // What is declared twice has been assigned since.
    if (names.has(name)) names.set(name, { ...variable(), isAssigned: true, isShown: true });
    else names.set(name, { ...variable(), isFunction });
  }

  /** Throws OpaqueModule for what is no name of a variable, or is hard to read. @param {string} name */
  check(name) {
    if (RESERVED.has(name) || name.includes("\\")) throw this.cursor.surprise();
  }

  /**
   * A variable is used here.
   * @param {string} name
   * @param {{token?: number, isNamed?: boolean, global?: string|null}} [options]  where; whether a function is only given its name
   *   here; and what it means where nothing of that name is declared
   */
  refer(name, { token = this.cursor.i, isNamed = false, global = name } = {}) {
    const { marks } = this.cursor;
    const isCall = marks[token + 1] === "(" && marks[token - 1] !== "new";
    const isShown = !isCall && !isNamed;
    this.current.references.push({ name, body: this.current.body, token, isAssigned: false, isShown, global });
  }

  /** What is used from a token on up to here is assigned. @param {number} from */
  assign(from) {
    const { references } = this.current;
    for (let i = references.length - 1; i >= 0 && references[i].token >= from; i--) references[i].isAssigned = true;
  }

  /** The expression that tells of variables. @param {Captured} captured */
  registration({ assigned, fixed }) {
    const { register } = this.names;
    return `${register}&&${register}(()=>[${[...assigned, ...fixed].join()}],${assigned.length})`;
  }

  /** @param {number} token  a brace @param {Captured} captured  of the scope whose statements it begins */
  registerIn(token, captured) {
    if (isSome(captured)) this.insert(this.cursor.tokens.ends[token], `${this.registration(captured)};`);
  }

  /**
   * Puts the statement or the expression that is before the cursor between two texts.
   * @param {number} first  its first token
   * @param {number} inserted  how many insertions there were before it
   * @param {[string, string]} brackets
   * @param {string} text  behind the opening one
   */
  surround(first, inserted, [opening, closing], text) {
    // Marked, so that the text of a function can be shown without them (`withoutInsertions`).
    const mark = `/*${this.names.register}*/`;
    this.insertions.splice(inserted, 0, [this.cursor.tokens.starts[first], opening + mark + text]);
    this.insert(this.cursor.tokens.ends[this.cursor.i - 1], mark + closing);
  }

  /** @param {number} offset @param {string} text */
  insert(offset, text) {
    this.insertions.push([offset, text]);
  }
}
