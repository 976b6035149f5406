/**
 * Reads the imports and exports of an ES module, and says which of its bindings may be handed over as plain values.
 *
 * An ES import is a live view of the exporter's variable. Where an exported variable is never assigned again once its
 * module has been evaluated, the value is as good as the view. `assigned` has the variables of which that cannot be
 * shown from the text; it errs on the safe side.
 */
import { NAME, OPERAND_KEYWORDS, PUNCTUATOR, STRING, TEMPLATE, tokenize } from "./lexer.mjs";
/** @import { Tokens } from "./lexer.mjs" */

export class UnsupportedSyntax extends Error {}

const ASSIGNMENTS = new Set("= += -= *= /= %= **= <<= >>= >>>= &= |= ^= &&= ||= ??= ++ --".split(" "));
/** Stands in for a default export that has no name: as long as the keyword with the " =" behind it. */
export const DEFAULT = "$dflt";
/** Gives what is called `DEFAULT` the name that it has in ECMAScript. */
export const NAMED = "$named";
/** What begins a statement, so that whatever stands before it has ended. */
const STATEMENTS = new Set(
  "const let var function class export import if for while do return throw try switch async".split(" "),
);
const TARGET_ENDS = new Set([",", "]", "}", "="]);

/**
 * @typedef {object} ModuleSyntax
 * @property {{specifier: string, names: [string, string][], namespace: string|null}[]} imports  imported name -> local name
 * @property {{specifier: string, names: [string, string][], star: boolean, namespace: string|null}[]} reexports  name -> exported name
 * @property {string[]} requests  the specifiers of both, in the order of the text
 * @property {[string, string][]} exports  local name -> exported name
 * @property {[number, number][]} statements  ranges of the import and export statements in the text, or of their keywords
 * @property {[number, number, string][]} edits  ranges of a default export to write otherwise
 * @property {"hoisted"|"later"|null} unnamed  whether the default export is called `DEFAULT` and is to be given its true
 *   name: where the module begins, since it is a function that exists already, or at its end
 * @property {[number, number][]} dynamicImports  ranges of the `import` keyword of dynamic imports
 * @property {[number, number][]} metas  ranges of `import.meta`
 * @property {[number, number][]} calls  ranges of imported names that are called
 * @property {Set<string>} assigned  exported variables that may be assigned after evaluation
 */

/** @returns {ModuleSyntax} @param {string} source */
export function readModuleSyntax(source) {
  const tokens = tokenize(source);
  /** @type {ModuleSyntax} */
  const syntax = {
    imports: [],
    reexports: [],
    requests: [],
    exports: [],
    statements: [],
    dynamicImports: [],
    metas: [],
    edits: [],
    unnamed: null,
    calls: [],
    assigned: new Set(),
  };
  let depth = 0;
  for (let i = 0; i < tokens.length; i++) {
    depth += bracketStep(tokens, i);
    if (tokens.kinds[i] !== NAME) continue;
    const word = tokens.text(i);
    if (word === "import" && !isProperty(tokens, i)) i = readImport(tokens, i, depth, syntax);
    else if (word === "export" && depth === 0 && !isProperty(tokens, i)) i = readExport(tokens, i, syntax);
  }
  syntax.assigned = assignedLater(tokens, new Set(syntax.exports.map(([local]) => local)));
  syntax.calls = callsOf(tokens, new Set(syntax.imports.flatMap(({ names }) => names.map(([, local]) => local))));
  return syntax;
}

/**
 * How a token changes the bracket depth; pieces of templates open and close a level too.
 * @param {Tokens} tokens
 * @param {number} i
 * @returns {number}
 */
function bracketStep(tokens, i) {
  if (tokens.kinds[i] !== PUNCTUATOR && tokens.kinds[i] !== TEMPLATE) return 0;
  const mark = tokens.text(i);
  const closes = mark === ")" || mark === "]" || mark[0] === "}";
  const opens = mark === "(" || mark === "[" || mark === "{" || mark.endsWith("${");
  return (opens ? 1 : 0) - (closes ? 1 : 0);
}

