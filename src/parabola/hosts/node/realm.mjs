/**
 * A realm: a set of ECMAScript built-ins and globals that one execution at a time has for itself.
 *
 * Making one costs milliseconds, so realms are used again. What an execution changed in one is undone before the
 * next (realm/pristine.js); a realm that cannot be put right, or in which something may still run, is dropped.
 */
import { readFileSync } from "node:fs";
import { types } from "node:util";
import { promiseHooks } from "node:v8";
import vm from "node:vm";
import { describeThrown } from "./failures.mjs";
import { limits } from "./limits.mjs";
import { withoutInsertions } from "./modules/module_factory.mjs";
import { StackFrames } from "./stack_frames.mjs";
import { interfaces, outer } from "./web_interfaces.mjs";
/** @import { Execution } from "./executions/execution.mjs" */
/** @import { Binding } from "./modules/module_links.mjs" */
/** @import { ModuleSet } from "./modules/module_set.mjs" */
/** @import { Raised, UserValue } from "./types/protocol" */
/** @import { KeptState, KeptStates, Kinds, OrRaised, Parts, Pristine, PristinePart, RealmApi, RealmHost, Register, Variables } from "./types/realm" */

/** @param {string} name */
const part = (name) =>
  new vm.Script(readFileSync(new URL(`./realm/${name}.js`, import.meta.url), "utf8"), { filename: `realm/${name}.js` });
const PARTS = Object.fromEntries(
  [
    "core",
    "inspect",
    "console",
    "timers",
    "crossing",
    "facades",
    "web",
    "crypto",
    "performance",
    "structured_clone",
    "js_syscalls",
    "comparison",
    "pristine",
    "kept_state",
  ].map((name) => [name, part(name)]),
);
/** What can be told of an object, whatever its prototype is. @type {Kinds} */
const KINDS = {
  isProxy: types.isProxy,
  isMap: types.isMap,
  isSet: types.isSet,
  isRegExp: types.isRegExp,
  isDate: types.isDate,
  isWeak: (object) => types.isWeakMap(object) || types.isWeakSet(object),
  isTypedArray: types.isTypedArray,
  isArrayBuffer: types.isArrayBuffer,
  hasState: (object) =>
    types.isPromise(object) ||
    types.isGeneratorObject(object) ||
    types.isArgumentsObject(object) ||
    types.isMapIterator(object) ||
    types.isSetIterator(object) ||
    types.isModuleNamespaceObject(object) ||
    types.isAnyArrayBuffer(object) ||
    types.isDataView(object) ||
    types.isNativeError(object) ||
    types.isBoxedPrimitive(object) ||
    types.isExternal(object),
};
/**
 * The generated check is the same for all realms: they are all made the same way.
 * @type {vm.Script|undefined}
 */
let pristineCheck;
/** Generated texts that several realms have; so many are kept. @type {Map<string, vm.Script>} */
const comparisonScripts = new Map();
const MOST_SCRIPTS = 64;

/** @param {string} text */
function comparisonScript(text) {
  let script = comparisonScripts.get(text);
  if (script === undefined) {
    if (comparisonScripts.size === MOST_SCRIPTS) comparisonScripts.clear();
    script = new vm.Script(text, { filename: "realm/comparison-of-properties.js" });
    comparisonScripts.set(text, script);
  }
  return script;
}

/**
 * The realms that live, by their Promise.prototype: says where a rejected promise comes from.
 * @type {WeakMap<object, Realm>}
 */
const byPromisePrototype = new WeakMap();

/**
 * The realm in which a promise was made, or null.
 * @param {Promise<unknown>} promise
 * @returns {Realm|null}
 */
export function realmOfPromise(promise) {
  for (let proto = Object.getPrototypeOf(promise); proto !== null; proto = Object.getPrototypeOf(proto)) {
    const realm = byPromisePrototype.get(proto);
    if (realm !== undefined) return realm;
  }
  return null;
}

export class Realm {
  /**
   * Whatever runs in the realm now; answers all that its globals ask (see Execution).
   * @type {Execution|null}
   */
  execution = null;
  /** Set when something may still run in the realm after its execution has ended. */
  tainted = false;
  /** @type {RealmApi} */
  #api;
  /** @type {Pristine} */
  #pristine;
  /** @type {WeakMap<vm.Script, Function>} */
  #factories = new WeakMap();
  /** @type {KeptStates} */
  #states;
  /** The modules that stay, as their evaluation left them. @type {KeptState|null} */
  #kept = null;
  /** What the modules that stay can reach of the realm. @type {PristinePart|undefined} */
  #within;
  /** Whether a text is of the modules that may stay. @type {(text: string) => boolean} */
  #isModuleText = () => false;

