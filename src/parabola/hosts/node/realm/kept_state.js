/*
 * Tells whether modules are as their evaluation left them, so that their realm may serve another call as it is.
 *
 * The modules have told of every variable that outlives the code that declares it (captured_variables.mjs). From those all
 * is reached that they can ever come upon; it is written down once, and compared after each call. What has a state that
 * cannot be looked at, such as a generator or a promise, is a reason not to keep the modules at all.
 *
 * Here too properties that no assignment makes are noticed when they are made (pristine.js).
 */
/** @import { UserValue } from "../types/protocol" */
/** @import { Comparisons, KeptState, KeptStates, Kinds, Pristine, RealmApi, Variables } from "../types/realm" */
(function (
  /** @type {(text: string) => boolean} */ isModuleText,
  /** @type {RealmApi} */ api,
  /** @type {Pristine} */ pristine,
  /** @type {(object: object) => object|undefined} */ behind,
  /** @type {Kinds} */ kinds,
  /** @type {Comparisons} */ comparisons,
) {
  "use strict";
  const { apply, getOwnPropertyDescriptor, getPrototypeOf, isExtensible, ownKeys } = Reflect;
  const { assign, create, freeze, is, keys: enumerableKeys, getOwnPropertySymbols, isFrozen, hasOwn } = Object;
  const { isArray } = Array;
  const { push, includes } = Array.prototype;
  const objectPrototype = Object.prototype;
  const timeOf = Date.prototype.getTime;
  /** @param {object} prototype @param {string} name @returns {Function} */
  const getter = (prototype, name) => /** @type {Function} */ (getOwnPropertyDescriptor(prototype, name)?.get);
  const sizeOf = {
    map: getter(Map.prototype, "size"),
    set: getter(Set.prototype, "size"),
  };
  const eachOf = { map: Map.prototype.forEach, set: Set.prototype.forEach };
  const sourceOf = getter(RegExp.prototype, "source");
  const flagsOf = getter(RegExp.prototype, "flags");
  const bufferOf = getter(/** @type {object} */ (getPrototypeOf(Uint8Array.prototype)), "buffer");
  const Bytes = Uint8Array;
  const { TextEncoder, TextDecoder } = /** @type {any} */ (globalThis);
  /** Without a state, or watched. @type {unknown[]} */
  const plainFaces = [TextEncoder.prototype, TextDecoder.prototype];
  /**
   * Prototypes of what is told by its kind, whatever else it is: objects that inherit from them and are not of that kind have
   * nothing but properties. @type {unknown[]}
   */
  const tellable = [
    ...[Map, Set, WeakMap, WeakSet, Promise, RegExp, Date, Array, Function, ArrayBuffer, DataView, Error].map(
      (one) => one.prototype,
    ),
    getPrototypeOf(function* () {}.prototype),
    getPrototypeOf(async function* () {}.prototype),
  ];
  /** More than this is not compared after each call: bytes, elements and entries of lists and maps, objects. */
  const MOST = 20_000;
  /** @param {unknown} value @returns {value is object} */
  const isObject = (value) => (typeof value === "object" && value !== null) || typeof value === "function";

  /** What is found out of sight, or is too much to compare. */
  class Hidden {}

  /** Everything that the modules of one realm can reach. @implements {KeptState} */
  class State {
    /** @type {Set<object>} */
    #seen = new Set();
    #size = 0;
    /** @type {(() => UserValue[])[]} where variables may be assigned, and what those are; they come first */
    #variables = [];
    /** @type {UserValue[][]} */
    #values = [];
    /**
     * Objects without enumerable properties, after one that takes none, so that to assign the others to it throws where one of
     * them has got a property. That takes a seventh of the time of asking each for its keys and its symbols. It inherits
     * nothing: an inherited setter, such as that of `__proto__`, would take a value and keep still.
     * @type {object[]}
     */
    #bare = [freeze(create(null))];
    // Functions with nothing but what every function has, side by side: they are most of what there is.
    /** @type {Function[]} */
    #functions = [];
    /** @type {UserValue[]} their prototypes */
    #ofFunctions = [];
    /** @type {UserValue[]} those that make objects, and the prototypes that these get */
    #made = [];
    /** @type {UserValue[]} the prototypes that functions are born with, and their functions */
    #born = [];
    // All other objects.
    /** @type {object[]} */
    #objects = [];
    /** @type {(object|null)[]} */
    #prototypes = [];
    // Their enumerable keys lie one after the other, as those that are compared are read in one go.
    /** @type {number[]} how many each has; -1 for what is bare */
    #counts = [];
    /** @type {string[]} */
    #names = [];
    /** @type {(symbol[]|null)[]} null where there are none */
    #symbols = [];
    /** @type {PropertyKey[][]} the keys of properties with a value that may change */
    #checked = [];
    /** @type {UserValue[][]} */
    #checkedValues = [];
    /** Whether those are as they were. */
    #areValuesSame;
    /** @type {UserValue[]} objects, each with the key of another property: these must be there */
    #others = [];
    // What may be replaced though it is no value, or cannot be assigned: as fields of classes and elements of lists are made.
    /** @type {object[]} */
    #replaceable = [];
    /** @type {PropertyKey[]} */
    #replaceableKeys = [];
    /** @type {PropertyDescriptor[]} */
    #descriptors = [];
    /** @type {UserValue[][]} */
    #lists = [];
    /** @type {UserValue[][]} */
    #elements = [];
    /** @type {{now: () => UserValue[], then: UserValue[]}[]} what is behind methods: entries, bytes, dates, patterns */
    #contents = [];

    #isRedefined;

    /** @param {Variables[]} told @param {(target: object) => boolean} isRedefined */
    constructor(told, isRedefined) {
      this.#isRedefined = isRedefined;
      for (let i = 0; i < told.length; i++) {
        const { read, assigned } = told[i];
        const values = read();
        for (let j = 0; j < values.length; j++) this.#visit(values[j]);
        if (assigned === 0) continue;
        values.length = assigned;
        this.#values[this.#values.length] = values;
        this.#variables[this.#variables.length] = read;
      }
      this.#areValuesSame = comparisons.make(this.#objects, this.#checked, this.#checkedValues);
    }

    /** Objects whose properties nobody may make unnoticed. */
    get objects() {
      return this.#seen;
    }

    /** @param {number} size */
    #count(size) {
      this.#size += size;
      if (this.#size > MOST) throw new Hidden();
    }

    /** @param {UserValue} start */
    #visit(start) {
      /** @type {UserValue[]} */
      const ahead = [start];
      for (let i = 0; i < ahead.length; i++) {
        const value = ahead[i];
        if (!isObject(value) || pristine.isRecorded(value) || this.#seen.has(value)) continue;
        this.#seen.add(value);
        this.#count(1);
        const found = this.#take(value);
        for (let j = 0; j < found.length; j++) ahead[ahead.length] = found[j];
      }
    }

    /** Writes an object down. @param {object} object @returns {UserValue[]} where it leads */
    #take(object) {
      if (kinds.isProxy(object)) {
        const parts = api.partsOf(object);
        if (parts === undefined) throw new Hidden();
        return parts;
      }
      if (isBehindProxy(object)) throw new Hidden();
      if (typeof object === "function") {
        if (!isModuleText(api.textOf(object))) throw new Hidden();
        if (this.#isRedefined(object)) comparisons.makeFast(object);
      } else this.#look(object);
      return this.#takeProperties(object);
    }

    /** Notes what is in an object beside its properties. @param {any} object */
    #look(object) {
      if (behind(object) !== undefined) {
        if (!apply(includes, plainFaces, [getPrototypeOf(object)])) throw new Hidden();
      } else if (isArray(object)) this.#takeElements(object);
      else if (kinds.isMap(object)) this.#takeEntries(object, "map");
      else if (kinds.isSet(object)) this.#takeEntries(object, "set");
      else if (kinds.isRegExp(object))
        this.#takeContents(() => [apply(sourceOf, object, []), apply(flagsOf, object, [])]);
      else if (kinds.isDate(object)) this.#takeContents(() => [apply(timeOf, object, [])]);
      else if (kinds.isTypedArray(object)) this.#takeBytes(apply(bufferOf, object, []));
      else if (kinds.isWeak(object)) this.#takeNoted(api.partsOf(object) ?? []);
      else if (kinds.hasState(object) || !this.#isOrdinary(object)) throw new Hidden();
    }

    /**
     * Whether all there is of an object are its properties: what classes of the language or of this runtime have made is
     * known by its prototypes, which nobody has changed so far (`pristine.reparented`).
     * @param {object} object
     */
    #isOrdinary(object) {
      if (isPrototypeOfClass(object)) return true;
      for (let at = getPrototypeOf(object); at !== null && at !== objectPrototype; at = getPrototypeOf(at))
        if (pristine.isRecorded(at)) return apply(includes, tellable, [at]);
      return true;
    }

    /** Entries of a weak collection: those that are made later are watched. @param {UserValue[]} entries */
    #takeNoted(entries) {
      this.#count(entries.length);
      for (let i = 0; i < entries.length; i++) this.#visit(entries[i]);
    }

    /** @param {() => UserValue[]} now */
    #takeContents(now) {
      this.#contents[this.#contents.length] = { now, then: now() };
    }

    /** @param {UserValue[]} list */
    #takeElements(list) {
      this.#count(list.length);
      this.#lists[this.#lists.length] = list;
      const elements = [];
      for (let i = 0; i < list.length; i++) elements[i] = list[i];
      this.#elements[this.#elements.length] = elements;
    }

    /** @param {any} collection @param {"map"|"set"} kind */
    #takeEntries(collection, kind) {
      this.#count(apply(sizeOf[kind], collection, []));
      this.#takeContents(() => {
        /** @type {UserValue[]} */
        const entries = [];
        apply(eachOf[kind], collection, [
          (/** @type {UserValue} */ value, /** @type {UserValue} */ key) => {
            entries[entries.length] = key;
            entries[entries.length] = value;
          },
        ]);
        return entries;
      });
      const { then } = this.#contents[this.#contents.length - 1];
      for (let i = 0; i < then.length; i++) this.#visit(then[i]);
    }

    /** @param {ArrayBuffer} buffer  which other views may show too */
    #takeBytes(buffer) {
      if (!kinds.isArrayBuffer(buffer)) throw new Hidden();
      const bytes = new Bytes(buffer);
      this.#count(bytes.length);
      this.#takeContents(() => {
        const copy = [];
        for (let i = 0; i < bytes.length; i++) copy[i] = bytes[i];
        return copy;
      });
    }

    /** @param {any} object @returns {UserValue[]} */
    #takeProperties(object) {
      const isFixed = isFrozen(object);
      if (!isFixed && !isExtensible(object)) throw new Hidden();
      const isList = isArray(object);
      /** @type {UserValue[]} */
      const found = [getPrototypeOf(object)];
      const all = ownKeys(object);
      /** @type {PropertyKey[]} */
      const checked = [];
      /** @type {UserValue[]} */
      const values = [];
      /** @type {PropertyKey[]} */
      const others = [];
      // The elements of typed arrays come first.
      for (let i = kinds.isTypedArray(object) ? object.length : 0; i < all.length; i++) {
        const key = all[i];
        const descriptor = /** @type {PropertyDescriptor} */ (getOwnPropertyDescriptor(object, key));
        if (isReplaceable(key, descriptor)) this.#takeReplaceable(object, key, descriptor);
        if (!("value" in descriptor)) {
          found[found.length] = descriptor.get;
          found[found.length] = descriptor.set;
          others[others.length] = key;
          continue;
        }
        const { value, enumerable } = descriptor;
        found[found.length] = value;
        if (isList && typeof key === "string" && `${Number(key)}` === key) continue;
        checked[checked.length] = key;
        values[values.length] = value;
        // What is inherited, or nothing at all, may have this value too; keys that are enumerable are compared anyway.
        if (!enumerable && (value === undefined || pristine.inherits(object, key))) others[others.length] = key;
      }
      if (isFixed) return found;
      if (typeof object === "function" && this.#isPlain(object, checked)) {
        this.#functions[this.#functions.length] = this.#bare[this.#bare.length] = object;
        this.#ofFunctions[this.#ofFunctions.length] = found[0];
        // Its name and its length can only be taken away, or be given anew by what is watched.
        if (getOwnPropertyDescriptor(object, "prototype")?.writable)
          apply(push, this.#made, [object, object.prototype]);
        return found;
      }
      if (all.length === 1 && checked[0] === "constructor" && found[0] === objectPrototype && isBorn(object)) {
        apply(push, this.#born, [object, found[1]]);
        this.#bare[this.#bare.length] = object;
        return found;
      }
      this.#objects[this.#objects.length] = object;
      this.#prototypes[this.#prototypes.length] = /** @type {object|null} */ (found[0]);
      const names = enumerableKeys(object);
      const symbols = getOwnPropertySymbols(object);
      const isBare = names.length === 0 && symbols.length === 0;
      if (isBare) this.#bare[this.#bare.length] = object;
      this.#counts[this.#counts.length] = isBare ? -1 : names.length;
      if (!isBare) apply(push, this.#names, names);
      this.#symbols[this.#symbols.length] = symbols.length === 0 ? null : symbols;
      this.#checked[this.#checked.length] = checked;
      this.#checkedValues[this.#checkedValues.length] = values;
      for (let i = 0; i < others.length; i++) apply(push, this.#others, [object, others[i]]);
      return found;
    }

    /** @param {object} object @param {PropertyKey} key @param {PropertyDescriptor} descriptor */
    #takeReplaceable(object, key, descriptor) {
      const at = this.#replaceable.length;
      this.#replaceable[at] = object;
      this.#replaceableKeys[at] = key;
      this.#descriptors[at] = descriptor;
    }

    /** @param {Function} object @param {PropertyKey[]} keys */
    #isPlain(object, keys) {
      const most = hasOwn(object, "prototype") ? 3 : 2;
      return (
        ownKeys(object).length === most &&
        keys.length >= most - 1 &&
        apply(includes, keys, ["name"]) &&
        apply(includes, keys, ["length"])
      );
    }

    /** Whether nothing has changed. */
    isSame() {
      const variables = this.#variables;
      for (let i = 0; i < variables.length; i++) {
        const then = this.#values[i];
        const now = variables[i]();
        for (let j = 0; j < then.length; j++) if (!is(now[j], then[j])) return false;
      }
      return (
        this.#areDescriptorsSame() &&
        this.#areBare() &&
        this.#areFunctionsSame() &&
        this.#areObjectsSame() &&
        this.#areListsSame() &&
        this.#areContentsSame()
      );
    }

    #areDescriptorsSame() {
      for (let i = 0; i < this.#replaceable.length; i++) {
        const { get, set, writable, enumerable } = this.#descriptors[i];
        const now = getOwnPropertyDescriptor(this.#replaceable[i], this.#replaceableKeys[i]);
        if (now?.get !== get || now?.set !== set || now?.writable !== writable || now?.enumerable !== enumerable)
          return false;
      }
      return true;
    }

    /** Throws where something has got a property. */
    #areBare() {
      apply(assign, undefined, this.#bare);
      return true;
    }

    #areFunctionsSame() {
      const functions = this.#functions;
      const prototypes = this.#ofFunctions;
      for (let i = 0; i < functions.length; i++) {
        const one = functions[i];
        if (!isExtensible(one) || getPrototypeOf(one) !== prototypes[i]) return false;
        if (!hasOwn(one, "name") || !hasOwn(one, "length")) return false;
      }
      const made = this.#made;
      for (let i = 0; i < made.length; i += 2) if (made[i].prototype !== made[i + 1]) return false;
      const born = this.#born;
      for (let i = 0; i < born.length; i += 2) {
        const one = born[i];
        if (!isExtensible(one) || getPrototypeOf(one) !== objectPrototype || one.constructor !== born[i + 1])
          return false;
      }
      return true;
    }

    #areObjectsSame() {
      const objects = this.#objects;
      const counts = this.#counts;
      const names = this.#names;
      let at = 0;
      for (let i = 0; i < objects.length; i++) {
        const object = objects[i];
        if (getPrototypeOf(object) !== this.#prototypes[i] || !isExtensible(object)) return false;
        const count = counts[i];
        if (count < 0) continue;
        const now = enumerableKeys(object);
        if (now.length !== count) return false;
        for (let j = 0; j < count; j++) if (now[j] !== names[at++]) return false;
        const symbols = this.#symbols[i];
        const symbolsNow = getOwnPropertySymbols(object);
        if (symbols === null ? symbolsNow.length !== 0 : !areSame(symbolsNow, symbols)) return false;
      }
      const others = this.#others;
      for (let i = 0; i < others.length; i += 2) if (!hasOwn(others[i], others[i + 1])) return false;
      return this.#areValuesSame();
    }

    #areListsSame() {
      for (let i = 0; i < this.#lists.length; i++) if (!areSame(this.#lists[i], this.#elements[i])) return false;
      return true;
    }

    #areContentsSame() {
      for (let i = 0; i < this.#contents.length; i++) {
        const { now, then } = this.#contents[i];
        if (!areSame(now(), then)) return false;
      }
      return true;
    }
  }

  /** @param {UserValue[]} now @param {UserValue[]} then */
  function areSame(now, then) {
    if (now.length !== then.length) return false;
    for (let i = 0; i < then.length; i++) if (!is(now[i], then[i])) return false;
    return true;
  }

  /**
   * Whether what makes a property anew, as it were the first of its object, changes more than its value and its place among
   * the enumerable ones: those are compared.
   * @param {PropertyKey} key @param {PropertyDescriptor} descriptor
   */
  function isReplaceable(key, { configurable, enumerable, writable }) {
    return configurable && (enumerable ? !writable : typeof key === "symbol");
  }

  /** Whether to look for a property, or for the prototypes, may run code of the user. @param {object} object */
  function isBehindProxy(object) {
    for (let at = getPrototypeOf(object); at !== null; at = getPrototypeOf(at)) if (kinds.isProxy(at)) return true;
    return false;
  }

  /** Whether it is the prototype of a function, with nothing but that function in it. @param {any} object */
  function isBorn(object) {
    const made = object.constructor;
    return typeof made === "function" && getOwnPropertyDescriptor(made, "prototype")?.value === object;
  }

  /** Whether it has been made together with a class, which cannot have another one. @param {object} object */
  function isPrototypeOfClass(object) {
    const made = getOwnPropertyDescriptor(object, "constructor")?.value;
    if (typeof made !== "function" || pristine.isRecorded(made)) return false;
    const prototype = getOwnPropertyDescriptor(made, "prototype");
    return (
      prototype !== undefined && prototype.value === object && prototype.writable === false && !kinds.isProxy(made)
    );
  }

  /** @type {KeptStates} */
  const states = {
    take(told, isRedefined) {
      try {
        const state = new State(told, isRedefined);
        pristine.watchAlso(state.objects);
        return state;
      } catch {
        // Something is hidden; or a variable has not been initialized, and may be later.
        return null;
      }
    },
  };
  return states;
});
