/*
 * Values that cross between user code's realm and the host's, so that `instanceof` holds on both sides.
 *
 * Objects of web interfaces have two faces: the host's object does the work, user code holds a face made in its own
 * realm (facades.js). Errors, buffers and plain data that the host made for one caller become this realm's own by
 * taking on its prototypes. Promises are followed by a promise of this realm.
 */
/** @import { UserValue } from "../types/protocol" */
/** @import { Crossing, Outer, RealmHost, UserFunction } from "../types/realm" */
(function (/** @type {RealmHost} */ host, /** @type {Outer} */ outer) {
  "use strict";
  const { apply, defineProperty, getOwnPropertyDescriptor } = Reflect;
  const { getPrototypeOf, setPrototypeOf } = Object;
  const { isArray } = Array;
  /** @type {Record<string, any>} */
  const own = globalThis;
  const isView = ArrayBuffer.isView;
  const objectPrototype = Object.prototype;
  const iteratorPrototype = getPrototypeOf(getPrototypeOf([][Symbol.iterator]()));
  const asyncIteratorPrototype = getPrototypeOf(getPrototypeOf(getPrototypeOf((async function* () {})())));

  /** Face -> the host's object, and back. @type {WeakMap<object, any>} */
  const behind = new WeakMap();
  /** @type {WeakMap<object, object>} */
  const faces = new WeakMap();
  /**
   * The host's prototypes -> what to do with their objects.
   * @type {Map<object, (value: any, proto: object) => UserValue>}
   */
  const handlers = new Map();

  /** @template {object} F @param {F} face @param {object} object @returns {F} */
  const link = (face, object) => {
    behind.set(face, object);
    faces.set(object, face);
    return face;
  };

  /** @param {unknown} value */
  const isObject = (value) => (typeof value === "object" && value !== null) || typeof value === "function";

  /**
   * What user code sees of a value of the host.
   * @param {UserValue} value
   * @returns {UserValue}
   */
  function wrap(value) {
    if (!isObject(value)) return value;
    const face = faces.get(value);
    if (face !== undefined) return face;
    if (typeof value === "function") return value;
    for (let proto = getPrototypeOf(value); proto !== null; proto = getPrototypeOf(proto)) {
      const handler = handlers.get(proto);
      if (handler !== undefined) return handler(value, proto);
    }
    return value;
  }

  /**
   * What the host is given for a value of user code: lists and option objects are copied, callbacks are wrapped.
   * @param {UserValue} value
   * @returns {UserValue}
   */
  function unwrap(value) {
    if (!isObject(value)) return value;
    const object = behind.get(value);
    if (object !== undefined) return object;
    if (typeof value === "function") return unwrapCallback(value);
    if (isArray(value)) return value.map(unwrap);
    // Some interfaces of Node.js know only the buffers of their own realm, but views of any.
    if (value instanceof ArrayBuffer) return new outer.Uint8Array(value);
    const proto = getPrototypeOf(value);
    if (proto !== objectPrototype && proto !== null) return value;
    /** @type {Record<string, unknown>} */
    const copy = /** @type {any} */ ({ __proto__: null });
    for (const key of Object.keys(value)) copy[key] = unwrap(/** @type {Record<string, UserValue>} */ (value)[key]);
    return copy;
  }

  /** @param {Function} callback @returns {Function} */
  function unwrapCallback(callback) {
    const known = behind.get(callback);
    if (known !== undefined) return known;
    /** @type {UserFunction} */
    const wrapped = function (...args) {
      // Where no receiver is given, Node.js passes its own global object.
      const receiver = this === outer.global ? undefined : wrap(this);
      return unwrapResult(apply(callback, receiver, args.map(wrap)));
    };
    return (link(callback, wrapped), wrapped);
  }

  /** @param {UserValue} value @returns {UserValue} */
  const unwrapResult = (value) => (isObject(value) && behind.get(value)) || value;

  /**
   * Follows a promise of the host; its end is delivered as a step of the execution that waits for it.
   * @param {Promise<any>} promise
   * @param {string} name
   * @param {boolean} [isCounted]
   * @returns {Promise<UserValue>}
   */
  function follow(promise, name, isCounted = true) {
    return new Promise((resolve, reject) => {
      const operation = host.beginOperation(name, isCounted);
      apply(outer.then, promise, [
        (/** @type {any} */ value) => operation.finish(() => resolve(wrap(value))),
        (/** @type {any} */ reason) => operation.finish(() => reject(wrap(reason))),
      ]);
    });
  }

  // ---- what becomes of the host's built-in objects ------------------------------------------------------------
  /** @param {object} value @param {object} proto */
  const adopt = (value, proto) => setPrototypeOf(value, proto);
  for (const [name, proto] of Object.entries(outer.errors)) {
    handlers.set(proto, (error) => {
      adopt(error, own[name].prototype);
      // Newer versions of V8 keep the stack behind functions of the realm where the error was made.
      if (getOwnPropertyDescriptor(error, "stack")?.get) {
        defineProperty(error, "stack", { value: error.stack, writable: true, configurable: true, enumerable: false });
      }
      if (isObject(error.cause)) error.cause = wrap(error.cause);
      return error;
    });
  }
  for (const [name, proto] of Object.entries(outer.buffers)) {
    handlers.set(proto, (value) => {
      if (isView(value)) wrap(value.buffer);
      return adopt(value, own[name].prototype);
    });
  }
  handlers.set(outer.buffer, (value) => {
    // Node's Buffer is a Uint8Array over a pool: user code gets a view of bytes of its own.
    return new Uint8Array(value);
  });
  handlers.set(outer.promise, (promise) => follow(promise, ""));
  handlers.set(outer.array, (list) => Array.from(list, wrap));
  handlers.set(outer.object, (object) => {
    if (typeof object.next === "function") return wrapIterator(object);
    /** @type {Record<string, unknown>} */
    const copy = {};
    for (const key of Object.keys(object)) copy[key] = wrap(object[key]);
    return copy;
  });

  /** @param {UserValue} iterator */
  function wrapIterator(iterator) {
    const isAsync = typeof iterator[Symbol.asyncIterator] === "function";
    const face = Object.create(isAsync ? asyncIteratorPrototype : iteratorPrototype);
    for (const name of ["next", "return", "throw"]) {
      if (typeof iterator[name] !== "function") continue;
      Object.defineProperty(face, name, {
        value: (/** @type {unknown[]} */ ...args) => guard(() => apply(iterator[name], iterator, args)),
        writable: true,
        configurable: true,
      });
    }
    return face;
  }

  /**
   * Runs work of the host; both its result and what it throws become values of this realm.
   * @param {() => any} work
   * @returns {UserValue}
   */
  function guard(work) {
    let result;
    try {
      result = work();
    } catch (error) {
      throw wrap(error);
    }
    return wrap(result);
  }

  /** @type {Crossing} */
  const crossing = { wrap, unwrap, unwrapCallback, link, behind, handlers, follow, guard, isObject };
  return crossing;
});
