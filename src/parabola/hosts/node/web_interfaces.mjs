/** The host's own objects that the realms' web interfaces stand on. */
import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";

const TypedArray = Object.getPrototypeOf(Uint8Array);

/** @param {string[]} names @returns {Record<string, any>} */
const named = (names) => Object.fromEntries(names.map((name) => [name, /** @type {any} */ (globalThis)[name]]));
/** @param {Function[]} classes @returns {Record<string, object>} */
const prototypes = (classes) => Object.fromEntries(classes.map((one) => [one.name, one.prototype]));

/** What values of the host are recognized by when they cross into a realm. */
export const outer = {
  global: globalThis,
  then: Promise.prototype.then,
  promise: Promise.prototype,
  Promise,
  Uint8Array,
  array: Array.prototype,
  object: Object.prototype,
  buffer: Buffer.prototype,
  errors: prototypes([Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError, AggregateError]),
  buffers: prototypes(
    [
      ArrayBuffer,
      SharedArrayBuffer,
      DataView,
      ...[Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array],
      ...[Float32Array, Float64Array, BigInt64Array, BigUint64Array],
    ].filter((one) => one !== TypedArray),
  ),
};

export const interfaces = {
  ...named(
    (
      "URL URLSearchParams DOMException Event EventTarget AbortController AbortSignal Headers FormData Request Response " +
      "Blob File TextDecoder TextEncoder TextEncoderStream TextDecoderStream " +
      "ReadableStream ReadableStreamDefaultReader ReadableStreamBYOBReader ReadableStreamDefaultController " +
      "ReadableByteStreamController ReadableStreamBYOBRequest WritableStream WritableStreamDefaultWriter " +
      "WritableStreamDefaultController TransformStream TransformStreamDefaultController Crypto SubtleCrypto CryptoKey " +
      "fetch atob btoa"
    ).split(" "),
  ),
  crypto: globalThis.crypto,
  AsyncLocalStorage,
  AsyncResource,
};
