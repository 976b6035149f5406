/*
 * The crypto interface: randomness comes from the execution's own stream; the algorithms are those of Node.js.
 */
/** @import { UserValue } from "../types/protocol" */
/** @import { Crossing, Facades, Interfaces, RealmApi, RealmHost, UserFunction } from "../types/realm" */
(function (
  /** @type {RealmHost} */ host,
  /** @type {RealmApi} */ api,
  /** @type {Crossing} */ crossing,
  /** @type {Facades} */ facades,
  /** @type {Interfaces} */ outer,
) {
  "use strict";
  const { facade } = facades;
  const { install, refuse, notImplemented, DOMException } = api;
  /** @param {Uint8Array} bytes */
  const randomFill = (bytes) => api.answer(host.randomFill(bytes));
  const { follow, behind, wrap, unwrap } = crossing;
  const { apply, defineProperty } = Reflect;
  const QUOTA = 65536;
  /** Algorithms that draw randomness by themselves, by operation. @type {Record<string, string[]>} */
  const RANDOM = { encrypt: ["RSA-OAEP"], sign: ["RSA-PSS", "ECDSA"] };

  const CryptoKey = facade("CryptoKey", outer.CryptoKey, { isAbstract: true });
  const SubtleCrypto = facade("SubtleCrypto", outer.SubtleCrypto, { isAbstract: true });
  /** @param {object} target @param {string} name @param {UserFunction} value */
  const method = (target, name, value) =>
    defineProperty(target, name, { value, writable: true, enumerable: true, configurable: true });

  /**
   * A pair of keys comes as an object without a prototype, which could as well be user code's.
   * @param {UserValue} result
   */
  const ownKeys = (result) =>
    result instanceof CryptoKey ? result : { publicKey: wrap(result.publicKey), privateKey: wrap(result.privateKey) };

  for (const name of Object.getOwnPropertyNames(outer.SubtleCrypto.prototype)) {
    if (name === "constructor") continue;
    const native = outer.SubtleCrypto.prototype[name];
    if (typeof native !== "function") continue;
    method(
      SubtleCrypto.prototype,
      name,
      {
        /** @param {UserValue[]} args */
        async [name](...args) {
          if (name === "wrapKey" || name === "unwrapKey") return notImplemented(name, "SubtleCrypto");
          const algorithm = typeof args[0] === "string" ? args[0] : args[0]?.name;
          const drawsRandomness = RANDOM[name]?.includes(String(algorithm).toUpperCase());
          if (name === "generateKey" || drawsRandomness) refuse("cryptographic randomness");
          const result = await follow(apply(native, behind.get(this), args.map(unwrap)), `crypto.subtle.${name}`);
          return name === "generateKey" ? ownKeys(result) : result;
        },
      }[name],
    );
  }
  const subtle = (api.faces.subtle = crossing.wrap(outer.crypto.subtle));

  const integerArrays = [
    Int8Array,
    Uint8Array,
    Uint8ClampedArray,
    Int16Array,
    Uint16Array,
    Int32Array,
    Uint32Array,
    BigInt64Array,
    BigUint64Array,
  ];
  class Crypto {
    constructor() {
      throw new TypeError("Illegal constructor");
    }
    get subtle() {
      return subtle;
    }
    /** @param {UserValue} array */
    getRandomValues(array) {
      if (!integerArrays.some((Class) => array instanceof Class)) {
        throw new DOMException("The data argument must be an integer-type TypedArray", "TypeMismatchError");
      }
      if (array.byteLength > QUOTA) {
        throw new TypeError(`The requested length exceeds ${QUOTA} bytes`);
      }
      randomFill(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
      return array;
    }
    randomUUID() {
      const bytes = new Uint8Array(16);
      randomFill(bytes);
      bytes[6] = (bytes[6] & 0x0f) | 0x40;
      bytes[8] = (bytes[8] & 0x3f) | 0x80;
      const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
      return [[0, 8], [8, 12], [12, 16], [16, 20], [20]].map(([start, end]) => hex.slice(start, end)).join("-");
    }
  }
  defineProperty(Crypto.prototype, Symbol.toStringTag, { value: "Crypto", configurable: true });
  install("Crypto", Crypto);
  install("SubtleCrypto", SubtleCrypto);
  install("CryptoKey", CryptoKey);
  install("crypto", Object.create(Crypto.prototype));
});