/** @param {Tokens} tokens @param {number} i */
function isProperty(tokens, i) {
  const before = i > 0 && tokens.kinds[i - 1] === PUNCTUATOR ? tokens.text(i - 1) : "";
  const after = i + 1 < tokens.length && tokens.kinds[i + 1] === PUNCTUATOR ? tokens.text(i + 1) : "";
  return before === "." || before === "?." || before === "#" || after === ":";
}

/**
 * @param {Tokens} tokens
 * @param {number} start
 * @param {number} depth
 * @param {ModuleSyntax} syntax
 * @returns {number}
 */
function readImport(tokens, start, depth, syntax) {
  let i = start + 1;
  if (tokens.text(i) === "(") {
    if (!isMethod(tokens, start)) syntax.dynamicImports.push([tokens.starts[start], tokens.ends[start]]);
    return start;
  }
  if (tokens.text(i) === ".") {
    if (tokens.text(i + 1) !== "meta") throw new UnsupportedSyntax("phase imports");
    syntax.metas.push([tokens.starts[start], tokens.ends[i + 1]]);
    return i + 1;
  }
  if (depth !== 0) throw new UnsupportedSyntax("import inside a block");
  /** @type {ModuleSyntax["imports"][number]} */
  const entry = { specifier: "", names: [], namespace: null };
  if (tokens.kinds[i] === NAME) {
    entry.names.push(["default", tokens.text(i)]);
    i += tokens.text(i + 1) === "," ? 2 : 1;
  }
  if (tokens.text(i) === "*") {
    entry.namespace = tokens.text(i + 2);
    i += 3;
  } else if (tokens.text(i) === "{") {
    i = readNames(tokens, i, entry.names);
  }
  if (tokens.kinds[i] === NAME && tokens.text(i) === "from") i += 1;
  entry.specifier = stringValue(tokens, i);
  syntax.imports.push(entry);
  syntax.requests.push(entry.specifier);
  return finish(tokens, start, i, syntax);
}

/** @param {Tokens} tokens @param {number} start @param {ModuleSyntax} syntax @returns {number} */
function readExport(tokens, start, syntax) {
  let i = start + 1;
  if (tokens.text(i) === "{") {
    /** @type {[string, string][]} */
    const listed = [];
    i = readNames(tokens, i, listed);
    if (tokens.kinds[i] === NAME && tokens.text(i) === "from") {
      addReexport(syntax, { specifier: stringValue(tokens, i + 1), names: listed, star: false, namespace: null });
      return finish(tokens, start, i + 1, syntax);
    }
    syntax.exports.push(...listed);
    return finish(tokens, start, i - 1, syntax);
  }
  if (tokens.text(i) === "*") {
    let namespace = null;
    if (tokens.text(i + 1) === "as") {
      namespace = nameOrString(tokens, i + 2);
      i += 2;
    }
    if (tokens.text(i + 1) !== "from") throw new UnsupportedSyntax("export *");
    addReexport(syntax, { specifier: stringValue(tokens, i + 2), names: [], star: namespace === null, namespace });
    return finish(tokens, start, i + 2, syntax);
  }
  const keyword = tokens.text(i);
  const blank = (/** @type {number} */ token) => syntax.statements.push([tokens.starts[token], tokens.ends[token]]);
  if (keyword === "default") return readDefault(tokens, start, i, syntax, blank);
  blank(start);
  /** @type {string[]} */
  const names = [];
  if (keyword === "const" || keyword === "let" || keyword === "var") readDeclared(tokens, i + 1, names);
  else names.push(tokens.text(declaredName(tokens, i) ?? i));
  for (const name of names) syntax.exports.push([name, name]);
  return start;
}

/**
 * Where the name stands of the function or class that is declared at `i`; undefined if it has none.
 * @param {Tokens} tokens
 * @param {number} i
 * @returns {number|undefined}
 */
