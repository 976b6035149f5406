/*
 * Runs first inside a new realm: what every execution finds there besides the ECMAScript built-ins.
 *
 * Everything made here belongs to the realm, so that user code never meets an object of the host's own realm.
 * `host` answers with primitives; errors are described and made here. Result: the handles by which the host acts
 * inside the realm.
 */
/** @import { Raised, UserValue } from "../types/protocol" */
/** @import { OrRaised, RealmApi, RealmHost, UserFunction } from "../types/realm" */
(function (/** @type {RealmHost} */ host) {
  "use strict";
  const global = globalThis;
  const { apply, construct, defineProperty } = Reflect;
  /** @type {Record<string, ErrorConstructor>} */
  const errors = { Error, TypeError, RangeError, SyntaxError, EvalError, ReferenceError };

  /**
   * Puts a global in place the way built-ins are: writable, configurable, not enumerable.
   * @param {string} name
   * @param {UserFunction|object} value
   * @param {object} [target]
   */
  const install = (name, value, target = global) =>
    defineProperty(target, name, { value, writable: true, configurable: true, enumerable: false });

  /** @param {string} type @param {string} message */
  const makeError = (type, message) => new errors[type](message);

  /** The host describes a failure as {type, message, data}; `data` is JSON text. @param {Raised} failure */
  const raise = (failure) => {
    /** @type {Error & {data?: unknown}} */
    const error = makeError(failure.type ?? "Error", failure.message);
    if (failure.data !== undefined) error.data = JSON.parse(failure.data);
    return error;
  };

  /** @template T @param {OrRaised<T>} result @returns {T} */
  const answer = (result) => {
    if (typeof result === "object" && result !== null) throw raise(/** @type {Raised} */ (result));
    return /** @type {T} */ (result);
  };

  install("Convex", {
    /** @param {UserValue[]} args */
    syscall(...args) {
      return answer(host.syscall(args.length, args[0], args[1]));
    },
    /** @param {UserValue[]} args */
    asyncSyscall(...args) {
      return new Promise((resolve, reject) => {
        host.asyncSyscall(args.length, args[0], args[1], resolve, (failure) => reject(raise(failure)));
      });
    },
    /** @param {UserValue} op @param {UserValue} input */
    jsSyscall: (op, input) => api.jsSyscall(op, input),
  });

  const now = () => answer(host.now());

  // ---- time -------------------------------------------------------------------------------------------------
  const NativeDate = Date;
  /** @type {UserFunction} */
  const FrozenDate = function Date(...args) {
    if (new.target === undefined) return new NativeDate(now()).toString();
    if (args.length === 0) return construct(NativeDate, [now()], new.target);
    return construct(NativeDate, args, new.target);
  };
  defineProperty(FrozenDate, "length", { value: 7, configurable: true });
  defineProperty(FrozenDate, "prototype", { value: NativeDate.prototype, writable: false });
  install(
    "now",
    {
      now() {
        return answer(host.now());
      },
    }.now,
    FrozenDate,
  );
  install("parse", NativeDate.parse, FrozenDate);
  install("UTC", NativeDate.UTC, FrozenDate);
  install("constructor", FrozenDate, NativeDate.prototype);
  install("Date", FrozenDate);

  // Formatters read the clock when no date is given.
  const formatterPrototype = Intl.DateTimeFormat.prototype;
  const nativeFormat = /** @type {Function} */ (Object.getOwnPropertyDescriptor(formatterPrototype, "format")?.get);
  const nativeFormatToParts = formatterPrototype.formatToParts;
  const formats = new WeakMap();
  defineProperty(formatterPrototype, "format", {
    configurable: true,
    enumerable: false,
    get: Object.getOwnPropertyDescriptor(
      {
        get format() {
          const format = apply(nativeFormat, this, []);
          if (!formats.has(format))
            formats.set(format, (/** @type {UserValue} */ date) => format(date === undefined ? now() : date));
          return formats.get(format);
        },
      },
      "format",
    )?.get,
  });
  install(
    "formatToParts",
    {
      /** @param {UserValue} date */
      formatToParts(date) {
        return apply(nativeFormatToParts, this, [date === undefined ? now() : date]);
      },
    }.formatToParts,
    formatterPrototype,
  );

  // ---- randomness and the garbage collector -----------------------------------------------------------------
  install(
    "random",
    {
      random() {
        return answer(host.random());
      },
    }.random,
    Math,
  );

  class StrongRef {
    #target;
    /** @param {UserValue} target */
    constructor(target) {
      if (
        (typeof target !== "object" || target === null) &&
        typeof target !== "function" &&
        typeof target !== "symbol"
      ) {
        throw new TypeError("WeakRef: target must be an object");
      }
      this.#target = target;
    }
    deref() {
      return this.#target;
    }
  }
  class SilentRegistry {
    /** @param {UserValue} cleanup */
    constructor(cleanup) {
      if (typeof cleanup !== "function") throw new TypeError("FinalizationRegistry: cleanup must be callable");
    }
    register() {}
    unregister() {
      return false;
    }
  }
  for (const [name, Class] of Object.entries({ WeakRef: StrongRef, FinalizationRegistry: SilentRegistry })) {
    defineProperty(Class, "name", { value: name, configurable: true });
    defineProperty(Class.prototype, Symbol.toStringTag, { value: name, configurable: true });
    install(name, Class);
  }

  /**
   * What is behind proxies, and in weak collections, that were made while that was asked for.
   * @type {WeakMap<object, UserValue[]>}
   */
  const parts = new WeakMap();
  const { get: getEntry, set: setEntry } = WeakMap.prototype;
  let notesParts = false;
  const NativeProxy = Proxy;
  install(
    "Proxy",
    new NativeProxy(NativeProxy, {
      /** @param {UserValue[]} args */
      construct(_target, args) {
        const proxy = construct(NativeProxy, args);
        if (notesParts) apply(setEntry, parts, [proxy, [args[0], args[1]]]);
        return proxy;
      },
    }),
  );
  /**
   * Nobody can find an entry of a weak collection again without its key: one under an object that lasts is a change.
   * @param {UserValue} collection
   * @param {UserValue[]} entry
   */
  const noteEntry = (collection, entry) => {
    if (notesParts && typeof collection === "object" && collection !== null) {
      const noted = apply(getEntry, parts, [collection]);
      if (noted === undefined) apply(setEntry, parts, [collection, entry]);
      else for (const one of entry) noted[noted.length] = one;
    }
    made.watchEntry?.(collection, entry[0]);
  };
  for (const [of, names] of /** @type {[any, string[]][]} */ ([
    [WeakMap.prototype, ["set", "delete"]],
    [WeakSet.prototype, ["add", "delete"]],
  ])) {
    for (const name of names) {
      const native = of[name];
      const { length } = native;
      const watched = {
        /** @param {UserValue[]} entry */
        [name](...entry) {
          noteEntry(this, entry);
          return apply(native, this, entry);
        },
      }[name];
      defineProperty(watched, "length", { value: length, configurable: true });
      install(name, watched, of);
    }
  }

  // ---- what would block, or answer at a time of its own ------------------------------------------------------
  install(
    "wait",
    {
      wait() {
        throw new TypeError("Atomics.wait cannot be called in this context");
      },
    }.wait,
    Atomics,
  );
  delete (/** @type {any} */ (Atomics).waitAsync);
  // WebAssembly is compiled where it is asked for, so that queries have their answer within microtasks, as officially.
  const wasm = /** @type {any} */ (global).WebAssembly;
  const { Module: WasmModule, Instance: WasmInstance } = wasm;
  /** @param {string} name @param {() => UserValue} work */
  const asIfNamed = (name, work) => {
    try {
      return work();
    } catch (error) {
      if (error instanceof Error)
        error.message = error.message.replace(/^WebAssembly\.(Module|Instance)\(\)/, `WebAssembly.${name}()`);
      throw error;
    }
  };
  /** @param {UserValue} source @param {UserValue} imports */
  const instanceOf = (source, imports) =>
    imports === undefined ? new WasmInstance(source) : new WasmInstance(source, imports);
  const compiling = {
    /** @param {UserValue} source */
    async compile(source) {
      return asIfNamed("compile", () => new WasmModule(source));
    },
    /** @param {UserValue} source @param {UserValue} imports */
    async instantiate(source, imports) {
      return asIfNamed("instantiate", () => {
        if (source instanceof WasmModule) return instanceOf(source, imports);
        const module = new WasmModule(source);
        return { module, instance: instanceOf(module, imports) };
      });
    },
  };
  for (const [name, compile] of Object.entries(compiling)) install(name, compile, wasm);
  for (const name of ["compileStreaming", "instantiateStreaming"]) {
    install(
      name,
      {
        async [name]() {
          throw new TypeError(`WebAssembly.${name} is not supported. Use WebAssembly.instantiate(bytes) instead.`);
        },
      }[name],
      wasm,
    );
  }

  // ---- process.env ------------------------------------------------------------------------------------------
  const env = new Proxy(
    {},
    {
      get(_target, name) {
        if (typeof name !== "string") return undefined;
        const value = answer(host.env(name));
        if (value === undefined && name === "inspect") return () => "[process.env]";
        return value;
      },
      has: () => false,
      ownKeys: () => [],
      set: () => true,
      defineProperty: () => true,
      deleteProperty: () => true,
      getOwnPropertyDescriptor: () => undefined,
    },
  );
  install("process", { env });
  install("self", global);

  // ---- handles for the host ---------------------------------------------------------------------------------
  Error.prepareStackTrace = (error, callSites) => host.formatStack(error, callSites);

  const metaAccess = () => {
    throw new TypeError("import.meta unsupported");
  };
  const poison = {
    get() {
      return metaAccess();
    },
  };

  // ---- modules ----------------------------------------------------------------------------------------------
  const { create: createObject, preventExtensions, getPrototypeOf } = Object;
  const nextOfGenerator = getPrototypeOf(function* () {}.prototype).next;
  const asItIs = (/** @type {UserValue} */ value) => value;
  /** What a default export is called that has no name. @param {UserValue} value */
  const giveDefaultName = (value) => {
    if (typeof value !== "function") return;
    const name = Object.getOwnPropertyDescriptor(value, "name");
    if (name?.value === "$dflt") defineProperty(value, "name", { value: "default", configurable: true });
  };
  /**
   * A variable of another module; reading it fails only while that has not been evaluated.
   * @param {string} name
   * @param {(i: number) => UserValue} read
   * @param {number} i
   * @returns {UserValue}
   */
  const initialized = (name, read, i) => {
    try {
      return read(i);
    } catch {
      throw new errors.ReferenceError(`Cannot access '${name}' before initialization`);
    }
  };

  /** What newer versions of the language have, and segments of text. @returns {object[]} */
  const iteratorsOfHelpers = () => {
    const { Iterator: Helpers } = /** @type {any} */ (global);
    const found =
      typeof Helpers === "function" ? [/** @type {any} */ ([].values()).map(asItIs), Helpers.from({ next() {} })] : [];
    const segments = new Intl.Segmenter().segment("");
    return [...found, segments, segments[Symbol.iterator]()];
  };

  const nativeText = Function.prototype.toString;
  install(
    "toString",
    new NativeProxy(nativeText, {
      /** @param {UserValue} self @param {UserValue[]} args */
      apply: (_target, self, args) => host.textOf(apply(nativeText, self, args)),
    }),
    Function.prototype,
  );

  /** @type {Partial<RealmApi>} */
  const made = {
    textOf: (target) => apply(nativeText, target, []),
    install,
    makeError,
    raise,
    answer,
    call: (target, ...args) => apply(target, undefined, args),
    /** Calls a method and reports how its promise settles. */
    settle(target, method, args, onFulfilled, onRejected) {
      let promise;
      try {
        promise = Promise.resolve(target[method](...args));
      } catch (error) {
        onRejected(error);
        return;
      }
      promise.then(onFulfilled, onRejected);
    },
    rejected: (message) => Promise.reject(new Error(message)),
    metaAccess,
    poisonMeta(meta) {
      Object.setPrototypeOf(meta, new Proxy(Object.create(null), poison));
    },
    importer: (load) => (specifier) => new Promise((resolve) => resolve(load(String(specifier)))),
    callFactory: (make, scope, values, importer, register, watch) =>
      apply(make(scope), undefined, [values, importer, metaAccess, asItIs, giveDefaultName, register, watch]),
    advance: (generator) => apply(nextOfGenerator, generator, []).value,
    /** Names that are read anew each time, the way imports are. */
    liveScope(names, read) {
      const scope = createObject(null);
      for (let i = 0; i < names.length; i++) {
        defineProperty(scope, names[i], {
          get: () => initialized(names[i], read, i),
          set() {
            throw new errors.TypeError("Assignment to constant variable.");
          },
        });
      }
      return scope;
    },
    namespace(names, live, read) {
      const namespace = createObject(null);
      for (let i = 0; i < names.length; i++) {
        defineProperty(
          namespace,
          names[i],
          live[i]
            ? { get: () => initialized(names[i], read, i), enumerable: true }
            : { value: read(i), enumerable: true },
        );
      }
      defineProperty(namespace, Symbol.toStringTag, { value: "Module" });
      return preventExtensions(namespace);
    },
    promisePrototype: Promise.prototype,
    noteParts(value) {
      notesParts = value;
    },
    /** What is out of sight of a proxy, a weak map or a weak set that was made while that was asked for. */
    partsOf: (object) => apply(getEntry, parts, [object]),
    /** Notices that an object may have been changed in a way that no comparison shows. */
    watch() {},
    /** Each says whether something was done that a reset undoes. */
    traces: [],
    /** Called when the realm is made as good as new. */
    resets: [],
    reset() {
      for (const reset of api.resets) reset();
    },
    /** The classes of web interfaces, those among them that are no globals, and what only an accessor leads to. */
    faces: { __proto__: null },
    /** Objects of the language that no global leads to. */
    hiddenRoots: () =>
      [
        async function () {},
        function* () {},
        async function* () {},
        [][Symbol.iterator](),
        new Map()[Symbol.iterator](),
        new Set()[Symbol.iterator](),
        ""[Symbol.iterator](),
        "".matchAll(/x/g),
        /** @type {any} */ (global).Convex,
        ...iteratorsOfHelpers(),
      ].map((one) => getPrototypeOf(one)),
  };
  /** Whole when the scripts after this one have added to it. */
  const api = /** @type {RealmApi} */ (made);
  api.resets.push(() => void /(?:)/.exec(""));
  return api;
});
