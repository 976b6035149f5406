import assert from "node:assert/strict";
import { test } from "node:test";
import { ModuleError, ModuleSet } from "../../../src/parabola/hosts/node/modules/module_set.mjs";

test("a specifier means a path within the deployment, as a URL would", () => {
  const modules = new ModuleSet([]);
  const resolved = [
    ["./b.js", "dir/a.js", "dir/b.js"],
    ["../b.js", "dir/a.js", "b.js"],
    ["../../../b.js", "dir/a.js", "b.js"],
    ["/b.js", "dir/a.js", "b.js"],
    ["convex:/c/b.js", "dir/a.js", "c/b.js"],
    ["./b%20c.js?x#y", "a.js", "b c.js"],
  ];
  for (const [specifier, referrer, path] of resolved) assert.equal(modules.resolve(specifier, referrer), path);
  for (const specifier of ["node:fs", "https://x/y.js", "convex/server", "b.js", "data:text/javascript,1"])
    assert.throws(() => modules.resolve(specifier, "a.js"), ModuleError, specifier);
});

test("a graph has all that is loaded with a module, each once", () => {
  const modules = new ModuleSet([
    { path: "a.js", source: 'import "./b.js"; export * from "./c.js";' },
    { path: "b.js", source: 'import "./a.js";' },
    { path: "c.js", source: 'const later = () => import("./d.js");' },
    { path: "d.js", source: 'import "lodash";' },
  ]);
  assert.deepEqual(modules.graph("a.js").sort(), ["a.js", "b.js", "c.js"]);
  assert.deepEqual(modules.graph("a.js", { isNode: true }).sort(), ["a.js", "b.js", "c.js", "d.js"]);
  assert.throws(() => modules.graph("nope.js"), /Couldn't find JavaScript module 'nope\.js'/);
});

test("every module is compiled once in idle time, broken ones too", () => {
  const modules = new ModuleSet([
    { path: "a.js", source: "export const a = 1;" },
    { path: "b.js", source: "export const = ;" },
  ]);
  assert.deepEqual([modules.compileNext(), modules.compileNext(), modules.compileNext()], [true, true, false]);
  assert.equal(modules.plan("a.js").isNative, false);
  assert.throws(() => modules.plan("b.js"), SyntaxError);
});

test("a name that is not exported is an error of linking", () => {
  const modules = new ModuleSet([
    { path: "a.js", source: 'import { x } from "./b.js";' },
    { path: "b.js", source: "" },
  ]);
  assert.match(modules.plan("a.js").linkError, /'\.\/b\.js' does not provide an export named 'x'/);
});
