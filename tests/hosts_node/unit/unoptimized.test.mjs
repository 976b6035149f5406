/** Work that V8 does not optimize: nothing is optimized meanwhile, and everything can be after it. */
import assert from "node:assert/strict";
import test from "node:test";
import v8 from "node:v8";
import vm from "node:vm";
import { IsolateHost } from "../../../src/parabola/hosts/node/isolate_host.mjs";
import { limits } from "../../../src/parabola/hosts/node/limits.mjs";
import { unoptimized } from "../../../src/parabola/hosts/node/unoptimized.mjs";

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

test("nothing is optimized meanwhile", () => {
  assert.equal(unoptimized(isOptimized), false);
  assert.equal(isOptimized(), true);
});

test("a failure is passed on, and what comes after it can be optimized", () => {
  const failing = () => {
    throw new RangeError("no");
  };
  assert.throws(() => unoptimized(failing), RangeError);
  assert.equal(isOptimized(), true);
});

test("what V8 has compiled before is taken after", () => {
  const source = "export const answer = 42";
  const cachedData = new vm.SourceTextModule(source).createCachedData();
  unoptimized(() => null);
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
  return told.mock.calls.map((call) => call.arguments[0]);
}

test("a host reads a few modules so when it starts", (context) => {
  assert.deepEqual(loadings(context, 1000), ["--max-optimized-bytecode-size=0", "--max-optimized-bytecode-size=61440"]);
});

test("but not those of another load, when it has work to do, nor many", (context) => {
  assert.equal(loadings(context, 1000, 1000).length, 2);
  assert.deepEqual(loadings(context, 150_000, 1000), []);
});
