import assert from "node:assert/strict";
import { test } from "node:test";
import { readModuleSyntax, UnsupportedSyntax } from "../../../src/parabola/hosts/node/modules/module_syntax.mjs";
import { forAll } from "./random_cases.mjs";

const cut = (source, ranges) => ranges.map(([start, end]) => source.slice(start, end));

test("imports and exports of any form, in any order, are found", () => {
  const statements = [
    (n) => ({ text: `import a${n} from "./m${n}";`, request: true, imports: [["default", `a${n}`]] }),
    (n) => ({
      text: `import { x as b${n}, "odd name" as c${n} } from './m${n}'`,
      request: true,
      imports: [
        ["x", `b${n}`],
        ["odd name", `c${n}`],
      ],
    }),
    (n) => ({
      text: `import d${n}, * as e${n} from "./m${n}";`,
      request: true,
      imports: [["default", `d${n}`]],
      namespace: `e${n}`,
    }),
    (n) => ({ text: `import "./m${n}" with { type: "json" };`, request: true, imports: [] }),
    (n) => ({
      text: `export const f${n} = 1, { g: g${n}, ...h${n} } = y;`,
      exports: [
        [`f${n}`, `f${n}`],
        [`g${n}`, `g${n}`],
        [`h${n}`, `h${n}`],
      ],
    }),
    (n) => ({ text: `export async function* i${n}() {}`, exports: [[`i${n}`, `i${n}`]] }),
    (n) => ({ text: `export class j${n} { static import() {} }`, exports: [[`j${n}`, `j${n}`]] }),
    (n) => ({ text: `const k${n} = 1; export { k${n} as "the ${n}" };`, exports: [[`k${n}`, `the ${n}`]] }),
    (n) => ({ text: `export { x as l${n} } from "./m${n}";`, request: true, reexport: [["x", `l${n}`]] }),
    (n) => ({ text: `export * from "./m${n}";`, request: true, star: true }),
    (n) => ({ text: `export * as n${n} from "./m${n}";`, request: true, reexport: [] }),
    (n) => ({ text: `const o${n} = { import: 1, export: 2 }; o${n}.import;` }),
    (n) => ({ text: `/* import "./no" */ const p${n} = "export { q }" + \`import \${1}\`;` }),
  ];
  forAll(200, (random) => {
    const made = random
      .list(8, () => random.oneOf(statements))
      .map((make, n) => ({ ...make(n), specifier: `./m${n}` }));
    const syntax = readModuleSyntax(made.map(({ text }) => text).join("\n"));
    assert.deepEqual(
      syntax.requests,
      made.filter((one) => one.request).map((one) => one.specifier),
    );
    assert.deepEqual(
      syntax.imports.map(({ names }) => names),
      made.filter((one) => one.imports).map((one) => one.imports),
    );
    assert.deepEqual(
      syntax.exports,
      made.flatMap((one) => one.exports ?? []),
    );
    assert.deepEqual(
      syntax.reexports.map(({ star }) => star),
      made.filter((one) => one.star || one.reexport).map((one) => one.star === true),
    );
    assert.deepEqual(
      syntax.reexports.flatMap(({ names }) => names),
      made.flatMap((one) => one.reexport ?? []),
    );
  });
});

test("a default export gets a name that stands in for it, unless it has its own", () => {
  assert.deepEqual(readModuleSyntax("export default function f() {}").exports, [["f", "default"]]);
  assert.deepEqual(readModuleSyntax("export default class A {}").unnamed, null);
  assert.deepEqual(readModuleSyntax("export default function () {}").unnamed, "hoisted");
  assert.deepEqual(readModuleSyntax("export default 1 + 1").unnamed, "later");
  assert.deepEqual(readModuleSyntax("export default () => 1").exports, [["$dflt", "default"]]);
});

test("dynamic imports and import.meta are found, methods of those names are not", () => {
  const source = 'import("./a"); x.import("b"); ({ import() {} }); import.meta.url; await import(x)';
  const { dynamicImports, metas } = readModuleSyntax(source);
  assert.deepEqual(cut(source, dynamicImports), ["import", "import"]);
  assert.deepEqual(cut(source, metas), ["import.meta"]);
});

test("an export may change where a function, a block or a pattern assigns it", () => {
  const changing = [
    "export let a; function f() { a = 1 }",
    "export let a; () => a++",
    "export let a; async (x) => (x, (a = x))",
    "export let a; const f = () => a = 1, g = 2",
    "export let a; { --a }",
    "export let a; if (x) { a ??= 1 }",
    "export let a; [a] = y;",
    "export let a; ({ b: a = 2 } = y);",
    "export let a; for (a of y) {}",
    "let b; export { b as a }; function f() { b += 1 }",
  ];
  for (const source of changing) assert.equal(readModuleSyntax(source).assigned.size, 1, source);
  const fixed = [
    "export let a = 1;",
    "export let a; a = 1;",
    "export let a; const f = () => 1; a = 1;",
    "export let a; const f = () => { return 1 }\na = 1",
    "export let a; const f = () => 1\nif (f()) a; var b = 1; a = 2",
    "export const a = { b: 1 }; function f() { a.b = 1; x.a = 2; return a === 1 }",
    "export function a() {} function f() { a() }",
    "export let a = 1; function f() { return [a] }",
  ];
  for (const source of fixed) assert.equal(readModuleSyntax(source).assigned.size, 0, source);
});

test("calls of imported names are found, of members and definitions are not", () => {
  const source = 'import { f } from "m"; f(1); f`x`; f?.(2); x.f(3); f; ({ f() {} }); new f(4);';
  const { calls } = readModuleSyntax(source);
  assert.deepEqual(
    calls.map(([, end]) => source.slice(end, end + 3)),
    ["(1)", "`x`", "?.("],
  );
});

test("what it does not understand it refuses", () => {
  for (const source of [
    "{ import x from 'y' }",
    "import.defer('x')",
    "export * as from 'y' x",
    "import x from 'a\\'b'",
  ])
    assert.throws(() => readModuleSyntax(source), UnsupportedSyntax, source);
});
