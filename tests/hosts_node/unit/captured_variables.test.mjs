import assert from "node:assert/strict";
import { test } from "node:test";
import vm from "node:vm";
import { OpaqueModule, readCapturedVariables } from "../../../src/parabola/hosts/node/modules/captured_variables.mjs";
import { withoutInsertions } from "../../../src/parabola/hosts/node/modules/module_factory.mjs";

const NAMES = { register: "$keep", watch: "$watch" };
const read = (source) => readCapturedVariables(source, NAMES);
const inserted = (source) => {
  let text = "";
  let position = 0;
  const { insertions } = read(source);
  const order = insertions.map((one, i) => [...one, i]).sort((a, b) => a[0] - b[0] || a[2] - b[2]);
  for (const [at, what] of order) {
    text += source.slice(position, at) + what;
    position = at;
  }
  return text + source.slice(position);
};
/** The variables that the scopes of a program tell of while it runs, by their values. */
const told = (source) => {
  const scopes = [];
  new vm.Script(`"use strict";{${inserted(source)}}`).runInNewContext({
    $keep: (variables) => scopes.push(variables),
    $watch: () => {},
    use: () => {},
  });
  return scopes.map((variables) => [...variables()].filter((one) => typeof one !== "function"));
};

test("only what a function inside uses is told of, in whatever kind of scope", () => {
  const programs = {
    "function f(a, b) { let c = 3; return () => a + c; } f(1, 2);": [[1, 3]],
    "function f(a) { return a; } f(1);": [],
    "const f = (a) => (b) => () => a + b; f(1)(2);": [[1], [2]],
    "const f = (a) => ({ g: () => a }); f(1);": [[1]],
    "const f = async (a) => a, g = async a => () => a; g(1);": [[1]],
    "{ let a = 1, b = 2; use(() => a); }": [[1]],
    "for (let i = 0; i < 2; i++) use(() => i);": [[0], [1]],
    "for (const a of [1, 2]) { use(() => a); }": [[1], [2]],
    "for (const k in { x: 1 }) if (k) use(() => k); else use();": [["x"]],
    "try { throw 1; } catch (e) { use(() => e); }": [[1]],
    "try { throw { a: 1 }; } catch ({ a: b = 2, ...c }) { use(() => [b, c.length]); }": [[1, {}]],
    "function f({ a, b: [c, , d = 4], ...e }, ...rest) { return () => a + c + d + e.x + rest; } f({ a: 1, b: [2] }, 5);":
      [[1, 2, 4, {}, [5]]],
    "class K { m(a) { return { n: () => a }; } static s(b) { return () => b; } } new K().m(1); K.s(2);": [[1], [2]],
    "const o = { get g() { let a = 1; return () => a; }, async *x(b) {}, [`y${1}`](c) { return () => c; } }; o.g; o.y1(3);":
      [[1], [3]],
    "function f() { if (true) { var a = 1; } return () => a; } f();": [[1]],
    "function f(a) { a: for (;;) { break a; } return () => 1; } f(1);": [],
    "const f = (a) => `${((b) => () => a + b)(2)}${`${a}`}`; f(1);": [[1], [2]],
    "const f = (a) => /[/]a/.test(a) / 2 / (() => a)(); f(1);": [[1]],
    "var f = function g(n) { return n ? g(n - 1) : 0; }; f(1);": [],
  };
  for (const [source, scopes] of Object.entries(programs)) {
    assert.deepEqual(JSON.parse(JSON.stringify(told(source))), scopes, source);
    assert.equal(withoutInsertions(inserted(source)), source);
  }
});

test("a shadow is a variable of its own", () => {
  assert.deepEqual(told("function f(a) { { let a = 2; use(() => a); } } f(1);"), [[2]]);
  assert.deepEqual(told("function f(a) { return (a) => () => a; } f(1)(2);"), [[2]]);
  assert.deepEqual(told("function f(a) { return { a() { return 1; }, b: { a: 2 } }.a; } f(1);"), []);
});

