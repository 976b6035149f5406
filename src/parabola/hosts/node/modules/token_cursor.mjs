/** Walks over the tokens of a module, the way its grammar does. */
import { NAME, PUNCTUATOR, TEMPLATE } from "./lexer.mjs";
/** @import { Tokens } from "./lexer.mjs" */

/** A module's text is not understood, or does not tell what its closures keep; the message says why. */
export class OpaqueModule extends Error {}

export class TokenCursor {
  /** The token that is next. */
  i = 0;
  /** @type {string[]} the texts of names and punctuators; pieces of templates by their ends; "" for all other tokens */
  marks = [];
  /** @type {Int32Array} the closing bracket of each opening one */
  closing;

  /** @param {Tokens} tokens */
  constructor(tokens) {
    this.tokens = tokens;
    this.closing = new Int32Array(tokens.length);
    const open = [];
    for (let i = 0; i < tokens.length; i++) {
      const mark = markOf(tokens, i);
      this.marks.push(mark);
      if (mark === "}" || mark === ")" || mark === "]" || mark === PIECE || mark === TAIL) {
        this.closing[/** @type {number} */ (open.pop())] = i;
      }
      if (mark === "{" || mark === "(" || mark === "[" || mark === HEAD || mark === PIECE) open.push(i);
    }
  }

  get mark() {
    return this.marks[this.i] ?? "";
  }

  get kind() {
    return this.tokens.kinds[this.i];
  }

  /** @param {number} offset */
  after(offset) {
    return this.marks[this.i + offset] ?? "";
  }

  get isEnd() {
    return this.i >= this.tokens.length;
  }

  get isName() {
    return this.kind === NAME;
  }

  /** Whether a line break stands before a token. @param {number} [offset] */
  startsLine(offset = 0) {
    return this.i + offset < this.tokens.length && this.tokens.startsLine(this.i + offset);
  }

  /** @param {string} mark */
  take(mark) {
    if (this.mark !== mark) throw this.surprise();
    this.i += 1;
  }

  /** @param {string} mark @returns {boolean} whether it was there */
  skip(mark) {
    if (this.mark !== mark) return false;
    this.i += 1;
    return true;
  }

  surprise() {
    return new OpaqueModule(
      `it is not understood at ${this.isEnd ? "its end" : `offset ${this.tokens.starts[this.i]}`}`,
    );
  }

  /** A statement ends here. */
  endStatement() {
    if (this.skip(";")) return;
    if (this.isEnd || this.mark === "}" || this.startsLine()) return;
    throw this.surprise();
  }
}

/** How a template with substitutions begins, goes on, and ends. */
export const HEAD = "`${";
export const PIECE = "}${";
export const TAIL = "}`";

/** @param {Tokens} tokens @param {number} i @returns {string} */
function markOf(tokens, i) {
  const kind = tokens.kinds[i];
  if (kind !== NAME && kind !== PUNCTUATOR && kind !== TEMPLATE) return "";
  const text = tokens.text(i);
  if (kind === TEMPLATE) return text[0] === "}" ? TAIL : "";
  if (text.length > 1 && text.endsWith("{")) return text[0] === "}" ? PIECE : HEAD;
  return text;
}