function declaredName(tokens, i) {
  let at = i;
  if (tokens.text(at) === "async" && tokens.text(at + 1) === "function") at += 1;
  if (tokens.text(at) !== "function" && tokens.text(at) !== "class")
    throw new UnsupportedSyntax("an export declaration");
  const isClass = tokens.text(at) === "class";
  at += tokens.text(at + 1) === "*" ? 2 : 1;
  const isName = tokens.kinds[at] === NAME && !(isClass && tokens.text(at) === "extends");
  return isName ? at : undefined;
}

/**
 * @param {Tokens} tokens
 * @param {number} start
 * @param {number} i
 * @param {ModuleSyntax} syntax
 * @param {(token: number) => void} blank
 * @returns {number}
 */
function readDefault(tokens, start, i, syntax, blank) {
  const next = tokens.text(i + 1);
  const isDeclaration =
    next === "function" || next === "class" || (next === "async" && tokens.text(i + 2) === "function");
  if (isDeclaration) {
    blank(start);
    blank(i);
    const name = declaredName(tokens, i + 1);
    if (name !== undefined) {
      syntax.exports.push([tokens.text(name), "default"]);
      return i;
    }
    let at = next === "async" ? i + 2 : i + 1;
    if (tokens.text(at + 1) === "*") at += 1;
    syntax.edits.push([tokens.ends[at], tokens.ends[at], ` ${DEFAULT}`]);
    if (next !== "class") syntax.unnamed = "hoisted";
    else {
      const body = classBody(tokens, at + 1);
      if (body === null) syntax.unnamed = "later";
      else syntax.edits.push([tokens.ends[body], tokens.ends[body], `static{${NAMED}(this)}`]);
    }
  } else {
    // As long as the keywords: no column changes.
    syntax.edits.push([tokens.starts[start], tokens.ends[start], "const "]);
    syntax.edits.push([tokens.starts[i], tokens.ends[i], `${DEFAULT} =`]);
    syntax.unnamed = "later";
  }
  syntax.exports.push([DEFAULT, "default"]);
  return i;
}

/**
 * Where the body begins of a class whose heritage is at `i`, or null if that is hard to tell.
 * @param {Tokens} tokens
 * @param {number} i
 * @returns {number|null}
 */
function classBody(tokens, i) {
  for (let depth = 0; i < tokens.length; i++) {
    const mark = tokens.kinds[i] === STRING ? "" : tokens.text(i);
    if (mark === "class" || mark === "function") return null;
    if (depth === 0 && mark === "{") return i;
    depth += bracketStep(tokens, i);
  }
  return null;
}

/**
 * The names that a `const`, `let` or `var` declares whose first declarator is at `i`.
 * @param {Tokens} tokens
 * @param {number} i
 * @param {string[]} names
 */
function readDeclared(tokens, i, names) {
  for (;;) {
    i = readTarget(tokens, i, names);
    let depth = 0;
    let broken = false;
    for (; i < tokens.length; i++) {
      const mark = tokens.kinds[i] === STRING ? "" : tokens.text(i);
      if (depth === 0) {
        if (mark === ";" || mark === ",") break;
        if (tokens.startsLine(i)) {
          if (tokens.kinds[i] === NAME && STATEMENTS.has(mark)) return;
          broken = true;
        }
      }
      depth += bracketStep(tokens, i);
    }
    if (i >= tokens.length || tokens.text(i) === ";") return;
    // The comma may belong to another statement.
    if (broken) throw new UnsupportedSyntax("a declaration without an end");
    i += 1;
  }
}

/**
 * Reads the name or the pattern at `i` into `names`; returns the index after it.
 * @param {Tokens} tokens
 * @param {number} i
 * @param {string[]} names
 * @returns {number}
 */
function readTarget(tokens, i, names) {
  const opener = tokens.kinds[i] === STRING ? "" : tokens.text(i);
  if (opener !== "{" && opener !== "[") {
    if (tokens.kinds[i] !== NAME) throw new UnsupportedSyntax("a declaration");
    names.push(opener);
    return i + 1;
  }
  const end = matching(tokens, i);
  i += 1;
  while (i < end) {
    if (tokens.text(i) === ",") i += 1;
    else {
      if (tokens.text(i) === "...") i += 1;
      else if (opener === "{") {
        const key = tokens.kinds[i] === PUNCTUATOR ? matching(tokens, i) : i;
        if (tokens.text(key + 1) === ":") i = key + 2;
      }
      i = readTarget(tokens, i, names);
      for (let depth = 0; i < end && !(depth === 0 && tokens.text(i) === ","); i++) depth += bracketStep(tokens, i);
    }
  }
  return end + 1;
}

