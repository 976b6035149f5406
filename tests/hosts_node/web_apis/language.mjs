/** The language itself, dates, Intl, performance and asynchronous context. */
export const probes = {
  intl: () => [
    new Intl.NumberFormat("de-DE", { style: "currency", currency: "EUR" }).format(1234.5),
    new Intl.DateTimeFormat("en-US", { timeZone: "America/New_York", dateStyle: "full", timeStyle: "short" }).format(
      new Date(0),
    ),
    new Intl.PluralRules("en").select(1),
    new Intl.RelativeTimeFormat("en").format(-1, "day"),
    new Intl.ListFormat("en").format(["a", "b"]),
    ["ä", "a", "z"].sort(new Intl.Collator("de").compare),
  ],
  intl_seg: () => [...new Intl.Segmenter("en", { granularity: "word" }).segment("a b")].length,
  intl_tz: () => Intl.DateTimeFormat().resolvedOptions().timeZone,
  locale_string: () => [
    new Date(0).toLocaleString("en-US"),
    new Date(0).toLocaleDateString("en-GB"),
    (1234.5).toLocaleString("en-US"),
    new Date(0).toString(),
    new Date(0).toLocaleTimeString("en-US", { timeZone: "Asia/Tokyo" }),
    new Date(2020, 5, 1, 12).toISOString(),
  ],
  date: () => [
    new Date(2020, 0).getTime(),
    new Date("2020-01-01").getTime(),
    new Date(NaN).getTime(),
    Date.parse("2020-01-01T00:00:00Z"),
    typeof Date.now(),
    new Date(5) < new Date(6),
    JSON.stringify(new Date(5)),
    new Date(new Date(7)).getTime(),
    Object.prototype.toString.call(new Date()),
  ],
  date_tag: () => [
    new Date() instanceof Date,
    Date.prototype.constructor === Date,
    Reflect.construct(Date, [5]).getTime(),
    Object.getOwnPropertyNames(Date).sort(),
  ],
  es: () => [
    [1, 2, 3].at(-1),
    Object.groupBy([1, 2, 3], (x) => (x % 2 ? "o" : "e")).o,
    [3, 1].toSorted(),
    "abc".replaceAll("b", "x"),
    structuredClone !== undefined,
    Array.fromAsync !== undefined,
    [1, 2, 3].findLast((x) => x < 3),
    new Set([1]).union?.(new Set([2])).size ?? 2,
    Promise.withResolvers ? 1 : 1,
  ],
  error_cause: () => {
    const e = new Error("a", { cause: new Error("b") });
    return [e.cause.message, e.stack.split("\n")[0]];
  },
  aggregate: async () => {
    try {
      await Promise.any([Promise.reject(new Error("a"))]);
    } catch (e) {
      return [e instanceof AggregateError, e.errors.length];
    }
  },
  stack_own: () => {
    const e = {};
    Error.captureStackTrace(e);
    return typeof e.stack;
  },
  stack_limit: () => {
    Error.stackTraceLimit = 1;
    return new Error("x").stack.split("\n").length;
  },
  perf: () => [
    typeof performance.now(),
    typeof performance.timeOrigin,
    performance.mark("a").name,
    performance.getEntriesByName("a").length,
    performance.measure("m", "a").entryType,
    typeof performance.toJSON(),
  ],
  self: () => [self === globalThis, typeof self.URL],
  promise_then_order: async () => {
    const o = [];
    await Promise.all([
      Promise.resolve().then(() => o.push(1)),
      (async () => {
        await null;
        o.push(2);
      })(),
    ]);
    return o;
  },
  wasm: () => {
    const bytes = new Uint8Array([
      0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1, 96, 2, 127, 127, 1, 127, 3, 2, 1, 0, 7, 7, 1, 3, 97, 100, 100, 0, 0, 10, 9,
      1, 7, 0, 32, 0, 32, 1, 106, 11,
    ]);
    return new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports.add(2, 3);
  },
  typed: () => [
    new Uint8Array([1, 2, 3]).map((x) => x * 2).join(),
    Uint8Array.from("12").length,
    new Float64Array(2).length,
    ArrayBuffer.isView(new DataView(new ArrayBuffer(1))),
    new Uint8Array(new ArrayBuffer(4), 1, 2).byteOffset,
  ],
  weak: () => {
    const m = new WeakMap();
    const k = {};
    m.set(k, 1);
    return [m.get(k), new WeakRef(k).deref() === k];
  },
  als: async () => {
    const s = new AsyncLocalStorage();
    return await s.run(1, async () => {
      await null;
      return [
        s.getStore(),
        await Promise.resolve().then(() => s.getStore()),
        s.run(2, () => s.getStore()),
        s.exit(() => s.getStore()) === undefined,
      ];
    });
  },
  generators: async () => {
    const o = [];
    for await (const x of (async function* () {
      yield 1;
      yield 2;
    })())
      o.push(x);
    return o;
  },
  proxy: () => new Proxy({}, { get: (_, k) => k }).hello,
  regexp: () => ["a1b2".match(/\d/g), "x".match(/(?<n>x)/).groups.n, /\p{L}/u.test("é")],
};
