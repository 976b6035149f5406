import assert from "node:assert/strict";
import { test } from "node:test";
import vm from "node:vm";
import { describeThrown, isError } from "../../../src/parabola/hosts/node/failures.mjs";
import { limits } from "../../../src/parabola/hosts/node/limits.mjs";

Object.assign(limits, { errorBytes: 100, resultBytes: 200, valueNesting: 64, arrayLength: 100, objectFields: 100 });
const frames = ["f (a.ts:1:1)"];
const describe = (thrown) => describeThrown(thrown, { of: () => frames });
const convexError = (data) => Object.assign(new Error("m"), { ConvexErrorSymbol: "x", x: true, data });
const hostile = new Proxy(
  {},
  { get: () => assert.fail(), getPrototypeOf: () => assert.fail(), has: () => assert.fail() },
);

test("errors are shown with name and message, other values as V8 shows them", () => {
  class Odd extends TypeError {
    name = "Odd";
  }
  const shown = [
    [new Error("m"), "Uncaught Error: m"],
    [new Odd("m"), "Uncaught Odd: m"],
    [Object.assign(new Error("m"), { name: "" }), "Uncaught m"],
    [new Error(""), "Uncaught Error"],
    [vm.runInNewContext("new RangeError('m')"), "Uncaught RangeError: m"],
    [new DOMException("m", "AbortError"), "Uncaught AbortError: m"],
    ["text", "Uncaught text"],
    [null, "Uncaught null"],
    [Symbol("s"), "Uncaught Symbol(s)"],
    [new (class Point {})(), "Uncaught #<Point>"],
    [{}, "Uncaught #<Object>"],
    [[1], "Uncaught [object Array]"],
    [Object.create(null), "Uncaught [object Object]"],
  ];
  for (const [thrown, text] of shown) assert.deepEqual(describe(thrown), { message: text, frames });
});

test("whatever a value does when it is looked at, it is described", () => {
  const getters = Object.defineProperty(new Error("m"), "message", {
    get() {
      throw new Error("again");
    },
  });
  assert.equal(describe(getters).message, "Uncaught Error");
  assert.equal(describe(hostile).message, "Uncaught exception");
  assert.equal(isError(hostile), false);
});

test("a message is cut at the end of a character, and half of one is repaired", () => {
  const { message } = describe(new Error("é".repeat(100)));
  assert.equal(Buffer.byteLength(message), 100 - ((100 - "Uncaught Error: ".length) % 2));
  assert.match(message, /^Uncaught Error: é+$/);
  assert.equal(describe("\ud83d").message, "Uncaught \ufffd");
});

test("data of a ConvexError goes with it, unless it breaks a limit", () => {
  assert.equal(describe(convexError('{"a":1}')).data, '{"a":1}');
  assert.equal(describe(Object.assign(new Error("m"), { data: "{}" })).data, undefined);
  const large = describe(convexError(JSON.stringify("x".repeat(300))));
  assert.match(large.message, /^ConvexError with invalid data: Value is too large \(302 B > maximum size 200 B\)/);
  assert.equal(large.data, undefined);
  assert.match(describe(convexError("{")).message, /^ConvexError with invalid data: Received invalid json/);
});

test("frames are kept while there is room", () => {
  const long = Array.from({ length: 100 }, () => "f".repeat(1000));
  assert.equal(describeThrown(new Error(), { of: () => long }).frames.length, 65);
});
