import assert from "node:assert/strict";
import { after, test } from "node:test";
import vm from "node:vm";
import { FunctionLocations } from "../../../src/parabola/hosts/node/analysis/function_locations.mjs";

const locations = new FunctionLocations();
after(() => locations.close());
const run = (text) => vm.runInNewContext(text, {}, { filename: "convex:/m.js" });

test("a function is found where its parameters begin, counted from 0", () => {
  const [f, g] = run("const f = (x) => x;\n  function go(y) {}\n[f, go]");
  assert.deepEqual(locations.find(f), { url: "convex:/m.js", line: 0, column: 10 });
  assert.deepEqual(locations.find(g), { url: "convex:/m.js", line: 1, column: 13 });
});

test("what is written in no text is nowhere, and nothing is left behind", () => {
  assert.equal(locations.find(Math.max), null);
  assert.equal(locations.find(run("(function () {}).bind(null)")), null);
  assert.equal(Symbol.for("parabola.probe") in globalThis, false);
});