/** @param {ModuleSyntax} syntax @param {ModuleSyntax["reexports"][number]} entry */
function addReexport(syntax, entry) {
  syntax.reexports.push(entry);
  syntax.requests.push(entry.specifier);
}

/**
 * Reads `{ a, b as c, "d" as e }` from the brace at `i`; returns the index after it.
 * @param {Tokens} tokens
 * @param {number} i
 * @param {[string, string][]} names
 */
function readNames(tokens, i, names) {
  i += 1;
  while (tokens.text(i) !== "}") {
    const name = nameOrString(tokens, i);
    let alias = name;
    i += 1;
    if (tokens.kinds[i] === NAME && tokens.text(i) === "as") {
      alias = nameOrString(tokens, i + 1);
      i += 2;
    }
    names.push([name, alias]);
    if (tokens.text(i) === ",") i += 1;
    else if (tokens.text(i) !== "}") throw new UnsupportedSyntax("an import or export list");
  }
  return i + 1;
}

/** @param {Tokens} tokens @param {number} i */
function nameOrString(tokens, i) {
  return tokens.kinds[i] === STRING ? stringValue(tokens, i) : tokens.text(i);
}

/** @param {Tokens} tokens @param {number} i @returns {string} */
function stringValue(tokens, i) {
  if (tokens.kinds[i] !== STRING) throw new UnsupportedSyntax("a module specifier");
  const text = tokens.text(i);
  if (!text.includes("\\")) return text.slice(1, -1);
  if (text[0] === "'") throw new UnsupportedSyntax("an escaped module specifier");
  return JSON.parse(text);
}

/**
 * Ends a statement at its last token, together with import attributes and a semicolon.
 * @param {Tokens} tokens
 * @param {number} start
 * @param {number} lastToken
 * @param {ModuleSyntax} syntax
 */
function finish(tokens, start, lastToken, syntax) {
  let i = lastToken;
  const next = i + 1 < tokens.length ? tokens.text(i + 1) : "";
  if ((next === "with" || next === "assert") && tokens.text(i + 2) === "{") {
    i += 2;
    while (tokens.text(i) !== "}") i += 1;
  }
  if (i + 1 < tokens.length && tokens.text(i + 1) === ";") i += 1;
  syntax.statements.push([tokens.starts[start], tokens.ends[i]]);
  return i;
}

/**
 * Whether `import(` at `i` is a method's name: a body follows its parameter list.
 * @param {Tokens} tokens
 * @param {number} i
 */
function isMethod(tokens, i) {
  const close = matching(tokens, i + 1);
  return close + 1 < tokens.length && tokens.text(close + 1) === "{" && tokens.kinds[close + 1] === PUNCTUATOR;
}

/** @param {Tokens} tokens @param {number} i */
function matching(tokens, i) {
  let depth = 0;
  for (; i < tokens.length; i++) {
    depth += bracketStep(tokens, i);
    if (depth === 0) return i;
  }
  return i;
}

/**
 * Where names are called, or tag a template: what a call passes as `this` depends on how the callee is written.
 * @param {Tokens} tokens
 * @param {Set<string>} names
 */
function callsOf(tokens, names) {
  /** @type {[number, number][]} */
  const calls = [];
  if (names.size === 0) return calls;
  for (let i = 0; i + 1 < tokens.length; i++) {
    if (tokens.kinds[i] !== NAME || !names.has(tokens.text(i))) continue;
    const after = tokens.kinds[i + 1] === STRING ? "" : tokens.text(i + 1);
    const isCall = after === "(" || after[0] === "`" || (after === "?." && tokens.text(i + 2) === "(");
    const before = i > 0 ? tokens.text(i - 1) : "";
    if (!isCall || [".", "?.", "#", "function", "new"].includes(before)) continue;
    if (before === "*" && i > 1 && tokens.text(i - 2) === "function") continue;
    if (after === "(" && before !== "extends" && isMethod(tokens, i)) continue;
    calls.push([tokens.starts[i], tokens.ends[i]]);
  }
  return calls;
}