  constructor() {
    // An ordinary global object where Node.js has it: one with interceptors makes every read of a global slow.
    this.context = vm.createContext(vm.constants?.DONT_CONTEXTIFY ?? {}, {
      codeGeneration: { strings: false, wasm: true },
    });
    this.stackFrames = new StackFrames((url) => this.execution?.modules?.byUrl(url) ?? null);
    /** @template {keyof Parts} K @param {K} name @returns {Parts[K]} */
    const run = (name) => PARTS[name].runInContext(this.context);
    const host = this.#host();
    const api = (this.#api = run("core")(host));
    run("console")(host, api, run("inspect")());
    run("timers")(host, api);
    const crossing = run("crossing")(host, outer);
    const facades = run("facades")(host, api, crossing, outer);
    run("web")(host, api, crossing, facades, interfaces);
    run("crypto")(host, api, crossing, facades, interfaces);
    run("performance")(host, api);
    run("structured_clone")(host, api, crossing);
    run("js_syscalls")(host, api, crossing);
    byPromisePrototype.set(api.promisePrototype, this);
    const comparisons = run("comparison")((text) => comparisonScript(text).runInContext(this.context));
    this.#pristine = run("pristine")(
      (makeSource) => {
        pristineCheck ??= new vm.Script(makeSource(), { filename: "realm/pristine-check.js" });
        return pristineCheck.runInContext(this.context);
      },
      comparisons,
      KINDS.isProxy,
    );
    api.watch = this.#pristine.watch;
    api.watchEntry = this.#pristine.watchEntry;
    this.#states = run("kept_state")(
      (text) => this.#isModuleText(text),
      api,
      this.#pristine,
      (object) => crossing.behind.get(object),
      KINDS,
      comparisons,
    );
    this.#pristine.take(api.hiddenRoots(), api.faces);
  }

  /**
   * What the realm's globals ask of the host. Answers are primitives, or {message, ...} for failures.
   * @returns {RealmHost}
   */
  #host() {
    const execution = () => /** @type {Execution} */ (this.execution);
    /** @template T @param {() => T} work @returns {OrRaised<T>} */
    const attempt = (work) => {
      try {
        return work();
      } catch (error) {
        const { type = "Error", message } = /** @type {Raised} */ (error);
        return { type, message };
      }
    };
    return {
      now: () => attempt(() => execution().now()),
      performanceNow: () => attempt(() => execution().performanceNow()),
      timeOrigin: () => attempt(() => execution().timeOrigin),
      random: () => attempt(() => execution().random.float()),
      randomFill: (bytes) =>
        attempt(() => {
          execution().random.fill(bytes);
        }),
      env: (name) => attempt(() => execution().env(name)),
      log: (level, messages) => execution().log(level, messages),
      syscall: (count, op, args) => attempt(() => execution().syscall(count, op, args)),
      asyncSyscall: (count, op, args, resolve, reject) => execution().asyncSyscall(count, op, args, resolve, reject),
      textOf: withoutInsertions,
      unknownJsSyscall: (op) => execution().fatal(`Unknown JS syscall: ${op}`),
      fatal: (message) => execution().fatal(message),
      refusal: (what) => execution().refusal(what),
      timerRefusal: (what) => execution().timerRefusal(what),
      fetch: (input, init, resolve, reject) => execution().fetch(input, init, resolve, reject),
      storeBlob: (args, blob, resolve, reject) => execution().storeBlob(JSON.parse(args), blob, resolve, reject),
      getBlob: (args, resolve, reject) => execution().getBlob(JSON.parse(args), resolve, reject),
      makeRequest: (json) => execution().makeRequest(JSON.parse(json)),
      wholeBodyBytes: () => limits.wholeBodyBytes,
      takeResponse: (response) => execution().takeResponse(response),
      setTimer: (callback, delay, repeat) => execution().setTimer(callback, delay, repeat),
      clearTimer: (id) => execution().clearTimer(id),
      /** Begins work of the host's own event loop; the answer tells whether its end may still be delivered. */
      beginOperation: (name, isCounted) => execution().beginOperation(name, isCounted),
      formatStack: (error, callSites) => this.stackFrames.format(error, callSites),
      traceFrames: (holder) =>
        this.stackFrames
          .of(holder)
          .slice(0)
          .map((frame) => `    at ${frame}`)
          .join("\n"),
    };
  }

  // ---- acting inside the realm --------------------------------------------------------------------------------

  /**
   * Calls the factory of a module; its script is run once in this realm.
   * @param {vm.Script} script
   * @param {object|undefined} scope
   * @param {UserValue[]} values
   * @param {(specifier: UserValue) => Promise<UserValue>} importer
   * @param {Register} [register]  what a module calls that is to be kept
   * @returns {UserValue}
   */
  callFactory(script, scope, values, importer, register) {
    let make = this.#factories.get(script);
    if (make === undefined) {
      make = /** @type {Function} */ (script.runInContext(this.context));
      this.#factories.set(script, make);
    }
    return this.#api.callFactory(make, scope, values, importer, register, this.#pristine.watch);
  }

  /**
   * Runs a generator to its next `yield`.
   * @param {UserValue} generator
   * @returns {UserValue} what it yields
   */
  advance(generator) {
    return this.#api.advance(generator);
  }

  /**
   * The object in which a module finds its live imports; `read` tells what they are now.
   * @param {[string, Binding][]} live
   * @param {(binding: Binding) => UserValue} read
   */
  liveScope(live, read) {
    return this.#api.liveScope(
      live.map(([local]) => local),
      (index) => read(live[index][1]),
    );
  }

  /**
   * A module's namespace: names in order, and what they mean; those that may change are read anew each time.
   * @param {[string, Binding][]} entries
   * @param {(binding: Binding) => boolean} isLive
   * @param {(binding: Binding) => UserValue} read
   */
  makeNamespace(entries, isLive, read) {
    return this.#api.namespace(
      entries.map(([name]) => name),
      entries.map(([, binding]) => isLive(binding)),
      (index) => read(entries[index][1]),
    );
  }

  /** @param {Function} target @param {unknown[]} args */
  call(target, ...args) {
    return this.#api.call(target, ...args);
  }

  /** @param {string} type @param {string} message */
  makeError(type, message) {
    return this.#api.makeError(type, message);
  }

  /** @param {Raised} failure */
  raise(failure) {
    return this.#api.raise(failure);
  }

  get api() {
    return this.#api;
  }

  get metaAccess() {
    return this.#api.metaAccess;
  }

  /** @param {object} meta */
  poisonMeta(meta) {
    this.#api.poisonMeta(meta);
  }

  /** @param {ModuleSet} modules @param {string} referrer */
  dynamicImporter(modules, referrer) {
    return this.#api.importer((specifier) => this.import(modules, referrer, specifier));
  }

  dynamicImportRefusal() {
    return this.makeError("TypeError", "dynamic module import unsupported");
  }

  /**
   * What `import(specifier)` in the module `referrer` gives: a namespace or a promise of it.
   * @param {ModuleSet} modules
   * @param {string} referrer
   * @param {string} specifier
   */
  import(modules, referrer, specifier) {
    const execution = /** @type {Execution} */ (this.execution);
    if (!execution.allowsDynamicImport) throw this.dynamicImportRefusal();
    try {
      return execution.importModule(modules.resolve(specifier, referrer));
    } catch (error) {
      throw error instanceof Error ? this.makeError("Error", error.message) : error;
    }
  }

  /** @param {UserValue} thrown */
  describe(thrown) {
    return describeThrown(thrown, this.stackFrames);
  }

  /**
   * Evaluates modules so that they may stay, if nothing of what they do is left but what they are: no promise, no other change
   * of the realm.
   * @template T
   * @param {(register: Register) => T} evaluate
   * @param {{isModuleText: (text: string) => boolean, globals: Set<string>, isSilent: () => boolean}} modules  whether a text is
   *   of a function of theirs, on which globals they can lay hands, and whether they have told nobody of anything
   * @returns {T} what `evaluate` gives
   */
  evaluateToKeep(evaluate, { isModuleText, globals, isSilent }) {
    /** @type {Variables[]} */
    const told = [];
    let promises = 0;
    this.#pristine.reparented = false;
    this.#api.noteParts(true);
    const stop = promiseHooks.onInit(() => {
      promises += 1;
    });
    const stopNoting = this.#pristine.noteRedefined();
    let result;
    let redefined;
    try {
      result = evaluate((read, assigned) => told.push({ read, assigned }));
    } finally {
      /** @type {Function} */ (stop)();
      this.#api.noteParts(false);
      redefined = stopNoting();
    }
    const isQuiet = promises === 0 && !this.#pristine.reparented && isSilent();
    if (!isQuiet || this.#api.traces.some((isLeft) => isLeft()) || !this.#pristine.isPristine()) return result;
    this.#isModuleText = isModuleText;
    this.#kept = this.#states.take(told, redefined);
    this.#within = this.#pristine.within([...globals]);
    return result;
  }

  /** Whether the modules in the realm may stay as far as can be seen from their evaluation. */
  get isKept() {
    return this.#kept !== null;
  }

  /** Whether a call has left everything as it was, modules too: then the next one may follow at once. */
  remains() {
    this.execution = null;
    if (this.#kept === null || this.tainted) return false;
    try {
      if (this.#pristine.isPristine(this.#within) && !this.#pristine.touchedOthers && this.#kept.isSame()) {
        this.#api.reset();
        return true;
      }
    } catch {
      // An accessor has taken the place of a value.
    }
    this.#forget();
    return false;
  }

  #forget() {
    this.#kept = null;
    this.#pristine.watchAlso(null);
  }

  /** Makes the realm as good as new. @returns false if it must be dropped */
  clean() {
    this.execution = null;
    if (this.#kept !== null) this.#forget();
    if (this.tainted) return false;
    try {
      if (!this.#pristine.isPristine() && !this.#pristine.restore()) return false;
      // Only now: it uses the realm's built-ins.
      this.#api.reset();
      return true;
    } catch {
      return false;
    }
  }
}
