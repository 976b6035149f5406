/** Everything that a function may try to let out. */
const nested = (levels: number) => {
  let value: any = [];
  for (let i = 1; i < levels; i++) value = [value];
  return value;
};
const throws = (): never => {
  throw new Error("from within");
};
const revoked = () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};
const cyclic = () => {
  const value: any = {};
  value.self = value;
  return value;
};

export const CONTENTS: Record<string, () => any> = {
  half: () => "👍".slice(0, 1),
  otherHalf: () => "👍".slice(1),
  turned: () => "\udc4d\ud83d",
  nul: () => "a\0b",
  separators: () => "\u2028\u2029\n\r\u0085\ufeff",
  emojiKey: () => ({ "👍": 1 }),
  halfKey: () => ({ "\ud83d": 1 }),
  inside: () => ({ list: [{ text: "ok" }, { text: "\ud83d" }] }),
  deep64: () => nested(64),
  deep65: () => nested(65),
  deep1100: () => nested(1100),
  wide: () => Object.fromEntries(Array.from({ length: 1100 }, (_, i) => [`f${i}`, i])),
  long: () => Array.from({ length: 9000 }, (_, i) => i),
  nan: () => NaN,
  negativeZero: () => -0,
  infinity: () => Infinity,
  unsafe: () => 2 ** 53,
  int64: () => 2n ** 63n - 1n,
  beyondInt64: () => 2n ** 63n,
  bytes: () => new ArrayBuffer(8),
  nothing: () => undefined,
  symbol: () => Symbol("\ud83d"),
  function: () => throws,
  date: () => new Date(NaN),
  set: () => new Set([1]),
  cyclic,
  revoked,
  proxy: () => new Proxy({}, { get: throws, ownKeys: throws, getPrototypeOf: throws, has: throws }),
  throwingGetter: () => ({
    get field() {
      return throws();
    },
  }),
  throwingToJson: () => ({ toJSON: throws }),
  throwingToString: () => ({ toString: throws, valueOf: throws }),
  throwingToPrimitive: () => ({ [Symbol.toPrimitive]: throws }),
  nullPrototype: () => Object.create(null),
  foreign: () => new (class Foreign {})(),
};

/** An exception of which nothing can be read without another. */
export function unreadable(data: any): Error {
  const error = new Error("x");
  for (const name of ["message", "name", "stack", "data", "toString", "constructor", "ConvexErrorSymbol"])
    Object.defineProperty(error, name, { get: throws });
  Object.defineProperty(error, "payload", { value: data });
  return error;
}

/** An exception whose parts are no strings. */
export function misshapen(part: any): Error {
  return Object.assign(new Error("x"), { message: part, name: part, stack: part, data: part, toString: part });
}
