/**
 * Turns an ES module into a function that evaluates it, so that a fresh instance costs one call.
 *
 * Imports become constants of the function wherever the exporter's value can no longer change (module_syntax.mjs). The
 * others are live: they are looked up in a scope object, around the function, whose properties read the exporter's
 * variable. A module of an import cycle is a generator: its first step makes its functions and shows its variables, as
 * ECMAScript links before it evaluates, and its second step evaluates it.
 *
 * The text keeps every line and nearly every column: import and export statements become blanks, and what is put in front
 * of the first line is taken off again by the script's column offset. Where a call of a live import had to be rewritten,
 * `ColumnShifts` leads back. So positions in stack traces stay those of the module.
 */
import vm from "node:vm";
import { ColumnShifts } from "./column_shifts.mjs";
import { DEFAULT, NAMED, UnsupportedSyntax } from "./module_syntax.mjs";
/** @import { CapturedVariables } from "./captured_variables.mjs" */
/** @import { ModuleSyntax } from "./module_syntax.mjs" */

/** Stands in for `import` in dynamic imports: as long as the keyword, and no name that a bundler makes. */
const DYNAMIC_IMPORT = "$imprt";
const META = "$meta()";
/** Gives back what it is given: a function that is not called as a member of the scope object. */
const AS_IT_IS = "$asis";
/** What a module that is to be kept calls, if there is need (captured_variables.mjs). */
export const KEEPING = { register: "$keep", watch: "$watch" };
const { register: REGISTER, watch: WATCH } = KEEPING;
const RESERVED = [DYNAMIC_IMPORT, "$meta", AS_IT_IS, "$values", "$live", NAMED, DEFAULT, REGISTER, WATCH];

/** What modules that are to be kept have between the lines of their authors (variable_scopes.mjs). */
const INSERTED = new RegExp(
  [
    "static\\{@&&@\\(\\(\\)=>\\[[^\\]]*\\],\\d+\\)\\}",
    "(?:static )?#@s?=@&&@\\(\\(\\)=>\\[[^\\]]*\\],\\d+\\);",
    "#%=%\\(this\\);",
    "[({]/\\*@\\*/",
    "/\\*@\\*/[)}]",
    "@&&@\\(\\(\\)=>\\[[^\\]]*\\],\\d+\\)[;,]",
  ]
    .join("|")
    .replaceAll("@", "\\$keep")
    .replaceAll("%", "\\$watch"),
  "g",
);

/** The text of a function as its author knows it. @param {string} text */
export const withoutInsertions = (text) => (text.includes("$") ? text.replaceAll(INSERTED, "") : text);

/**
 * @typedef {object} Factory
 * @property {vm.Script} script  its completion value is `(scope) => factory`, where `scope` has the live imports
 * @property {ColumnShifts|null} shifts  null where all columns are as they were
 * @property {string} text  of the script
 */

/**
 * @typedef {object} FactoryOptions
 * @property {string[]} constants  names of imports that are given as values, in this order
 * @property {boolean} isLive  whether there are other imports, which are live
 * @property {boolean} isEarly  whether the module may be used before it has been evaluated
 * @property {[string, string][]} exports  its own: local name -> exported name
 * @property {CapturedVariables|null} captured  what the module is to tell of; null where nobody asks
 */

/**
 * @param {string} source
 * @param {ModuleSyntax} syntax
 * @param {FactoryOptions & {url: string}} options  url: what stack frames show as the file
 * @returns {Factory} the factory is `(values, dynamicImport, meta, asItIs, named, register, watch) => exports`, or a generator
 *   function that yields the exports first. Exports that may change are accessors.
 */
export function compileFactory(source, syntax, { url, constants, isLive, isEarly, exports, captured }) {
  const taken = RESERVED.find((name) => source.includes(name));
  if (taken !== undefined) throw new UnsupportedSyntax(`the reserved name ${taken}`);
  const declared = constants.map((name, i) => `${name}=$values[${i}]`).join(",");
  const entries = exports.map(([local, name]) =>
    isEarly || syntax.assigned.has(local) ? `get ${key(name)}(){return ${local}}` : `${key(name)}:${local}`,
  );
  const shown = `{__proto__:null,${entries.join(",")}}`;
  const head = isLive ? "with($live){" : "";
  const named = `${NAMED}(${DEFAULT});`;
  const prefix =
    `(function($live){${head}return function${isEarly ? "*" : ""}($values,${DYNAMIC_IMPORT},$meta,${AS_IT_IS},${NAMED},${REGISTER},${WATCH}){"use strict";` +
    `${declared === "" ? "" : `const ${declared};`}` +
    `${syntax.unnamed === "hoisted" ? named : ""}${isEarly ? `yield${shown};` : ""}`;
  const told =
    captured === null
      ? ""
      : `${REGISTER}&&${REGISTER}(()=>[${variables(syntax, captured)}],${captured.assigned});${REGISTER}=void 0;`;
  const suffix = `\n${syntax.unnamed === "later" ? named : ""}${told}${isEarly ? "" : `return${shown}`}}${isLive ? "}" : ""}})`;
  const { text, shifts } = rewrite(source, syntax, isLive, captured);
  const whole = prefix + text + suffix;
  return { script: new vm.Script(whole, { filename: url, columnOffset: -prefix.length }), shifts, text: whole };
}

/** @param {ModuleSyntax} syntax @param {CapturedVariables} captured */
function variables(syntax, captured) {
  return (syntax.unnamed === null ? captured.names : [...captured.names, DEFAULT]).join();
}

/**
 * A property name that means only itself: a bare `__proto__: x` would set the prototype.
 * @param {string} name
 */
function key(name) {
  return `[${JSON.stringify(name)}]`;
}

/** @typedef {[number, number, string]} Edit  start, end, and what stands there instead */

/** @param {number} start @param {number} end @param {string} replacement @returns {Edit} */
const edit = (start, end, replacement) => [start, end, replacement];

/**
 * @param {string} source
 * @param {ModuleSyntax} syntax
 * @param {boolean} isLive
 * @param {CapturedVariables|null} captured
 */
function rewrite(source, syntax, isLive, captured) {
  /** @param {string} statement */
  const blank = (statement) => statement.replace(/[^\n\r\u2028\u2029]/g, " ");
  /** @type {Edit[]} */
  const edits = [
    ...(captured?.insertions ?? []).map(([at, inserted]) => edit(at, at, inserted)),
    ...syntax.statements.map(([start, end]) => edit(start, end, blank(source.slice(start, end)))),
    ...syntax.dynamicImports.map(([start, end]) => edit(start, end, DYNAMIC_IMPORT)),
    ...syntax.metas.map(([start, end]) => edit(start, end, META.padEnd(end - start))),
    ...syntax.edits,
    ...(isLive ? syntax.calls.map(([start, end]) => edit(start, end, `${AS_IT_IS}(${source.slice(start, end)})`)) : []),
  ].sort((a, b) => a[0] - b[0]);
  let text = "";
  let position = 0;
  for (const [start, end, replacement] of edits) {
    text += source.slice(position, start) + replacement;
    position = end;
  }
  return { text: text + source.slice(position), shifts: ColumnShifts.of(source, edits) };
}
