/*
 * structuredClone, made of this realm's own objects.
 */
/** @import { UserValue } from "../types/protocol" */
/** @import { Crossing, RealmApi, RealmHost } from "../types/realm" */
(function (/** @type {RealmHost} */ host, /** @type {RealmApi} */ api, /** @type {Crossing} */ crossing) {
  "use strict";
  const { install, raise, DOMException } = api;
  const { behind } = crossing;
  const { apply } = Reflect;
  /** @param {unknown} value @returns {string} */
  const tagOf = (value) => apply(Object.prototype.toString, value, []).slice(8, -1);
  /** @type {Record<string, ErrorConstructor>} */
  const ERRORS = { EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };
  /** @param {UserValue} value */
  const refuse = (value) => {
    const text =
      typeof value === "symbol"
        ? String(value)
        : typeof value === "function"
          ? Function.prototype.toString.call(value)
          : `#<${value.constructor?.name ?? "Object"}>`;
    return new DOMException(`${text} could not be cloned.`, "DataCloneError");
  };

  /** @param {UserValue} value @param {Map<object, unknown>} seen @returns {UserValue} */
  function clone(value, seen) {
    if (typeof value === "symbol" || typeof value === "function") throw refuse(value);
    if (typeof value !== "object" || value === null) return value;
    if (seen.has(value)) return seen.get(value);
    /** @param {UserValue} copy */
    const keep = (copy) => {
      seen.set(value, copy);
      return copy;
    };
    if (Array.isArray(value)) return cloneProperties(value, keep(new Array(value.length)), seen);
    if (value instanceof Date) return keep(new Date(value.getTime()));
    if (value instanceof RegExp) return keep(new RegExp(value.source, value.flags));
    if (value instanceof Map) {
      const copy = keep(new Map());
      for (const [key, item] of [...value]) copy.set(clone(key, seen), clone(item, seen));
      return copy;
    }
    if (value instanceof Set) {
      const copy = keep(new Set());
      for (const item of [...value]) copy.add(clone(item, seen));
      return copy;
    }
    if (value instanceof ArrayBuffer) return keep(value.slice(0));
    if (value instanceof SharedArrayBuffer) return keep(value);
    if (ArrayBuffer.isView(value)) {
      const buffer = clone(value.buffer, seen);
      return keep(
        new /** @type {any} */ (value).constructor(
          buffer,
          value.byteOffset,
          value instanceof DataView ? value.byteLength : /** @type {any} */ (value).length,
        ),
      );
    }
    if (value instanceof Error) return cloneError(value, keep, seen);
    if (["Number", "String", "Boolean", "BigInt"].includes(tagOf(value)) && typeof value.valueOf() !== "object") {
      return keep(Object(value.valueOf()));
    }
    if (behind.has(value) || value instanceof Promise || value instanceof WeakMap || value instanceof WeakSet)
      throw refuse(value);
    return cloneProperties(value, keep({}), seen);
  }

  /** @param {UserValue} value @param {UserValue} copy @param {Map<object, unknown>} seen */
  function cloneProperties(value, copy, seen) {
    for (const key of Object.keys(value)) {
      Object.defineProperty(copy, key, {
        value: clone(value[key], seen),
        writable: true,
        enumerable: true,
        configurable: true,
      });
    }
    return copy;
  }

  /**
   * @param {UserValue} value
   * @param {(copy: UserValue) => UserValue} keep
   * @param {Map<object, unknown>} seen
   */
  function cloneError(value, keep, seen) {
    const copy = keep(Object.create((ERRORS[value.name] ?? Error).prototype));
    for (const key of ["message", "stack", "cause"]) {
      if (!Object.hasOwn(value, key)) continue;
      const item = key === "cause" ? clone(value.cause, seen) : `${value[key]}`;
      Object.defineProperty(copy, key, { value: item, writable: true, enumerable: false, configurable: true });
    }
    return copy;
  }

  install("structuredClone", function structuredClone(value, options) {
    if (options?.transfer?.length > 0) throw raise(host.fatal("structuredClone with transfer not supported"));
    return clone(value, new Map());
  });
});
