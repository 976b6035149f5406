/** Work that V8 does not optimize: short readings are, and nothing is different after them. */
import assert from "node:assert/strict";
import test from "node:test";
import v8 from "node:v8";
import vm from "node:vm";
import { unoptimized } from "../../../src/parabola/hosts/node/modules/unoptimized.mjs";

const SHORT = "x";
const LONG = "x".repeat(300 * 1024);

/** @param {string} text  what is said to be read */
function isOptimizedWhileReading(text) {
  v8.setFlagsFromString("--allow-natives-syntax");
  const isOptimized = vm.compileFunction("return %ActiveTierIsMaglev(f) || %ActiveTierIsTurbofan(f)", ["f"]);
  v8.setFlagsFromString("--no-allow-natives-syntax");
  // A new function, which is called often enough.
  const salt = Math.random();
  const work = vm.compileFunction(
    `let sum = 0; for (let i = 0; i < 100; i++) sum = (sum * 31 + i * ${salt}) % 7; return sum`,
  );
  return unoptimized(text, () => {
    for (let i = 0; i < 50_000 && !isOptimized(work); i++) work();
    return isOptimized(work);
  });
}

test("what reads a short text is not optimized", () => {
  assert.equal(isOptimizedWhileReading(SHORT), false);
});

test("what reads a long text is", () => {
  assert.equal(isOptimizedWhileReading(LONG), true);
});

test("a failure is passed on, and what comes after it can be optimized", () => {
  const failing = () => {
    throw new RangeError("no");
  };
  assert.throws(() => unoptimized(SHORT, failing), RangeError);
  assert.equal(isOptimizedWhileReading(LONG), true);
});

test("what V8 has compiled before is taken after", () => {
  const source = "export const answer = 42";
  const cachedData = new vm.SourceTextModule(source).createCachedData();
  unoptimized(SHORT, () => null);
  assert.doesNotThrow(() => new vm.SourceTextModule(source, { cachedData })); // V8 refuses it under other flags
});