test("what a class hides is told of for each instance and for the class", () => {
  const source =
    "class K { #a = 1; #b; static #c = 3; f = () => this; #m() {} has(o) { return #a in o && this?.#a; } } new K();";
  const scopes = [];
  new vm.Script(inserted(source)).runInNewContext({ $keep: (variables) => scopes.push(variables) });
  assert.deepEqual(
    scopes.map((variables) => [...variables()].map((one) => typeof one)),
    [["number"], ["number", "undefined", "object"]],
  );
  assert.match(inserted(source), /#\$keep=\$keep&&\$keep\(\(\)=>\[this\.#a,this\.#b,this\],2\);static #\$keeps=/);
  assert.equal(withoutInsertions(inserted(source)), source);
  assert.equal(
    withoutInsertions(inserted("class A extends B { #a; m() { A; } }")),
    "class A extends B { #a; m() { A; } }",
  );
  assert.match(inserted("class A extends B { #a; }"), /#\$watch=\$watch\(this\);/);
  assert.doesNotMatch(inserted("class A { #a; }"), /\$watch/);
});

test("a variable that is assigned beside its declaration comes first, and is counted", () => {
  const counts = {
    "let a, b = 1; b; a = 2;": 1,
    "let a; [a] = [1];": 1,
    "let a; ({ x: { y: a } } = o);": 1,
    "let a; ({ a = 1 } = o);": 1,
    "let a; for (a of []);": 1,
    "let a; for (a in o);": 1,
    "let a; for ([a] of []);": 1,
    "let a = 0; a++;": 1,
    "let a = 0; --a;": 1,
    "let a; const f = () => { a ??= 1; };": 1,
    "var a = 1; var a = 2;": 1,
    "function f() {} f = 1;": 1,
    "let a = { b: 1 }; a.c = a.b;": 1,
    "const a = 1, b = a + 1; if (a === b) f(a >= b, [a], { a });": 0,
  };
  for (const [source, assigned] of Object.entries(counts)) assert.equal(read(source).assigned, assigned, source);
});

test("a function that is only called is left out, since nobody can get hold of it", () => {
  const { names } = read(`
    var d = Object.defineProperty; var n = (f, to) => d(f, "name", { value: to, configurable: !0 });
    function called() { return called(); } n(called, "called");
    function shown() {} n(shown, "shown"); use(shown);
    function made() {} new made();
    function* generator() {} generator();
    export function exported() {} exported();
  `);
  assert.deepEqual(names.sort(), ["d", "exported", "generator", "made", "n", "shown"]);
  const inside = read(
    'var d = Object.defineProperty; var n = (f, to) => d(f, "name", { value: to, configurable: !0 }); function f() {} { n(f, "f"); }',
  );
  assert.ok(inside.names.includes("f"));
});

test("globals are what a module could lay hands on", () => {
  const globals = (source) =>
    read(source)
      .globals.filter((name) => name !== "use")
      .sort();
  assert.deepEqual(globals("const a = Map; function f(b) { return JSON.parse(b) + Math.PI; }"), [
    "JSON",
    "Map",
    "Math",
  ]);
  assert.deepEqual(globals("if (typeof window > 'u' || x instanceof Blob) use();"), ["x"]);
  assert.deepEqual(globals("typeof a.b; x instanceof c.d;"), ["a", "c", "x"]);
  assert.deepEqual(globals("globalThis.Object.entries(1); use(globalThis.fetch);"), ["Object", "globalThis"]);
  assert.deepEqual(globals('Object.getOwnPropertyDescriptor(globalThis, "window")?.get;'), [
    "Object",
    "globalThis window",
  ]);
  for (const source of [
    "globalThis.x = 1",
    "globalThis.x++",
    "(globalThis.x) = 1",
    "[globalThis.x] = [1]",
    "({ a: globalThis.x } = {})",
    "for (globalThis.x of []);",
    "delete globalThis.x",
    "globalThis['x']",
    "const { x } = globalThis",
    "f(globalThis)",
  ])
    assert.ok(globals(source).includes("globalThis"), source);
  assert.deepEqual(
    globals("const o = { Map() {}, Set: 1 }; o.WeakMap; o?.Date; import.meta; class K { JSON = 1; Math() {} }"),
    [],
  );
  assert.deepEqual(
    globals("import Map, { Set as S, WeakSet } from 'x'; import * as Date from 'y'; Map; S; WeakSet; Date;"),
    [],
  );
});

test("what is not understood, or hides variables, makes a module opaque", () => {
  for (const source of [
    "let \\u0061 = 1;",
    "function f(a, b = () => a) {}",
    "for (let i = 0, f = () => i; ; ) use(f);",
    "switch (1) { case 1: let a; use(() => a); }",
    "function F() { return () => new.target; }",
    "RegExp.$1",
    "a b",
  ])
    assert.throws(() => read(source), OpaqueModule, source);
});
