/** Reads the expressions of a module: which variables they use, and which of those they assign. */
import { NAME, NUMBER, REGEX, STRING, TEMPLATE } from "./lexer.mjs";
import { HEAD, PIECE, TAIL } from "./token_cursor.mjs";
/** @import { TokenCursor } from "./token_cursor.mjs" */
/** @import { VariableScopes } from "./variable_scopes.mjs" */

const PREFIXES = new Set("! ~ + - ++ -- typeof void delete await".split(" "));
const ASSIGNMENTS = new Set("= += -= *= /= %= **= <<= >>= >>>= &= |= ^= &&= ||= ??=".split(" "));
const OPERATORS = new Set("== != === !== < > <= >= << >> >>> + - * / % ** & | ^ && || ?? instanceof in".split(" "));
const ENDS = new Set([...") ] } , ; : in of".split(" "), PIECE, TAIL]);

/** The text with which bundlers begin a module so that functions keep their names; literals are left out. */
const NAMING =
  /^var (\S+) = Object \. defineProperty [;,] (?:var )?(\S+) = \( (\S+) , (\S+) \) => \1 \( \3 , {2}, \{ value : \4 , configurable : ! {1,2}\}/;

export class ExpressionReader {
  /**
   * What the module calls to give functions their names, and "" if that is not certain:
   * `var b = Object.defineProperty, a = (f, name) => b(f, "name", { value: name, configurable: true })`.
   */
  naming = "";
  /** What `naming` stands on. */
  defining = "";

  /** @param {TokenCursor} cursor @param {VariableScopes} scopes */
  constructor(cursor, scopes) {
    this.cursor = cursor;
    this.scopes = scopes;
    const [, define, name, f, to] = NAMING.exec(cursor.marks.slice(0, 40).join(" ")) ?? [];
    if (define === undefined || new Set([define, name, f, to]).size < 4) return;
    this.defining = define;
    this.naming = name;
  }

  expression() {
    do this.assignment();
    while (this.cursor.skip(","));
  }

  parenthesized() {
    this.cursor.take("(");
    this.expression();
    this.cursor.take(")");
  }

  assignment() {
    const { cursor } = this;
    for (;;) {
      const from = cursor.i;
      if (this.isArrow()) return this.arrow();
      if (cursor.mark === "yield" && cursor.isName) {
        cursor.i += 1;
        const hasStar = cursor.skip("*");
        if (!hasStar && (cursor.isEnd || ENDS.has(cursor.mark) || cursor.startsLine())) return undefined;
        continue;
      }
      this.operand();
      for (;;) {
        if (OPERATORS.has(cursor.mark)) {
          cursor.i += 1;
          this.operand();
        } else if (cursor.skip("?")) {
          this.assignment();
          cursor.take(":");
          this.assignment();
        } else break;
      }
      if (!ASSIGNMENTS.has(cursor.mark)) return undefined;
      this.scopes.assign(from);
      cursor.i += 1;
    }
  }

  operand() {
    const { cursor } = this;
    const from = cursor.i;
    let isAssigned = false;
    while (PREFIXES.has(cursor.mark)) {
      isAssigned ||= cursor.mark === "++" || cursor.mark === "--";
      cursor.i += 1;
    }
    this.member();
    if ((cursor.mark === "++" || cursor.mark === "--") && !cursor.startsLine()) {
      isAssigned = true;
      cursor.i += 1;
    }
    if (isAssigned) this.scopes.assign(from);
  }

  /** What can be called, and its calls and members. */
  member() {
    if (this.cursor.mark === "new" && this.cursor.isName) this.new();
    else this.primary();
    for (;;) if (!this.link(true)) return;
  }

  new() {
    const { cursor } = this;
    cursor.i += 1;
    if (cursor.skip(".")) {
      this.scopes.refer("new.target");
      cursor.i += 1;
      return;
    }
    if (cursor.mark === "new") this.new();
    else this.primary();
    while (this.link(false));
    if (cursor.mark === "(") this.arguments();
  }

  /** One member or call behind an operand. @param {boolean} mayCall @returns {boolean} whether there was one */
  link(mayCall) {
    const { cursor } = this;
    switch (cursor.mark) {
      case ".":
        cursor.i += 1;
        this.memberName();
        return true;
      case "?.":
        cursor.i += 1;
        if (cursor.kind === NAME || cursor.after(0) === "#") this.memberName();
        return true;
      case "[":
        cursor.i += 1;
        this.expression();
        cursor.take("]");
        return true;
      case "(":
        if (mayCall) this.arguments();
        return mayCall;
      case HEAD:
        this.template();
        return true;
      default:
        if (cursor.kind !== TEMPLATE || cursor.mark === TAIL) return false;
        cursor.i += 1;
        return true;
    }
  }

  memberName() {
    const { cursor } = this;
    cursor.skip("#");
    if (!cursor.isName) throw cursor.surprise();
    cursor.i += 1;
  }

  arguments() {
    this.cursor.take("(");
    this.list(")");
  }

  /** Expressions between commas, some of which may be missing. @param {string} end */
  list(end) {
    const { cursor } = this;
    while (!cursor.skip(end)) {
      if (cursor.skip(",")) continue;
      cursor.skip("...");
      this.assignment();
      if (cursor.mark !== ",") {
        cursor.take(end);
        return;
      }
    }
  }

  template() {
    const { cursor } = this;
    do {
      cursor.i += 1;
      this.expression();
    } while (cursor.mark === PIECE);
    cursor.take(TAIL);
  }

  primary() {
    const { cursor } = this;
    const mark = cursor.mark;
    switch (cursor.kind) {
      case STRING:
      case NUMBER:
      case REGEX:
        cursor.i += 1;
        return;
      case TEMPLATE:
        if (mark === TAIL) throw cursor.surprise();
        cursor.i += 1;
        return;
      case NAME:
        this.name(mark);
        return;
      default:
    }
    if (mark === "(") this.parenthesized();
    else if (cursor.skip("[")) this.list("]");
    else if (mark === "{") this.object();
    else if (mark === HEAD) this.template();
    else if (mark === "#") this.memberName();
    else throw cursor.surprise();
  }

  /** @param {string} mark */
  name(mark) {
    const { cursor, scopes } = this;
    if (mark === "function" || (mark === "async" && cursor.after(1) === "function" && !cursor.startsLine(1)))
      return this.function(true);
    if (mark === "class") return this.class(false);
    if (mark === "this" || mark === "super") scopes.refer("this");
    else if (mark !== "import") {
      scopes.check(mark);
      scopes.refer(mark, { isNamed: this.isNamed(), global: this.globalBy(mark) });
    }
    cursor.i += 1;
    return undefined;
  }

  object() {
    const { cursor } = this;
    cursor.take("{");
    while (!cursor.skip("}")) {
      if (cursor.skip(",")) continue;
      if (cursor.skip("...")) {
        this.assignment();
        continue;
      }
      this.methodModifiers();
      const name = cursor.isName ? cursor.mark : null;
      const token = cursor.i;
      this.key();
      if (cursor.mark === "(") this.parametersAndBody(null);
      else if (cursor.skip(":")) this.assignment();
      else {
        if (name === null) throw cursor.surprise();
        this.scopes.check(name);
        this.scopes.refer(name, { token });
        // The default of a pattern.
        if (cursor.skip("=")) this.assignment();
      }
    }
  }

  /**
   * The global that a name means where nobody declares it, or null where it is only asked about: `typeof a`, `b instanceof a`.
   * A member of `globalThis` that is read is a global as well.
   * @param {string} name
   */
  globalBy(name) {
    const { marks, i } = this.cursor;
    if (name === "globalThis") return this.#memberOfGlobal();
    const isAsked = marks[i - 1] === "typeof" || marks[i - 1] === "instanceof";
    const goesOn = [".", "?.", "[", "(", HEAD].includes(marks[i + 1]) || this.cursor.tokens.kinds[i + 1] === TEMPLATE;
    return isAsked && !goesOn ? null : name;
  }

  /** What is meant of `globalThis`: a global whose value is read, `globalThis name` for one that is looked up, or everything. */
  #memberOfGlobal() {
    const { marks, i, tokens } = this.cursor;
    const isLookedUp = marks[i - 2] === "getOwnPropertyDescriptor" && marks[i - 1] === "(" && marks[i + 1] === ",";
    if (isLookedUp && tokens.kinds[i + 2] === STRING && marks[i + 3] === ")")
      return `globalThis ${tokens.text(i + 2).slice(1, -1)}`;
    const after = marks[i + 3];
    const isRead = after === "." || after === "(" || [")", ";", ",", "&&", "||"].includes(after);
    // Parentheses and brackets may be around what is assigned.
    const isTarget = ["delete", "(", "[", "{", ",", ":", "...", "++", "--"].includes(marks[i - 1]);
    const isName = marks[i + 1] === "." && tokens.kinds[i + 2] === NAME;
    return isName && isRead && (!isTarget || after === "." || after === "(") ? marks[i + 2] : "globalThis";
  }

  /** Whether a function is only given its name here, before anything else can happen to it. */
  isNamed() {
    const { marks, i, tokens } = this.cursor;
    if (this.naming === "" || this.scopes.current.kind !== "module") return false;
    if (marks[i - 2] !== this.naming || marks[i - 1] !== "(" || marks[i + 1] !== ",") return false;
    return tokens.kinds[i + 2] === STRING && marks[i + 3] === ")";
  }

  // ---- what expressions contain (function_reader.mjs) -----------------------------------------------------------------

  /** A function from its keyword on. @param {boolean} _isExpression */
  function(_isExpression) {
    throw this.cursor.surprise();
  }

  /** A class from its keyword on. @param {boolean} _isDeclaration */
  class(_isDeclaration) {
    throw this.cursor.surprise();
  }

  /** @returns {boolean} whether an arrow function begins here */
  isArrow() {
    return false;
  }

  arrow() {
    throw this.cursor.surprise();
  }

  /** A method from its parameters on. @param {string|null} _ownName */
  parametersAndBody(_ownName) {
    throw this.cursor.surprise();
  }

  /** `get`, `set`, `async` and `*` in front of the name of a method. */
  methodModifiers() {
    throw this.cursor.surprise();
  }

  /** The name of a property. */
  key() {
    throw this.cursor.surprise();
  }
}
