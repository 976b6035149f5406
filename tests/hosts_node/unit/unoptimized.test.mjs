/** Work that V8 does not optimize: nothing is optimized meanwhile, and everything can be after it. */
import assert from "node:assert/strict";
import test from "node:test";
import v8 from "node:v8";
import vm from "node:vm";
import { IsolateHost } from "../../../src/parabola/hosts/node/isolate_host.mjs";
import { limits } from "../../../src/parabola/hosts/node/limits.mjs";
import { ModuleSet } from "../../../src/parabola/hosts/node/modules/module_set.mjs";
import { reading, unoptimized } from "../../../src/parabola/hosts/node/unoptimized.mjs";

/** Whether a new function is optimized that is called often. */
function isOptimized() {
  v8.setFlagsFromString("--allow-natives-syntax");
  const asked = vm.compileFunction("return %ActiveTierIsMaglev(f) || %ActiveTierIsTurbofan(f)", ["f"]);
  v8.setFlagsFromString("--no-allow-natives-syntax");
  const salt = Math.random();
  const work = vm.compileFunction(
    `let sum = 0; for (let i = 0; i < 100; i++) sum = (sum * 31 + i * ${salt}) % 7; return sum`,
  );
  for (let i = 0; i < 50_000 && !asked(work); i++) work();
  return asked(work);
}

test("nothing is optimized in what is read meanwhile", () => {
  assert.equal(
    unoptimized(() => reading(isOptimized)),
    false,
  );
  assert.equal(unoptimized(isOptimized), true);
  assert.equal(reading(isOptimized), true);
});

test("a failure is passed on, and what comes after it can be optimized", () => {
  const failing = () => {
    throw new RangeError("no");
  };
  assert.throws(() => unoptimized(() => reading(failing)), RangeError);
  assert.equal(reading(isOptimized), true);
});

test("what V8 has compiled is taken after it", () => {
  const source = "await null; export const answer = 42";
  const modules = new ModuleSet([{ path: "a.js", source }]);
  unoptimized(() => modules.compileNext());
  const { cachedData } = modules.get("a.js");
  assert.ok(cachedData.length > 0);
  assert.doesNotThrow(() => new vm.SourceTextModule(source, { cachedData })); // V8 refuses it under other flags
});

/** How often V8 is told to optimize nothing while a new host loads modules of these lengths, one set after the other. */
function loadings(context, ...lengths) {
  const told = context.mock.method(v8, "setFlagsFromString", () => {});
  const steps = { isBusy: true, memory: {}, onTheHouse: (work) => work() };
  const host = new IsolateHost({ channel: { send: () => {} }, steps, compilesLater: false });
  for (const length of lengths) {
    const module = { path: "a.js", source: `//${"x".repeat(length)}` };
    host.receive({ type: "load", deployment: "d", modules: [module, { ...module, path: "b.js" }], limits });
  }
  const flags = told.mock.calls.map((call) => call.arguments[0]);
  told.mock.restore();
  return flags;
}

test("a host reads a few modules so when it starts", (context) => {
  const [first, second] = loadings(context, 1000);
  assert.deepEqual([first, second], ["--max-optimized-bytecode-size=0", "--max-optimized-bytecode-size=61440"]);
});

test("but not those of another load, when it has work to do, nor many", (context) => {
  assert.equal(loadings(context, 1000, 1000).length, loadings(context, 1000).length);
  assert.deepEqual(loadings(context, 150_000, 1000), []);
});
