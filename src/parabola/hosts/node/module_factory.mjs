/**
 * Turns an ES module into a function that evaluates it, so that a fresh instance costs one call.
 *
 * The text keeps every line and column: import and export statements become blanks, and what is put in front of the
 * first line is taken off again by the script's column offset. So positions in stack traces stay those of the module.
 */
import vm from "node:vm";
import { UnsupportedSyntax } from "./module_syntax.mjs";

/** Stands in for `import` in dynamic imports: as long as the keyword, and no name that a bundler makes. */
const DYNAMIC_IMPORT = "$imprt";
const META = "$meta()";

/**
 * @param {string} source
 * @param {import("./module_syntax.mjs").ModuleSyntax} syntax
 * @param {string} url  what stack frames show as the file
 * @returns {vm.Script} a script whose completion value is `(dependencies, dynamicImport, meta) => exports`, where
 *   `dependencies` holds for each import {values, namespace}
 */
export function compileFactory(source, syntax, url) {
  if (source.includes(DYNAMIC_IMPORT) || source.includes("$meta")) throw new UnsupportedSyntax("a reserved name");
  const prefix = `(function($dependencies,${DYNAMIC_IMPORT},$meta){"use strict";${syntax.imports.map(binding).join("")}`;
  const exports = syntax.exports.map(([local, name]) => `${key(name)}:${local}`).join(",");
  const text = `${prefix}${blankOut(source, syntax)}\nreturn{__proto__:null,${exports}}})`;
  return new vm.Script(text, { filename: url, columnOffset: -prefix.length });
}

function binding({ names, namespace }, index) {
  let text = "";
  if (names.length > 0) {
    const pairs = names.map(([name, local]) => `${key(name)}:${local}`).join(",");
    text += `const{${pairs}}=$dependencies[${index}].values;`;
  }
  if (namespace !== null) text += `const ${namespace}=$dependencies[${index}].namespace;`;
  return text;
}

/** A property name that means only itself: a bare `__proto__: x` would set the prototype. */
function key(name) {
  return `[${JSON.stringify(name)}]`;
}

function blankOut(source, syntax) {
  const edits = [
    ...syntax.statements.map(([start, end]) => [
      start,
      end,
      source.slice(start, end).replace(/[^\n\r\u2028\u2029]/g, " "),
    ]),
    ...syntax.dynamicImports.map(([start, end]) => [start, end, DYNAMIC_IMPORT]),
    ...syntax.metas.map(([start, end]) => [start, end, META.padEnd(end - start)]),
  ].sort((a, b) => a[0] - b[0]);
  let text = "";
  let position = 0;
  for (const [start, end, replacement] of edits) {
    text += source.slice(position, start) + replacement;
    position = end;
  }
  return text + source.slice(position);
}
