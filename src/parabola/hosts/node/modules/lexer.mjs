/**
 * Splits the text of an ES module into tokens, exactly enough to find its import and export statements.
 *
 * The one hard question of lexing JavaScript without parsing it is whether a slash divides or starts a regular
 * expression. It is answered from the token before the slash and from what kind of bracket was just closed, so
 * every open bracket remembers whether its end completes an expression.
 */

export const NAME = 1;
export const PUNCTUATOR = 2;
export const NUMBER = 3;
export const STRING = 4;
export const TEMPLATE = 5;
export const REGEX = 6;

/** Keywords after which an operand follows, so that a slash starts a regular expression and a brace an object. */
export const OPERAND_KEYWORDS = new Set(
  "return typeof instanceof in new delete void throw case await yield default extends".split(" "),
);
const STATEMENT_KEYWORDS = new Set("else do try finally".split(" "));
const CONDITION_KEYWORDS = new Set("if while for with".split(" "));

const IDENTIFIER =
  /(?:[\p{ID_Start}$_]|\\u(?:[0-9a-fA-F]{4}|\{[0-9a-fA-F]+\}))(?:[\p{ID_Continue}$\u200c\u200d]|\\u(?:[0-9a-fA-F]{4}|\{[0-9a-fA-F]+\}))*/uy;
const NUMERIC =
  /0[xX][0-9a-fA-F_]+n?|0[oO][0-7_]+n?|0[bB][01_]+n?|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?[\d_]+)?n?/y;
