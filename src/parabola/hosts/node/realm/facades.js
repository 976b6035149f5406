/*
 * Makes the realm's face of a web interface: a class with the members of the host's class, each of which passes on
 * to the host's object behind the face.
 */
/** @import { UserValue } from "../types/protocol" */
/** @import { Class, Crossing, FacadeOptions, Facades, Outer, RealmApi, RealmHost, UserFunction } from "../types/realm" */
(function (
  /** @type {RealmHost} */ host,
  /** @type {RealmApi} */ api,
  /** @type {Crossing} */ crossing,
  /** @type {Outer} */ outer,
) {
  "use strict";
  const { apply, construct, defineProperty, getOwnPropertyDescriptor, ownKeys } = Reflect;
  const { wrap, unwrap, link, behind, handlers, follow, guard } = crossing;
  const { raise } = api;
  const asItIs = (/** @type {UserValue} */ value) => value;
  const hidden = (/** @type {unknown} */ value) => ({ value, writable: true, enumerable: false, configurable: true });
  const KEPT_SYMBOLS = new Set([Symbol.iterator, Symbol.asyncIterator, Symbol.toStringTag]);

  /** @param {string} what @param {string} name @returns {never} */
  const notImplemented = (what, name) => {
    throw raise(
      host.fatal(
        `Not implemented: ${what} for ${name}. Consider calling an action defined in Node.js instead ` +
          "(https://docs.convex.dev/functions/actions).",
      ),
    );
  };

  /**
   * @param {string} name
   * @param {Class} Outer  the host's class
   * @param {FacadeOptions} options
   *   parent: face of the class it extends; passive: methods whose arguments go through as they are;
   *   refused: names that do not exist here (`set x` for a setter alone); settled: promises that say how an object
   *   fares, and are not waited for; prepare: changes the constructor's arguments; onConstruct: sees the new face and
   *   the arguments; isAbstract: cannot be constructed
   */
  function facade(name, Outer, options = {}) {
    const { parent, passive = [], refused = [], settled = [], prepare, onConstruct, isAbstract = false } = options;
    const Face = {
      /** @type {UserFunction} */
      [name]: function (...args) {
        if (new.target === undefined) throw new TypeError(`Class constructor ${name} cannot be invoked without 'new'`);
        if (isAbstract) throw new TypeError("Illegal constructor");
        const given = prepare ? prepare(args) : args;
        let object;
        try {
          object = construct(Outer, given.map(passive.includes("constructor") ? asItIs : unwrap));
        } catch (error) {
          throw wrap(error);
        }
        const face = link(Object.create(new.target.prototype), object);
        onConstruct?.(face, args);
        return face;
      },
    }[name];
    defineProperty(Face, "length", { value: Outer.length, configurable: true });
    defineProperty(Face, "prototype", { writable: false });
    if (parent) {
      Object.setPrototypeOf(Face, parent);
      Object.setPrototypeOf(Face.prototype, parent.prototype);
    }
    /** @param {object} face */
    const receiver = (face) => {
      const object = behind.get(face);
      if (object === undefined) throw new TypeError("Illegal invocation");
      return object;
    };
    /** @param {string|symbol} key @param {Function} target @param {object} [self] */
    const method = (key, target, self) => {
      const prepareArgument = passive.includes(key) ? asItIs : unwrap;
      /** @type {Record<PropertyKey, UserFunction>} */
      const methods = {
        /** @param {UserValue[]} args */
        [key](...args) {
          const object = self ?? receiver(this);
          let result;
          try {
            result = apply(target, object, args.map(prepareArgument));
          } catch (error) {
            throw wrap(error);
          }
          // A promise is followed under the operation's name.
          return crossing.isObject(result) && result instanceof outer.Promise
            ? follow(result, String(key))
            : wrap(result);
        },
      };
      const made = methods[key];
      defineProperty(made, "length", { value: target.length, configurable: true });
      return made;
    };
    /** @param {string|symbol} key @param {PropertyDescriptor} descriptor */
    const accessors = (key, { get, set, enumerable }) => ({
      get:
        get &&
        {
          get [key]() {
            if (refused.includes(key)) return notImplemented(String(key), name);
            const value = guardGet(get, receiver(this), settled.includes(key));
            return value;
          },
        }.__lookupGetter__(key),
      set:
        set &&
        {
          /** @param {UserValue} value */
          set [key](value) {
            if (refused.includes(key) || refused.includes(`set ${String(key)}`))
              notImplemented(`set ${String(key)}`, name);
            const object = receiver(this);
            guard(() => apply(set, object, [unwrap(value)]));
          },
        }.__lookupSetter__(key),
      enumerable,
      configurable: true,
    });
    /** @param {() => any} get @param {object} object @param {boolean} isSettled */
    const guardGet = (get, object, isSettled) => {
      if (isSettled) return follow(apply(get, object, []), "", false);
      return guard(() => apply(get, object, []));
    };

    /** @param {string|symbol} key */
    const refusal = (key) => {
      /** @type {Record<PropertyKey, () => never>} */
      const refusals = { [key]: () => notImplemented(String(key), name) };
      return refusals[key];
    };

    /** @param {object} source @param {object} target @param {object} [self] */
    const copy = (source, target, self) => {
      /** @type {PropertyKey[]} */
      const left = self === undefined ? ["constructor"] : ["prototype", "length", "name"];
      for (const key of ownKeys(source)) {
        if (left.includes(key)) continue;
        if (typeof key === "symbol" && !KEPT_SYMBOLS.has(key)) continue;
        const descriptor = /** @type {PropertyDescriptor} */ (getOwnPropertyDescriptor(source, key));
        if (!("value" in descriptor)) {
          if (self === undefined) defineProperty(target, key, accessors(key, descriptor));
        } else if (typeof descriptor.value === "function") {
          const value = refused.includes(key) ? refusal(key) : method(key, descriptor.value, self);
          defineProperty(target, key, { ...descriptor, value, configurable: true });
        } else {
          defineProperty(target, key, { ...descriptor, configurable: true });
        }
      }
    };
    copy(Outer.prototype, Face.prototype);
    copy(Outer, Face, Outer);
    defineProperty(Face.prototype, "constructor", hidden(Face));
    defineProperty(Face.prototype, Symbol.toStringTag, { value: name, configurable: true });
    handlers.set(Outer.prototype, (object) => link(Object.create(Face.prototype), object));
    api.faces[name] = Face;
    return /** @type {any} */ (Face);
  }

  /** @type {Facades} */
  const facades = { facade, notImplemented };
  return facades;
});