/**
 * Which of `names` may be assigned inside a function, a block or a pattern. Assignments at the top level run before any
 * importer does, and declarations with an initializer are such assignments. The body of an arrow function without braces
 * is taken to go on to the end of its statement.
 * @param {Tokens} tokens
 * @param {Set<string>} names
 * @returns {Set<string>}
 */
function assignedLater(tokens, names) {
  const assigned = new Set();
  if (names.size === 0) return assigned;
  const patterns = assignedPatterns(tokens);
  let depth = 0;
  let patternEnd = -1;
  let isInArrow = false;
  for (let i = 0; i < tokens.length; i++) {
    depth += bracketStep(tokens, i);
    patternEnd = Math.max(patternEnd, patterns.get(i) ?? -1);
    if (depth === 0 && tokens.kinds[i] === PUNCTUATOR) {
      const mark = tokens.text(i);
      if (mark === "=>") isInArrow ||= i + 1 < tokens.length && tokens.text(i + 1) !== "{";
      else if (mark === ";") isInArrow = false;
    }
    if (tokens.kinds[i] !== NAME) continue;
    if (isInArrow && depth === 0 && tokens.startsLine(i) && STATEMENTS.has(tokens.text(i))) isInArrow = false;
    if (!names.has(tokens.text(i))) continue;
    const before = i > 0 ? tokens.text(i - 1) : "";
    if (before === "." || before === "?." || before === "#") continue;
    const after = i + 1 < tokens.length && tokens.kinds[i + 1] !== STRING ? tokens.text(i + 1) : "";
    // In a pattern a target ends an element; what follows "=" is a default value.
    if (i < patternEnd && TARGET_ENDS.has(after) && before !== "=") assigned.add(tokens.text(i));
    if (depth === 0 && !isInArrow) continue;
    if (ASSIGNMENTS.has(after) || before === "++" || before === "--") assigned.add(tokens.text(i));
    if ((after === "of" || after === "in") && (before === "(" || before === "await")) assigned.add(tokens.text(i));
  }
  return assigned;
}

/**
 * Bracket groups that are assigned to, as start -> end; top-level declarations are left out.
 * @param {Tokens} tokens
 * @returns {Map<number, number>}
 */
function assignedPatterns(tokens) {
  const patterns = new Map();
  const open = [];
  for (let i = 0; i < tokens.length; i++) {
    const step = bracketStep(tokens, i);
    if (step > 0) open.push(i);
    if (step >= 0) continue;
    const start = /** @type {number} */ (open.pop());
    const opener = tokens.text(start);
    if ((opener !== "[" && opener !== "{") || isMemberAccess(tokens, start)) continue;
    const after = i + 1 < tokens.length ? tokens.text(i + 1) : "";
    const before = start > 0 ? tokens.text(start - 1) : "";
    // A declaration inside a function makes variables of its own.
    const isDeclaration = ["var", "let", "const"].includes(before) || (open.length === 0 && before === ",");
    const isLoopTarget = (after === "of" || after === "in") && before === "(";
    if ((after === "=" && !isDeclaration) || isLoopTarget) patterns.set(start, i);
  }
  return patterns;
}

/**
 * Whether the bracket at `i` reads a member of what stands before it.
 * @param {Tokens} tokens
 * @param {number} i
 */
function isMemberAccess(tokens, i) {
  if (i === 0 || tokens.text(i) !== "[") return false;
  const before = tokens.text(i - 1);
  if (tokens.kinds[i - 1] === NAME) return !OPERAND_KEYWORDS.has(before);
  return before === ")" || before === "]" || before === "?.";
}
