/** Comparisons of properties see what a loop over them sees, whatever V8 has made of them. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import vm from "node:vm";
import { forAll } from "./random_cases.mjs";

const part = readFileSync(new URL("../../../src/parabola/hosts/node/realm/comparison.js", import.meta.url), "utf8");
const comparisons = vm.runInThisContext(part)((text) => vm.runInThisContext(text));

/** Calls after which V8 has made the best it can of a comparison. */
const MANY = 50;
const SYMBOLS = [Symbol("a"), Symbol("b"), Symbol.iterator];
const KEYS = ["x", "y", "of it", "__proto__", "0", "\u2028", '"', "constructor", ...SYMBOLS];
const VALUES = [0, -0, NaN, 1, "1", "", null, undefined, true, 1n, SYMBOLS[0], {}, [], () => 1];

/** @param {import("./random_cases.mjs").Random} random */
function anObject(random) {
  const inherited = random.oneOf([Object.prototype, null, { x: 1, y: undefined }]);
  const object = random.oneOf([() => Object.create(inherited), () => class {}, () => []])();
  if (random.below(2)) comparisons.makeFast(object);
  return object;
}

const define = (object, key, value) =>
  Object.defineProperty(object, key, { value, writable: true, configurable: true, enumerable: true });

test("a change is seen at once, and no other than a change", () => {
  forAll(60, (random) => {
    const objects = random.list(6, () => anObject(random));
    const keys = objects.map((object) => {
      const some = [...new Set(random.list(6, () => random.oneOf(KEYS)))];
      for (const key of some) define(object, key, random.oneOf(VALUES));
      return some;
    });
    const values = objects.map((object, i) => keys[i].map((key) => object[key]));
    const compare = comparisons.make(objects, keys, values);
    const isSame = () => objects.every((object, i) => keys[i].every((key, j) => Object.is(object[key], values[i][j])));
    for (let i = 0; i < MANY; i++) assert.equal(compare(), true);
    for (let i = 0; i < 8; i++) {
      const at = random.below(objects.length);
      if (!keys[at]?.length) continue;
      const key = random.oneOf(keys[at]);
      if (random.below(4)) define(objects[at], key, random.oneOf(VALUES));
      else delete objects[at][key];
      assert.equal(compare(), isSame());
    }
  });
});

test("keys that would make a text too long are compared as well", () => {
  const texts = [];
  const some = vm.runInThisContext(part)((text) => {
    texts.push(text);
    return vm.runInThisContext(text);
  });
  const object = Object.fromEntries(Array.from({ length: 100 }, (_, i) => ["k".repeat(8000) + i, i]));
  const compare = some.make([object], [Object.keys(object)], [Object.values(object)]);
  assert.deepEqual(texts, []);
  assert.equal(compare(), true);
  object[`${"k".repeat(8000)}99`] = 0;
  assert.equal(compare(), false);
});

test("so many properties that a text would be too long are compared as well", () => {
  const object = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`p${i}`, i]));
  const compare = comparisons.make([object], [Object.keys(object)], [Object.values(object)]);
  assert.equal(compare(), true);
  object.p4999 = 0;
  assert.equal(compare(), false);
});
