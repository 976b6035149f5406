/*
 * Tells whether an execution left its realm as it found it, and undoes what can be undone.
 *
 * `take` records every object reachable from the roots. To keep the check short, functions that are neither
 * constructors nor carry properties of their own are frozen, and accessors are made permanent. What remains are the
 * values of data properties, compared by generated code, and added properties: assignment makes those enumerable, and
 * the functions that can make others are watched, so the slow question for all keys of an object is hardly ever asked.
 * What is asked after each call of modules that stay is only of what they can reach (`within`), and made to be quick.
 *
 * The same watch is kept over the modules that may stay in the realm (kept_state.js).
 */
/** @import { UserValue } from "../types/protocol" */
/** @import { Comparisons, Pristine, PristinePart } from "../types/realm" */
(function (
  /** @type {(makeSource: () => string) => UserValue} */ compile,
  /** @type {Comparisons} */ comparisons,
  /** @type {(object: object) => boolean} */ isProxy,
) {
  "use strict";
  /** Globals whose objects come without their names: by literals, by what is thrown, by asynchronous functions. */
  const OF_SYNTAX = (
    "Object Function Array String Number Boolean Symbol BigInt RegExp Promise Error TypeError RangeError SyntaxError " +
    "ReferenceError EvalError URIError AggregateError SuppressedError Convex"
  ).split(" ");
  const STREAMS = (
    "ReadableStream ReadableStreamDefaultReader ReadableStreamBYOBReader ReadableStreamDefaultController " +
    "ReadableByteStreamController ReadableStreamBYOBRequest Uint8Array ArrayBuffer DOMException"
  ).split(" ");
  const CRYPTO = "Crypto SubtleCrypto CryptoKey subtle Uint8Array ArrayBuffer DOMException".split(" ");
  /** Globals that lead to less than everything, and what they lead to beside what their properties do. */
  const REACHED = /** @type {Record<string, string[]>} */ ({
    Blob: STREAMS,
    TextEncoder: ["Uint8Array"],
    TextDecoder: [],
    atob: ["DOMException"],
    btoa: ["DOMException"],
    structuredClone: ["DOMException"],
    crypto: CRYPTO,
    DOMException: [],
  });
  const language =
    "Math JSON Reflect Proxy Map Set WeakMap WeakSet WeakRef FinalizationRegistry Date ArrayBuffer DataView Int8Array " +
    "Uint8Array Uint8ClampedArray Int16Array Uint16Array Int32Array Uint32Array Float32Array Float64Array BigInt64Array " +
    "BigUint64Array isNaN isFinite parseInt parseFloat encodeURI encodeURIComponent decodeURI decodeURIComponent " +
    "undefined NaN Infinity console process setTimeout setInterval clearTimeout clearInterval";
  for (const name of [...OF_SYNTAX, ...language.split(" ")]) REACHED[name] = [];
  /**
   * @typedef {object} Entry  an object, and how it was
   * @property {object} object
   * @property {PropertyKey[]} keys
   * @property {PropertyKey[]} checked  the keys of properties that may change
   * @property {unknown[]} values  theirs
   * @property {PropertyDescriptor[]} descriptors  theirs
   * @property {object|null} prototype
   * @property {string[]} names  those of its enumerable properties
   * @property {number} symbols  how many properties by symbols
   * @property {symbol[]} unshown  symbols of properties that are not enumerable, and would be when made anew
   * @property {PropertyKey[]} owned  keys that must be there: without them what is inherited is the same
   */
  const { apply, ownKeys, getOwnPropertyDescriptor, defineProperty, deleteProperty, isExtensible } = Reflect;
  const { includes } = Array.prototype;
  const { propertyIsEnumerable } = Object.prototype;
  const { add: addObject, has: hasObject } = Set.prototype;
  const {
    assign,
    create,
    freeze,
    getPrototypeOf,
    keys: enumerableKeys,
    getOwnPropertySymbols,
    hasOwn,
    isFrozen,
  } = Object;
  const { isArray } = Array;
  const Functions = Set;
  /** @param {unknown} value */
  const isObject = (value) => (typeof value === "object" && value !== null) || typeof value === "function";
  /** @type {any} */
  const global = globalThis;
  /** To assign these takes as long as to assign a hundred others. @type {unknown[]} */
  const SLOW_TO_ASSIGN = [global, String.prototype];
  /** Objects of the language that no global leads to. @type {unknown[]} */
  let unnamed = [];
  /** The classes of web interfaces, and what else no property leads to, by their names. @type {Record<string, any>} */
  let faces = {};
  /** @type {Entry[]} */
  const record = [];
  /** @type {WeakSet<object>} */
  const recorded = new WeakSet();
  let touched = false;
  /** The objects of modules that may stay, and whether one of them was touched. @type {Set<object>|null} */
  let others = null;
  let touchedOthers = false;
  let reparented = false;
  /** Functions whose properties were defined anew, while that is asked for. @type {Set<UserValue>|null} */
  let redefined = null;
  /** @type {((object: object) => boolean)[]} */
  let isSame;

  const isRecordedBy = WeakSet.prototype.has;
  /** @param {object} object @returns {boolean} */
  const isRecorded = (object) => apply(isRecordedBy, recorded, [object]);
  /** @param {any} target */
  const watch = (target) => {
    if (!isObject(target)) return;
    if (isRecorded(target)) touched = true;
    else if (isProxy(target))
      touched = touchedOthers = true; // whose target it is, nobody can tell
    else if (others !== null && (apply(hasObject, others, [target]) || isText(target))) touchedOthers = true;
  };
  /**
   * Whether it may be what a tag is given: the texts of a template, which last as long as the code that has the template.
   * @param {UserValue} object
   */
  const isText = (object) => isArray(object) && isFrozen(object);
  /** An entry of a weak collection, by what has its key: those that last can be found again. @param {UserValue} collection @param {UserValue} key */
  const watchEntry = (collection, key) => {
    if (others === null || !isObject(collection) || !apply(hasObject, others, [collection])) return;
    if (!isObject(key) || isRecorded(key) || apply(hasObject, others, [key]) || isText(key)) touchedOthers = true;
  };
  const watchers = {
    /** @param {UserValue} target @param {PropertyKey} key @param {PropertyDescriptor} descriptor */
    defineProperty(target, key, descriptor) {
      // Bundles name every function this way. Recorded functions have a name, so a new one shows in its value.
      if (key !== "name" || typeof target !== "function" || others !== null) watch(target);
      if (redefined !== null && typeof target === "function") apply(addObject, redefined, [target]);
      return nativeDefine(target, key, descriptor);
    },
    /** @param {UserValue} target @param {PropertyDescriptorMap} descriptors */
    defineProperties(target, descriptors) {
      watch(target);
      return nativeDefineAll(target, descriptors);
    },
  };
  const { defineProperty: nativeDefine, defineProperties: nativeDefineAll } = Object;
  /** @param {unknown} value */
  const hidden = (value) => ({
    value,
    writable: true,
    enumerable: false,
    configurable: true,
  });

  /** @param {object[]} ofLanguage @param {Record<string, any>} classes */
  function take(ofLanguage, classes) {
    unnamed = ofLanguage;
    faces = classes;
    defineProperty(Object, "defineProperty", hidden(watchers.defineProperty));
    defineProperty(Object, "defineProperties", hidden(watchers.defineProperties));
    defineProperty(
      Reflect,
      "defineProperty",
      hidden(
        {
          /** @param {UserValue} target @param {PropertyKey} key @param {PropertyDescriptor} descriptor */
          defineProperty(target, key, descriptor) {
            watch(target);
            return defineProperty(target, key, descriptor);
          },
        }.defineProperty,
      ),
    );
    for (const name of ["__defineGetter__", "__defineSetter__"]) {
      const native = /** @type {any} */ (Object.prototype)[name];
      const watched = {
        /** @param {PropertyKey} key @param {Function} accessor */
        [name](key, accessor) {
          watch(this);
          return apply(native, this, [key, accessor]);
        },
      };
      defineProperty(Object.prototype, name, hidden(watched[name]));
    }
    watchCaptures();
    watchPrototypes();
    [global, ...ofLanguage, ...Object.values(classes)].forEach(visit);
    for (let i = 0; i < record.length; i++) if (!isProxy(record[i].object)) comparisons.makeFast(record[i].object);
    isSame = compile(source)(record.map((entry) => entry.checked))(record.map((entry) => entry.values));
  }

  /** A stack is put into whatever object is given. */
  function watchCaptures() {
    const native = Error.captureStackTrace;
    /** @type {Function} */
    const watched = {
      /** @param {UserValue} target @param {Function} [leftOut] */
      captureStackTrace(target, leftOut = watched) {
        watch(target);
        return native(target, leftOut);
      },
    }.captureStackTrace;
    defineProperty(watched, "length", {
      value: native.length,
      configurable: true,
    });
    defineProperty(Error, "captureStackTrace", hidden(watched));
  }

  /**
   * Notices objects of one kind that are given the prototype of another. While one has that of a formatter it can be given a
   * symbol that no comparison shows, so it is watched though it may be given its own prototype again.
   */
  function watchPrototypes() {
    const { setPrototypeOf } = Object;
    const onReflect = {
      /** @param {UserValue} target @param {object|null} prototype */
      setPrototypeOf(target, prototype) {
        reparented = true;
        watch(target);
        return reparent(target, prototype);
      },
      /** @param {[Function, ArrayLike<unknown>, Function]} given */
      construct(...given) {
        reparented = true;
        return apply(construct, undefined, given);
      },
    };
    const { construct, setPrototypeOf: reparent } = Reflect;
    defineProperty(onReflect.construct, "length", {
      value: 2,
      configurable: true,
    });
    defineProperty(Reflect, "setPrototypeOf", hidden(onReflect.setPrototypeOf));
    defineProperty(Reflect, "construct", hidden(onReflect.construct));
    const onObject = {
      /** @param {UserValue} target @param {object|null} prototype */
      setPrototypeOf(target, prototype) {
        reparented = true;
        watch(target);
        return setPrototypeOf(target, prototype);
      },
    };
    defineProperty(Object, "setPrototypeOf", hidden(onObject.setPrototypeOf));
    const { get, set } = /** @type {PropertyDescriptor} */ (getOwnPropertyDescriptor(Object.prototype, "__proto__"));
    const accessor = {
      /** @param {object|null} prototype */
      set __proto__(prototype) {
        reparented = true;
        watch(this);
        apply(/** @type {Function} */ (set), this, [prototype]);
      },
    };
    const watched = getOwnPropertyDescriptor(accessor, "__proto__")?.set;
    defineProperty(Object.prototype, "__proto__", {
      get,
      set: watched,
      enumerable: false,
      configurable: true,
    });
  }

  /** @param {UserValue} object */
  function visit(object) {
    if (!isObject(object) || recorded.has(object)) return;
    recorded.add(object);
    visit(getPrototypeOf(object));
    const keys = ownKeys(object);
    if (typeof object === "function" && !keys.includes("name")) {
      defineProperty(object, "name", { value: "", configurable: true });
      keys.push("name");
    }
    if (typeof object === "function" && !keys.includes("prototype") && keys.length <= 2) {
      Object.freeze(object);
      return;
    }
    /** @type {Entry} */
    const entry = {
      object,
      keys,
      checked: [],
      values: [],
      descriptors: [],
      prototype: getPrototypeOf(object),
      names: [],
      symbols: 0,
      unshown: [],
      owned: [],
    };
    record.push(entry);
    for (const key of keys) {
      const descriptor = /** @type {PropertyDescriptor} */ (getOwnPropertyDescriptor(object, key));
      if (!("value" in descriptor)) {
        if (descriptor.configurable) defineProperty(object, key, { configurable: false });
        visit(descriptor.get);
        visit(descriptor.set);
        continue;
      }
      if (descriptor.writable || descriptor.configurable) {
        entry.checked.push(key);
        entry.values.push(descriptor.value);
        entry.descriptors.push(descriptor);
        if (typeof key === "symbol" && descriptor.configurable && !descriptor.enumerable) entry.unshown.push(key);
        if (isSameWithout(object, key, descriptor.value)) entry.owned.push(key);
      }
      visit(descriptor.value);
    }
    entry.names = enumerableKeys(object);
    entry.symbols = getOwnPropertySymbols(object).length;
  }

  /** The text of functions, one an object, that compare its properties with their recorded values. */
  function source() {
    const functions = record.map(({ checked }, i) => {
      const reads = checked.map((key, j) => {
        const name = typeof key === "string" ? JSON.stringify(key) : `keys[${i}][${j}]`;
        return `o[${name}]===v[${j}]`;
      });
      return `function(o){const v=values[${i}];return ${reads.join("&&") || "true"}}`;
    });
    return `(function(keys){"use strict";return function(values){return [${functions.join(",\n")}]}})`;
  }

  /** Throws where something that had no enumerable property has got one. @param {PristinePart} [part] */
  function isPristine(part) {
    if (touched) return false;
    if (part === undefined) {
      for (let i = 0; i < record.length; i++) if (!isEntrySame(i)) return false;
      return true;
    }
    const { objects, bare, filled, owned, areValuesSame } = part;
    apply(assign, undefined, bare);
    for (let i = 0; i < objects.length; i++) {
      const { object, prototype } = record[objects[i]];
      if (!isExtensible(object) || getPrototypeOf(object) !== prototype) return false;
    }
    for (let i = 0; i < filled.length; i++) if (!areKeysSame(record[filled[i]])) return false;
    for (let i = 0; i < owned.length; i += 2) if (!hasOwn(owned[i], owned[i + 1])) return false;
    return areValuesSame();
  }

  /** @param {Entry} entry */
  function areKeysSame({ object, names, symbols, unshown, owned }) {
    const now = enumerableKeys(object);
    if (now.length !== names.length || getOwnPropertySymbols(object).length !== symbols) return false;
    for (let i = 0; i < names.length; i++) if (now[i] !== names[i]) return false;
    for (let i = 0; i < unshown.length; i++) if (apply(propertyIsEnumerable, object, [unshown[i]])) return false;
    for (let i = 0; i < owned.length; i++) if (!hasOwn(object, owned[i])) return false;
    return true;
  }

  /** @param {number} i */
  function isEntrySame(i) {
    const { object, prototype } = record[i];
    if (!areKeysSame(record[i]) || !isExtensible(object)) return false;
    return getPrototypeOf(object) === prototype && isSame[i](object);
  }

  /**
   * What code can come upon that uses these globals and no others: all that they lead to, by properties and by what their
   * functions give, and what the syntax of the language makes. Undefined if that may be anything. `globalThis name` stands for
   * a name that is looked up there, which hands on no more than what is found.
   * @param {string[]} globals
   * @returns {PristinePart|undefined}
   */
  function within(globals) {
    /** @type {UserValue[]} */
    const ahead = unnamed.slice();
    /** @type {string[]} */
    const found = [];
    /** @type {UserValue[]} */
    const values = [];
    const names = OF_SYNTAX.concat(globals);
    let isLookedAt = false;
    for (let i = 0; i < names.length; i++) {
      const [object, lookedUp] = names[i].split(" ");
      isLookedAt ||= lookedUp !== undefined;
      const descriptor = getOwnPropertyDescriptor(global, lookedUp ?? object);
      if (descriptor === undefined) continue;
      if (!hasOwn(REACHED, names[i]) || !("value" in descriptor)) return undefined;
      found.push(names[i]);
      values.push(descriptor.value);
      ahead.push(descriptor.value);
      const more = REACHED[names[i]];
      for (let j = 0; j < more.length; j++) ahead.push(faces[more[j]] ?? global[more[j]]);
    }
    const seen = new Set();
    for (let i = 0; i < ahead.length; i++) {
      const object = ahead[i];
      if (!isObject(object) || seen.has(object)) continue;
      if (object === global) return undefined;
      seen.add(object);
      ahead.push(getPrototypeOf(object));
      const keys = ownKeys(object);
      for (let j = 0; j < keys.length; j++) {
        const descriptor = /** @type {PropertyDescriptor} */ (getOwnPropertyDescriptor(object, keys[j]));
        ahead.push(descriptor.value, descriptor.get, descriptor.set);
      }
    }
    if (isLookedAt) seen.add(global);
    const objects = [];
    for (let i = 0; i < record.length; i++) if (seen.has(record[i].object)) objects.push(i);
    return partOf(objects, found, values);
  }

  /**
   * What is compared of a part.
   * @param {number[]} objects
   * @param {string[]} globals
   * @param {UserValue[]} ofGlobals  their values
   * @returns {PristinePart}
   */
  function partOf(objects, globals, ofGlobals) {
    const entries = objects.map((i) => record[i]);
    const isBare = (/** @type {Entry} */ { object, names }) =>
      names.length === 0 && !isProxy(object) && !apply(includes, SLOW_TO_ASSIGN, [object]);
    /** @type {UserValue[]} */
    const owned = [];
    for (let i = 0; i < entries.length; i++) {
      if (!isBare(entries[i])) continue;
      for (let j = 0; j < entries[i].owned.length; j++) owned.push(entries[i].object, entries[i].owned[j]);
    }
    return {
      objects,
      bare: [freeze(create(null)), ...entries.filter(isBare).map(({ object }) => object)],
      filled: objects.filter((i) => !isBare(record[i])),
      owned,
      areValuesSame: comparisons.make(
        [global, ...entries.map(({ object }) => object)],
        [globals, ...entries.map(({ checked }) => checked)],
        [ofGlobals, ...entries.map(({ values }) => values)],
      ),
    };
  }

  /**
   * Whether an object would have such a property without its own.
   * @param {object} object @param {PropertyKey} key
   */
  function inherits(object, key) {
    for (let at = getPrototypeOf(object); at !== null; at = getPrototypeOf(at))
      if (isProxy(at) || hasOwn(at, key)) return true;
    return false;
  }

  /**
   * Whether a property would have this value if an object had none of its own.
   * @param {object} object @param {PropertyKey} key @param {unknown} value
   */
  function isSameWithout(object, key, value) {
    for (let at = getPrototypeOf(object); at !== null; at = getPrototypeOf(at)) {
      if (isProxy(at)) return true;
      const inherited = getOwnPropertyDescriptor(at, key);
      if (inherited !== undefined) return !("value" in inherited) || inherited.value === value;
    }
    return value === undefined;
  }

  /**
   * Puts everything back. No iterator and no method is used that could be among what was changed: user code would run
   * here, with nobody to answer for it.
   * @returns false if something cannot be put back
   */
  function restore() {
    touched = false;
    for (let i = 0; i < record.length; i++) {
      const { object, keys, checked, values, descriptors, prototype } = record[i];
      if (!isExtensible(object) || getPrototypeOf(object) !== prototype) return false;
      const present = ownKeys(object);
      for (let j = 0; j < present.length; j++) {
        if (!apply(includes, keys, [present[j]]) && !deleteProperty(object, present[j])) return false;
      }
      for (let j = 0; j < checked.length; j++) {
        const now = getOwnPropertyDescriptor(object, checked[j]);
        if (now === undefined) return false; // it would come last
        if ("value" in now && now.value === values[j]) continue;
        if (!defineProperty(object, checked[j], descriptors[j])) return false;
      }
    }
    return isPristine();
  }

  /** @type {Pristine} */
  const pristine = {
    take,
    isPristine,
    within,
    restore,
    watch,
    watchEntry,
    isRecorded,
    inherits,
    watchAlso(objects) {
      others = objects;
      touchedOthers = false;
    },
    noteRedefined() {
      const noted = (redefined = new Functions());
      return () => {
        redefined = null;
        return (target) => apply(hasObject, noted, [target]);
      };
    },
    get touchedOthers() {
      return touchedOthers;
    },
    get reparented() {
      return reparented;
    },
    set reparented(value) {
      reparented = value;
    },
  };
  return pristine;
});
