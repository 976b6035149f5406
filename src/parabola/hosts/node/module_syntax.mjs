/**
 * Reads the imports and exports of an ES module, and says whether its bindings may be handed over as plain values.
 *
 * An ES import is a live view of the exporter's variable. Where an exported variable is never assigned again once its
 * module has been evaluated, the value is as good as the view. `fixed` is true when that can be shown from the text;
 * the test errs on the safe side, and what it cannot show goes to V8's own module loader instead.
 */
import { NAME, OPERAND_KEYWORDS, PUNCTUATOR, STRING, TEMPLATE, tokenize } from "./lexer.mjs";

export class UnsupportedSyntax extends Error {}

const ASSIGNMENTS = new Set("= += -= *= /= %= **= <<= >>= >>>= &= |= ^= &&= ||= ??= ++ --".split(" "));
const TARGET_ENDS = new Set([",", "]", "}", "="]);

/**
 * @typedef {object} ModuleSyntax
 * @property {{specifier: string, names: [string, string][], namespace: string|null}[]} imports  imported name -> local name
 * @property {{specifier: string, names: [string, string][], star: boolean, namespace: string|null}[]} reexports  name -> exported name
 * @property {string[]} requests  the specifiers of both, in the order of the text
 * @property {[string, string][]} exports  local name -> exported name
 * @property {[number, number][]} statements  ranges of the import and export statements in the text
 * @property {[number, number][]} dynamicImports  ranges of the `import` keyword of dynamic imports
 * @property {[number, number][]} metas  ranges of `import.meta`
 * @property {boolean} fixed  whether no exported variable is assigned after evaluation
 */

/** @returns {ModuleSyntax} */
export function readModuleSyntax(source) {
  const tokens = tokenize(source);
  const syntax = {
    imports: [],
    reexports: [],
    requests: [],
    exports: [],
    statements: [],
    dynamicImports: [],
    metas: [],
    fixed: true,
  };
  let depth = 0;
  for (let i = 0; i < tokens.length; i++) {
    depth += bracketStep(tokens, i);
    if (tokens.kinds[i] !== NAME) continue;
    const word = tokens.text(i);
    if (word === "import" && !isProperty(tokens, i)) i = readImport(tokens, i, depth, syntax);
    else if (word === "export" && depth === 0 && !isProperty(tokens, i)) i = readExport(tokens, i, syntax);
  }
  syntax.fixed = !assignsLater(tokens, new Set(syntax.exports.map(([local]) => local)));
  return syntax;
}

/** How a token changes the bracket depth; pieces of templates open and close a level too. */
function bracketStep(tokens, i) {
  if (tokens.kinds[i] !== PUNCTUATOR && tokens.kinds[i] !== TEMPLATE) return 0;
  const mark = tokens.text(i);
  const closes = mark === ")" || mark === "]" || mark[0] === "}";
  const opens = mark === "(" || mark === "[" || mark === "{" || mark.endsWith("${");
  return (opens ? 1 : 0) - (closes ? 1 : 0);
}

function isProperty(tokens, i) {
  const before = i > 0 && tokens.kinds[i - 1] === PUNCTUATOR ? tokens.text(i - 1) : "";
  const after = i + 1 < tokens.length && tokens.kinds[i + 1] === PUNCTUATOR ? tokens.text(i + 1) : "";
  return before === "." || before === "?." || before === "#" || after === ":";
}

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

function readExport(tokens, start, syntax) {
  let i = start + 1;
  if (tokens.text(i) === "{") {
    const names = [];
    i = readNames(tokens, i, names);
    if (tokens.kinds[i] === NAME && tokens.text(i) === "from") {
      addReexport(syntax, { specifier: stringValue(tokens, i + 1), names, star: false, namespace: null });
      return finish(tokens, start, i + 1, syntax);
    }
    syntax.exports.push(...names);
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
  throw new UnsupportedSyntax("an export declaration");
}

function addReexport(syntax, entry) {
  syntax.reexports.push(entry);
  syntax.requests.push(entry.specifier);
}

/** Reads `{ a, b as c, "d" as e }` from the brace at `i`; returns the index after it. */
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

function nameOrString(tokens, i) {
  return tokens.kinds[i] === STRING ? stringValue(tokens, i) : tokens.text(i);
}

function stringValue(tokens, i) {
  if (tokens.kinds[i] !== STRING) throw new UnsupportedSyntax("a module specifier");
  const text = tokens.text(i);
  if (!text.includes("\\")) return text.slice(1, -1);
  if (text[0] === "'") throw new UnsupportedSyntax("an escaped module specifier");
  return JSON.parse(text);
}

/** Ends a statement at its last token, together with import attributes and a semicolon. */
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

/** Whether `import(` at `i` is a method's name: a body follows its parameter list. */
function isMethod(tokens, i) {
  const close = matching(tokens, i + 1);
  return close + 1 < tokens.length && tokens.text(close + 1) === "{" && tokens.kinds[close + 1] === PUNCTUATOR;
}

function matching(tokens, i) {
  let depth = 0;
  for (; i < tokens.length; i++) {
    depth += bracketStep(tokens, i);
    if (depth === 0) return i;
  }
  return i;
}

/**
 * Whether any of `names` may be assigned inside a function, a block or a pattern. Assignments at the top level run
 * before any importer does, and declarations with an initializer are such assignments.
 */
function assignsLater(tokens, names) {
  if (names.size === 0) return false;
  const patterns = assignedPatterns(tokens);
  let depth = 0;
  let patternEnd = -1;
  for (let i = 0; i < tokens.length; i++) {
    depth += bracketStep(tokens, i);
    if (patterns.has(i)) patternEnd = Math.max(patternEnd, patterns.get(i));
    if (tokens.kinds[i] !== NAME || !names.has(tokens.text(i))) continue;
    const before = i > 0 ? tokens.text(i - 1) : "";
    if (before === "." || before === "?." || before === "#") continue;
    const after = i + 1 < tokens.length && tokens.kinds[i + 1] !== STRING ? tokens.text(i + 1) : "";
    // In a pattern a target ends an element; what follows "=" is a default value.
    if (i < patternEnd && TARGET_ENDS.has(after) && before !== "=") return true;
    if (depth === 0) continue;
    if (ASSIGNMENTS.has(after) || before === "++" || before === "--") return true;
    if ((after === "of" || after === "in") && (before === "(" || before === "await")) return true;
  }
  return false;
}

/** Bracket groups that are assigned to, as start -> end; top-level declarations are left out. */
function assignedPatterns(tokens) {
  const patterns = new Map();
  const open = [];
  for (let i = 0; i < tokens.length; i++) {
    const step = bracketStep(tokens, i);
    if (step > 0) open.push(i);
    if (step >= 0) continue;
    const start = open.pop();
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

/** Whether the bracket at `i` reads a member of what stands before it. */
function isMemberAccess(tokens, i) {
  if (i === 0 || tokens.text(i) !== "[") return false;
  const before = tokens.text(i - 1);
  if (tokens.kinds[i - 1] === NAME) return !OPERAND_KEYWORDS.has(before);
  return before === ")" || before === "]" || before === "?.";
}
