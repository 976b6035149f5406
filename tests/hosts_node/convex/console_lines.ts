import { queryGeneric as query } from "convex/server";
import { v } from "convex/values";

class Foo {
  a = 1;
}
class Mine extends Error {
  constructor(message: string) {
    super(message);
    this.name = "Mine";
  }
}
class Tagged {
  get [Symbol.toStringTag]() {
    return "Tagged";
  }
}
const circular: any = { a: 1 };
circular.self = circular;

const VALUES: Record<string, () => unknown[]> = {
  strings: () => ["a'b\n\x07"],
  scalars: () => [1, -0, NaN, 5n, true, null, undefined, Symbol("s")],
  functions: () => [function nm() {}, () => {}, class K {}, Object.assign(function () {}, { x: 1 })],
  errors: () => [
    new Error("boom"),
    Object.assign(new TypeError("t"), { code: 5 }),
    new Error("x", { cause: new Error("c") }),
  ],
  arrays: () => [[], {}, [1, 2, "x"], [1, [2]], [, 1], [{ a: 1 }]],
  objects: () => [
    { a: 1, "c-d": [1], e: { f: null } },
    circular,
    new Foo(),
    Object.assign(Object.create(null), { a: 1 }),
  ],
  builtins: () => [
    new Date(0),
    /x/g,
    new Map<any, any>([
      ["k", "v"],
      [1, { a: 2 }],
    ]),
    new Set([1, "a"]),
    new Map(),
  ],
  binary: () => [new Uint8Array([1, 2]), new ArrayBuffer(2), Promise.resolve(1), new WeakMap(), Object("s"), Object(1)],
  deep: () => [{ a: { b: { c: { d: { e: { f: {} } } } } } }, [[[[[[1]]]]]]],
  symbols: () => [{ [Symbol("q")]: 1 }, { inspect: () => "custom" }],
  env: () => [process.env],
  kinds_of_functions: () => [async function later() {}, function* some() {}, Math.max, class L extends Foo {}],
  kinds_of_errors: () => [
    new Mine("m"),
    new TypeError(),
    new AggregateError([new Error("a")], "all"),
    Object.assign(new Error("x"), { cause: { b: 1 } }),
    new RangeError("two\nlines"),
  ],
  kinds_of_arrays: () => [
    Object.assign([1, 2], { extra: "x" }),
    [1, , 3],
    new (class Mine extends Array {})(1, 2),
    (function (..._: any[]) {
      return arguments;
    })(1, "a"),
  ],
  kinds_of_objects: () => [
    Object.create(null),
    new Tagged(),
    { [Symbol.toStringTag]: "T", a: 1 },
    {
      get x() {
        return 1;
      },
    },
    { "": 1, 1: 2, $x: 3, é: 4 },
    new Proxy({ a: 1 }, {}),
    Math,
  ],
  kinds_of_boxes: () => [Object(true), Object(1n), Object(Symbol("s"))],
  kinds_of_collections: () => [
    new Map<any, any>([
      [{ x: 1 }, [1]],
      [[1, 2], new Map([[3, 4]])],
    ]),
    new Set([new Set([1])]),
    new WeakSet(),
    new DataView(new ArrayBuffer(1)),
    new Date(NaN),
    Object.assign(/x/, { y: 1 }),
  ],
  mixed: () => [
    { a: [{ m: new Map([["k", { s: new Set([{ z: 1 }]), e: new Error("in"), d: new Date(0), f() {} }]]) }] },
  ],
};

export const show = query({
  args: { which: v.string() },
  handler: async (_, { which }) => {
    for (const value of VALUES[which]()) console.log(value);
  },
});
export const levels = query({
  handler: async () => {
    console.debug("d", 1);
    console.error("e");
    console.info("i");
    console.log("l %s", "x");
    console.warn("w");
    console.time();
    console.time();
    console.timeLog("default", { a: 1 });
    console.timeEnd();
    console.timeEnd("missing");
  },
});
export const trace = query({
  handler: async () => {
    console.trace("here", 1);
  },
});
export const absent = query({
  handler: async () =>
    ["table", "group", "groupEnd", "assert", "dir", "count"].map((name) => typeof (console as any)[name]),
});
export const tooMany = query({
  handler: async () => {
    for (let i = 0; i < 300; i++) console.log(i);
  },
});
export const tooLong = query({
  handler: async () => {
    console.log("é".repeat(20_000), "second");
  },
});
export const logThenFail = query({
  handler: async () => {
    console.log("before");
    throw new Error("boom");
  },
});