const REGULAR_EXPRESSION = /\/(?:[^\\/[\n]|\\[^\n]|\[(?:[^\]\\\n]|\\[^\n])*\])+\/[\p{ID_Continue}$]*/uy;
const PUNCTUATORS =
  />>>=|\.\.\.|===|!==|\*\*=|<<=|>>=|>>>|&&=|\|\|=|\?\?=|=>|==|!=|<=|>=|&&|\|\||\?\?|\?\.(?!\d)|\+\+|--|\+=|-=|\*=|\/=|%=|&=|\|=|\^=|<<|>>|\*\*|[{}()[\];,<>+\-*/%&|^!~?:=.@#]/y;

export class LexError extends Error {}

/**
 * @typedef {object} Tokens
 * @property {number[]} kinds
 * @property {number[]} starts
 * @property {number[]} ends
 * @property {number} length
 * @property {(i: number) => string} text
 * @property {(i: number) => boolean} startsLine
 *
 * @typedef {object} Bracket  an open bracket
 * @property {string} opener
 * @property {boolean} isExpression  whether its end completes an expression
 * @property {boolean} isObject
 * @property {boolean} [isTemplate]
 * @property {boolean} [isFunctionExpression]
 * @property {number} conditionals  how many `?` wait for their `:`
 */

/**
 * @param {string} source
 * @returns {Tokens}
 */
export function tokenize(source) {
  /** @type {number[]} */
  const kinds = [];
  /** @type {number[]} */
  const starts = [];
  /** @type {number[]} */
  const ends = [];
  /**
   * Open brackets: {opener, isExpression, isTemplate, isCondition, conditionals, isObject}.
   * @type {Bracket[]}
   */
  const open = [];
  let position = source.startsWith("#!") ? lineEnd(source, 0) : 0;
  /** The bracket that a closing one has ended; there is one where the last token is such. */
  let lastClosed = /** @type {Bracket} */ (/** @type {unknown} */ (null));
  /**
   * Set by `function` and `class` until their parameter list or body opens.
   * @type {{word: string, isExpression: boolean, depth: number}[]}
   */
  const pending = [];

  /** @param {number} i */
  const text = (i) => source.slice(starts[i], ends[i]);
  /** @param {number} kind @param {number} start @param {number} end */
  const push = (kind, start, end) => {
    kinds.push(kind);
    starts.push(start);
    ends.push(end);
    position = end;
  };
  const last = () => kinds.length - 1;
  /** @param {number} i */
  const isMember = (i) => i > 0 && kinds[i - 1] === PUNCTUATOR && [".", "?.", "#"].includes(text(i - 1));

  /** Whether the next token stands where an operand is expected. */
  const operandExpected = () => {
    const i = last();
    if (i < 0) return true;
    const kind = kinds[i];
    if (kind === NAME) {
      const word = text(i);
      return !isMember(i) && (OPERAND_KEYWORDS.has(word) || STATEMENT_KEYWORDS.has(word));
    }
    if (kind !== PUNCTUATOR) return false;
    const mark = text(i);
    if (mark === ")" || mark === "}") return !lastClosed.isExpression;
    return mark !== "]" && mark !== "++" && mark !== "--";
  };

  /** @returns {{isExpression: boolean, isObject: boolean}} */
  const openBrace = () => {
    const i = last();
    const before = i < 0 ? ";" : text(i);
    const owner = pending[pending.length - 1];
    if (owner?.word === "class" && owner.depth === open.length && before !== "extends") {
      pending.pop();
      return { isExpression: owner.isExpression, isObject: true };
    }
    if (i < 0 || (kinds[i] === PUNCTUATOR && (before === ";" || before === "{" || before === "}"))) {
      return { isExpression: false, isObject: false };
    }
    if (kinds[i] === NAME && !isMember(i)) {
      const isObject = OPERAND_KEYWORDS.has(before);
      return { isExpression: isObject, isObject };
    }
    if (before === ")") return { isExpression: lastClosed.isFunctionExpression === true, isObject: false };
    if (before === "=>") return { isExpression: false, isObject: false };
    if (before === ":") {
      const inObject = open.length > 0 && (open[open.length - 1].isObject || open[open.length - 1].opener !== "{");
      const isObject = inObject || lastColonWasConditional;
      return { isExpression: isObject, isObject };
    }
    return { isExpression: true, isObject: true };
  };

  /**
   * A piece that ends in a substitution is followed by an operand, as an opening bracket is.
   * @param {number} start
   */
  const pushTemplatePiece = (start) => {
    const { end, substitution } = templatePieceEnd(source, start + 1);
    push(substitution ? PUNCTUATOR : TEMPLATE, start, end);
    if (substitution)
      open.push({ opener: "${", isExpression: true, isTemplate: true, conditionals: 0, isObject: false });
  };

  let lastColonWasConditional = false;
  const topConditionals = { conditionals: 0 };
  const level = () => open[open.length - 1] ?? topConditionals;

  while (true) {
    position = skipBlank(source, position);
    if (position >= source.length) break;
    const start = position;
    const code = source.charCodeAt(start);

    if (code === 34 || code === 39) {
      push(STRING, start, stringEnd(source, start));
      continue;
    }
    if (code === 96) {
      pushTemplatePiece(start);
      continue;
    }
    if ((code >= 48 && code <= 57) || (code === 46 && isDigit(source.charCodeAt(start + 1)))) {
      NUMERIC.lastIndex = start;
      push(NUMBER, start, start + /** @type {RegExpExecArray} */ (NUMERIC.exec(source))[0].length);
      continue;
    }
    IDENTIFIER.lastIndex = start;
    const word = IDENTIFIER.exec(source)?.[0];
    if (word !== undefined) {
      const isExpression = operandExpected() && !statementPosition(kinds, text, lastClosed);
      push(NAME, start, start + word.length);
      if ((word === "function" || word === "class") && !isMember(last())) {
        pending.push({ word, isExpression, depth: open.length });
      }
      continue;
    }
    if (code === 47 && operandExpected()) {
      REGULAR_EXPRESSION.lastIndex = start;
      const match = REGULAR_EXPRESSION.exec(source);
      if (match === null) throw new LexError(`unreadable regular expression at offset ${start}`);
      push(REGEX, start, start + match[0].length);
      continue;
    }
    PUNCTUATORS.lastIndex = start;
    const mark = PUNCTUATORS.exec(source)?.[0];
    if (mark === undefined) throw new LexError(`unexpected character at offset ${start}`);

    if (mark === "(" || mark === "[" || mark === "{") {
      let bracket;
      if (mark === "{") {
        bracket = { opener: "{", conditionals: 0, ...openBrace() };
      } else if (mark === "(") {
        const i = last();
        const before = i >= 0 && kinds[i] === NAME && !isMember(i) ? text(i) : "";
        const isCondition = CONDITION_KEYWORDS.has(before) || (before === "await" && i > 0 && text(i - 1) === "for");
        const owner = pending[pending.length - 1];
        let isFunctionExpression = false;
        if (owner?.word === "function" && owner.depth === open.length) {
          pending.pop();
          isFunctionExpression = owner.isExpression;
        }
        bracket = { opener: "(", isExpression: !isCondition, conditionals: 0, isObject: false, isFunctionExpression };
      } else {
        bracket = { opener: "[", isExpression: true, conditionals: 0, isObject: false };
      }
      open.push(bracket);
      push(PUNCTUATOR, start, start + 1);
      continue;
    }
    if (mark === "}" && level().isTemplate) {
      lastClosed = /** @type {Bracket} */ (open.pop());
      pushTemplatePiece(start);
      continue;
    }
    if (mark === ")" || mark === "]" || mark === "}") {
      const closed = open.pop();
      if (closed === undefined) throw new LexError(`unbalanced ${mark} at offset ${start}`);
      lastClosed = closed;
      while (pending.length > 0 && pending[pending.length - 1].depth > open.length) pending.pop();
    } else if (mark === "?") {
      level().conditionals += 1;
    } else if (mark === ":") {
      lastColonWasConditional = level().conditionals > 0;
      if (lastColonWasConditional) level().conditionals -= 1;
    } else if (mark === ";") {
      level().conditionals = 0;
    }
    push(PUNCTUATOR, start, start + mark.length);
  }
  if (open.length > 0) throw new LexError("unbalanced brackets at the end");
  /** Whether a line break stands between the token and the one before it. @param {number} i */
  const startsLine = (i) => i > 0 && /[\n\r\u2028\u2029]/.test(source.slice(ends[i - 1], starts[i]));
  return { kinds, starts, ends, length: kinds.length, text, startsLine };
}

/**
 * Whether a `function` or `class` here would be a declaration.
 * @param {number[]} kinds
 * @param {(i: number) => string} text
 * @param {Bracket} lastClosed
 */
function statementPosition(kinds, text, lastClosed) {
  const i = kinds.length - 1;
  if (i < 0) return true;
  const before = text(i);
  if (kinds[i] === NAME) return before === "default" || before === "else" || before === "do" || before === "export";
  if (kinds[i] !== PUNCTUATOR) return false;
  return (
    before === ";" || before === "{" || (before === "}" && !lastClosed.isExpression) || before === ")" || before === ":"
  );
}

/** @param {number} code */
function isDigit(code) {
  return code >= 48 && code <= 57;
}

/** @param {string} source @param {number} from */
function lineEnd(source, from) {
  for (let i = from; i < source.length; i++) {
    const code = source.charCodeAt(i);
    if (code === 10 || code === 13 || code === 0x2028 || code === 0x2029) return i;
  }
  return source.length;
}

/** @param {string} source @param {number} from */
function skipBlank(source, from) {
  let i = from;
  while (i < source.length) {
    const code = source.charCodeAt(i);
    if (
      code === 32 ||
      (code >= 9 && code <= 13) ||
      code === 0xa0 ||
      code === 0xfeff ||
      code === 0x2028 ||
      code === 0x2029
    ) {
      i += 1;
    } else if (code === 47 && source.charCodeAt(i + 1) === 47) {
      i = lineEnd(source, i);
    } else if (code === 47 && source.charCodeAt(i + 1) === 42) {
      const end = source.indexOf("*/", i + 2);
      if (end < 0) throw new LexError(`unterminated comment at offset ${i}`);
      i = end + 2;
    } else if (code > 127 && /\s/u.test(source[i])) {
      i += 1;
    } else {
      break;
    }
  }
  return i;
}

/** @param {string} source @param {number} start */
function stringEnd(source, start) {
  const quote = source.charCodeAt(start);
  for (let i = start + 1; i < source.length; i++) {
    const code = source.charCodeAt(i);
    if (code === 92) i += 1;
    else if (code === quote) return i + 1;
  }
  throw new LexError(`unterminated string at offset ${start}`);
}

/** @param {string} source @param {number} from */
function templatePieceEnd(source, from) {
  for (let i = from; i < source.length; i++) {
    const code = source.charCodeAt(i);
    if (code === 92) i += 1;
    else if (code === 96) return { end: i + 1, substitution: false };
    else if (code === 36 && source.charCodeAt(i + 1) === 123) return { end: i + 2, substitution: true };
  }
  throw new LexError(`unterminated template at offset ${from}`);
}
