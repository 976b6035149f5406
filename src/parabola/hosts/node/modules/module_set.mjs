/**
 * The modules of one deployment: compiled once, instantiated for each execution.
 *
 * A module graph is instantiated by calling one factory a module (module_factory.mjs). A graph with text that our own
 * reading does not understand goes through V8's own module loader, which is slower, leaks, and is always right.
 */
import vm from "node:vm";
import { OpaqueModule, readCapturedVariables } from "./captured_variables.mjs";
import { LexError } from "./lexer.mjs";
import { compileFactory, KEEPING } from "./module_factory.mjs";
import { LinkError, ModuleLinks } from "./module_links.mjs";
import { readModuleSyntax, UnsupportedSyntax } from "./module_syntax.mjs";
import { instantiateNatively } from "./native_modules.mjs";
import { SourceMap } from "./source_maps.mjs";
import { reading } from "../unoptimized.mjs";
/** @import { ModuleInstance, ModuleInstances } from "../types/host" */
/** @import { CapturedVariables } from "./captured_variables.mjs" */
/** @import { ColumnShifts } from "./column_shifts.mjs" */
/** @import { Factory, FactoryOptions } from "./module_factory.mjs" */
/** @import { Binding } from "./module_links.mjs" */
/** @import { ModuleSyntax } from "./module_syntax.mjs" */
/** @import { GivenModule, UserValue } from "../types/protocol" */
/** @import { Register } from "../types/realm" */
/** @import { Realm } from "../realm.mjs" */
/** @import { SourcePositions } from "../stack_frames.mjs" */

export const MODULE_SCHEME = "convex:/";

/** Texts that may name another module. */
const RELATIVE = /["'`](\.{1,2}\/[^"'`\\\s]{1,500})["'`]/g;

export class ModuleError extends Error {}

/**
 * End the URL of a module that has been rewritten, so that its columns are others: where live imports are called, and where it
 * tells of its variables.
 */
const SHIFTED = ["#live", "#kept", "#kept-live"];

/**
 * @typedef {Module & {syntax: ModuleSyntax}} ReadableModule
 *
 * @typedef {object} Plan
 * @property {boolean} isNative  whether V8's loader is needed
 * @property {string|null} linkError  why the graph cannot be linked: a SyntaxError of the realm
 * @property {Step[]} steps  the modules in the order of their evaluation
 * @property {number} [textLength]  of their sources, once it is asked for
 * @property {Set<string>} [texts]  of functions that are known to be in them
 * @property {Set<string>} [globals]  that they can lay hands on
 *
 * @typedef {object} Step
 * @property {Module} module
 * @property {boolean} isEarly  whether it may be used before it has been evaluated
 * @property {Factory} factory
 * @property {Binding[]} constants  what it is given as values
 * @property {[string, Binding][]} live  local name -> what it means
 */

class Module {
  /** The factories by what they were compiled for. @type {Map<string, Factory|null>} */
  #factories = new Map();
  /** The module as stack frames find it where its columns are shifted, by the ends of its URL. @type {Map<string, ShiftedModule>} */
  rewritten = new Map();
  /** @type {ModuleSyntax|null|undefined} */
  #syntax;
  /** @type {readonly string[]|null} */
  #specifiers;
  /** @type {SourceMap|null|undefined} */
  #sourceMap;
  /** @type {CapturedVariables|null|undefined} */
  #captured;

  /** @param {GivenModule} module */
  constructor({ path, source, sourceMap }) {
    this.path = path;
    this.url = MODULE_SCHEME + path;
    this.source = source;
    this.sourceMapText = sourceMap ?? null;
    /** @type {Buffer|undefined} */
    this.cachedData = undefined;
    this.#specifiers = null;
  }

  /** What the module's imports name, as V8 reads them. Throws SyntaxError. @returns {readonly string[]} */
  get specifiers() {
    this.#specifiers ??= new vm.SourceTextModule(this.source, { identifier: this.url }).dependencySpecifiers;
    return /** @type {readonly string[]} */ (this.#specifiers);
  }

  /** The statements found by our own reading, or null where they differ from what V8 finds. */
  get syntax() {
    if (this.#syntax === undefined) this.#syntax = this.#readSyntax();
    return this.#syntax;
  }

  #readSyntax() {
    // V8 reads the module first: it is the judge of syntax errors, and of the specifiers our reading must agree on.
    const compiled = new vm.SourceTextModule(this.source, { identifier: this.url });
    // Not in the types of Node.js 20.
    this.cachedData = /** @type {any} */ (compiled).createCachedData();
    this.#specifiers = compiled.dependencySpecifiers;
    try {
      const syntax = reading(() => readModuleSyntax(this.source));
      const expected = [...new Set(compiled.dependencySpecifiers)].sort();
      const found = [...new Set(syntax.requests)].sort();
      return JSON.stringify(expected) === JSON.stringify(found) ? syntax : null;
    } catch (error) {
      if (error instanceof UnsupportedSyntax || error instanceof LexError) return null;
      throw error;
    }
  }

  /**
   * The factory, or null if this module needs V8's loader.
   * @param {FactoryOptions} options
   */
  factory(options) {
    const { constants, isLive, isEarly, captured } = options;
    const purpose = `${captured !== null}:${isEarly}:${isLive}:${constants.join()}`;
    let factory = this.#factories.get(purpose);
    if (factory === undefined) {
      factory = this.#compile(options);
      this.#factories.set(purpose, factory);
    }
    return factory;
  }

  /** @param {FactoryOptions} options */
  #compile(options) {
    const syntax = /** @type {ModuleSyntax} */ (this.syntax);
    const isShifted = options.isLive && syntax.calls.length > 0;
    const end = options.captured === null ? (isShifted ? "#live" : "") : isShifted ? "#kept-live" : "#kept";
    try {
      const factory = reading(() => compileFactory(this.source, syntax, { ...options, url: this.url + end }));
      if (end !== "" && !this.rewritten.has(end)) this.rewritten.set(end, new ShiftedModule(this, end, factory.shifts));
      return factory;
    } catch (error) {
      if (error instanceof UnsupportedSyntax || error instanceof SyntaxError) return null;
      throw error;
    }
  }

  /** The module as an analysis finds it whose columns are shifted. */
  get shifted() {
    return this.rewritten.get("#live") ?? null;
  }

  /** The variables that outlive the code that declares them, or null where the text does not tell. */
  get captured() {
    if (this.#captured === undefined) this.#captured = this.#readCaptured();
    return this.#captured;
  }

  #readCaptured() {
    try {
      return readCapturedVariables(this.source, KEEPING);
    } catch (error) {
      if (error instanceof OpaqueModule || error instanceof LexError) return null;
      throw error;
    }
  }

  /** @returns {SourceMap|null} */
  get sourceMap() {
    if (this.#sourceMap === undefined) this.#sourceMap = SourceMap.parse(this.sourceMapText);
    return this.#sourceMap;
  }
}

/** A module with other columns, for stack frames and positions. */
class ShiftedModule {
  /** @param {Module} module @param {string} end @param {ColumnShifts|null} shifts */
  constructor(module, end, shifts) {
    this.path = module.path;
    this.url = module.url + end;
    /** @type {SourcePositions} */
    this.sourceMap = {
      lookup: (line, column) => module.sourceMap?.lookup(line, shifts?.original(line, column) ?? column) ?? null,
    };
  }
}

export class ModuleSet {
  /** @type {Map<string, Module>} */
  #modules = new Map();
  /** @type {Map<string, Plan>} */
  #plans = new Map();
  /** @type {Map<string, Plan|null>} */
  #keepingPlans = new Map();
  #links = new ModuleLinks(
    (path) => this.#readable(path).syntax,
    (specifier, referrer) => this.resolve(specifier, referrer),
  );
  #uncompiled;

  /** @param {GivenModule[]} modules */
  constructor(modules) {
    for (const module of modules) this.#modules.set(module.path, new Module(module));
    this.#uncompiled = this.paths;
  }

  get paths() {
    return [...this.#modules.keys()];
  }

  /** @param {string} path */
  has(path) {
    return this.#modules.has(path);
  }

  /** @returns {Module} @param {string} path */
  get(path) {
    const module = this.#modules.get(path);
    if (module === undefined) {
      throw new ModuleError(`Couldn't find JavaScript module '${path}'. Did you forget to run \`npx convex dev\`?`);
    }
    return module;
  }

  /** The module behind a stack frame's file, or null. @param {string|undefined} url */
  byUrl(url) {
    if (!url?.startsWith(MODULE_SCHEME)) return null;
    const path = url.slice(MODULE_SCHEME.length);
    const end = SHIFTED.find((one) => path.endsWith(one));
    if (end !== undefined) return this.#modules.get(path.slice(0, -end.length))?.rewritten.get(end) ?? null;
    return this.#modules.get(path) ?? null;
  }

  /**
   * All modules that are loaded with the one of `path`, itself among them.
   * @param {string} path
   * @param {{isNode?: boolean}} [options]  whether packages, and modules that are imported later, are allowed
   */
  graph(path, { isNode = false } = {}) {
    const found = new Set([path]);
    for (const one of found) {
      const { specifiers, source } = this.get(one);
      const named = isNode ? Array.from(source.matchAll(RELATIVE), ([, specifier]) => specifier) : [];
      for (const specifier of [...specifiers, ...named]) {
        if (isNode && !specifier.startsWith(".")) continue;
        const target = this.resolve(specifier, one);
        if (!isNode || this.has(target)) found.add(target);
      }
    }
    return [...found];
  }

  /** @param {string} specifier @param {string} referrer */
  resolve(specifier, referrer) {
    const url = URL.canParse(specifier, MODULE_SCHEME + referrer) ? new URL(specifier, MODULE_SCHEME + referrer) : null;
    const isRelative = /^\.{0,2}\//.test(specifier);
    if (url === null || url.protocol !== "convex:" || (!isRelative && !specifier.startsWith("convex:"))) {
      const scheme = isRelative || url === null ? specifier : url.protocol.slice(0, -1);
      throw new ModuleError(`Unsupported scheme (${scheme}) in ${specifier}`);
    }
    return decodeURIComponent(url.pathname.replace(/^\/+/, ""));
  }

  /** Compiles one more module now rather than in the time of a call. @returns {boolean} false when all are compiled */
  compileNext() {
    const path = this.#uncompiled.pop();
    if (path === undefined) return false;
    try {
      this.plan(path);
    } catch {
      // A module that nobody calls may be broken; its use reports it.
    }
    return true;
  }

  /**
   * How to instantiate the graph under `path`.
   * Throws ModuleError or SyntaxError if a module is missing or cannot be read.
   * @param {string} path
   * @returns {Plan}
   */
  plan(path) {
    let plan = this.#plans.get(path);
    if (plan === undefined) {
      plan = this.#makePlan(path);
      this.#plans.set(path, plan);
    }
    return plan;
  }

  /**
   * How to instantiate the graph under `path` so that its modules tell of their variables; null where one of them cannot.
   * Throws as `plan` does.
   * @param {string} path
   * @returns {Plan|null}
   */
  keepingPlan(path) {
    let plan = this.#keepingPlans.get(path);
    if (plan === undefined) {
      plan = this.#makeKeepingPlan(this.plan(path));
      this.#keepingPlans.set(path, plan);
    }
    return plan;
  }

  /** @param {Plan} plan @returns {Plan|null} */
  #makeKeepingPlan(plan) {
    if (plan.isNative || plan.linkError !== null) return null;
    if (plan.steps.some(({ module, isEarly }) => isEarly || module.captured === null)) return null;
    try {
      const steps = plan.steps.map(({ module }) => this.#makeStep(module.path, new Set(), module.captured));
      const globals = new Set(plan.steps.flatMap(({ module }) => module.captured?.globals ?? []));
      return { ...plan, steps, texts: new Set(), globals };
    } catch (error) {
      if (error instanceof Unreadable) return null;
      throw error;
    }
  }

  /** The length of the text of a module and of all that is evaluated with it. @param {string} path */
  textLength(path) {
    const plan = this.plan(path);
    plan.textLength ??= plan.steps.reduce((sum, { module }) => sum + module.source.length, 0);
    return plan.textLength;
  }

  /**
   * Whether a function with this text may have come from the modules of a plan that `keepingPlan` has made.
   * @param {Plan} plan
   * @param {string} text
   */
  isTextOf({ steps, texts = new Set() }, text) {
    if (texts.has(text)) return true;
    if (!steps.some(({ factory }) => factory.text.includes(text))) return false;
    texts.add(text);
    return true;
  }

  /**
   * A module whose text our own reading understands. Throws Unreadable.
   * @param {string} path
   * @returns {ReadableModule}
   */
  #readable(path) {
    const module = this.get(path);
    if (module.syntax === null) throw new Unreadable();
    return /** @type {ReadableModule} */ (module);
  }

  /** @param {string} path @returns {Plan} */
  #makePlan(path) {
    const steps = [];
    try {
      const order = this.#links.order(path);
      const early = new Set(order.filter((one) => one.isEarly).map((one) => one.path));
      for (const one of order) {
        steps.push(this.#makeStep(one.path, early));
      }
    } catch (error) {
      if (error instanceof Unreadable) return { isNative: true, linkError: null, steps: [] };
      if (error instanceof LinkError) return { isNative: false, linkError: error.message, steps: [] };
      throw error;
    }
    return { isNative: false, linkError: null, steps };
  }

  /**
   * Throws Unreadable.
   * @param {string} path
   * @param {Set<string>} early
   * @param {CapturedVariables|null} [captured]
   * @returns {Step}
   */
  #makeStep(path, early, captured = null) {
    const module = this.#readable(path);
    const isEarly = early.has(path);
    const names = [];
    /** @type {Binding[]} */
    const constants = [];
    /** @type {[string, Binding][]} */
    const live = [];
    this.#links.checkHandedOn(path);
    for (const entry of module.syntax.imports) {
      for (const [name, local] of entry.names) {
        const binding = this.#links.binding(path, entry.specifier, name);
        if (this.#isLive(binding, isEarly, early)) live.push([local, binding]);
        else {
          names.push(local);
          constants.push(binding);
        }
      }
      if (entry.namespace !== null) {
        names.push(entry.namespace);
        constants.push({ path: this.#links.target(path, entry.specifier), name: null });
      }
    }
    const isLive = live.length > 0;
    const options = { constants: names, isLive, isEarly, exports: this.#links.variables(path), captured };
    const factory = module.factory(options);
    if (factory === null) throw new Unreadable();
    return { module, isEarly, factory, constants, live };
  }

  /**
   * Whether what an import means may change, or come to be, after the importer has been made.
   * @param {Binding} binding
   * @param {boolean} isEarly
   * @param {Set<string>} early
   */
  #isLive({ path, name }, isEarly, early) {
    if (name === null) return false;
    if (isEarly && early.has(path)) return true;
    return this.#isAssigned(path, name);
  }

  /** @param {string} path @param {string} name */
  #isAssigned(path, name) {
    const { assigned } = /** @type {ModuleSyntax} */ (this.get(path).syntax);
    return assigned.size > 0 && this.#links.variables(path).some(([local, one]) => one === name && assigned.has(local));
  }

  /**
   * Where the modules of one execution are kept, so that a later import finds them again.
   * @returns {ModuleInstances}
   */
  newInstances() {
    return { made: new Map(), native: new Map() };
  }

  /**
   * Evaluates the graph under `path` in a realm. Exceptions of the modules pass through.
   * @param {Realm} realm
   * @param {string} path
   * @param {ModuleInstances} instances
   * @param {{plan?: Plan, register?: Register}} [options]  a plan of `keepingPlan`, and what its modules
   *   tell of their variables
   * @returns {{namespace: UserValue, isPending: boolean}} pending where V8's loader is needed
   */
  instantiate(realm, path, { made, native }, { plan = this.plan(path), register } = {}) {
    if (plan.isNative) return { namespace: instantiateNatively(this, realm, path, native), isPending: true };
    if (plan.linkError !== null) throw realm.makeError("SyntaxError", plan.linkError);
    const steps = made.size === 0 ? plan.steps : plan.steps.filter(({ module }) => !made.has(module.path));
    for (const { module, isEarly } of steps)
      made.set(module.path, this.#newInstance(realm, module.path, isEarly, made));
    let evaluated = 0;
    try {
      let started = null;
      for (const step of steps) {
        if (step.isEarly) {
          started ??= this.#startEarly(realm, steps, made);
          realm.advance(started.get(step));
        } else {
          instanceAt(made, step.module.path).exports = this.#call(realm, step, made, register);
        }
        evaluated += 1;
      }
    } finally {
      // What has failed is evaluated anew by whoever imports it again.
      for (let i = evaluated; i < steps.length; i++) made.delete(steps[i].module.path);
    }
    return { namespace: instanceAt(made, path).namespace, isPending: false };
  }

  /**
   * Links the early modules: their functions exist, their variables do not yet.
   * @param {Realm} realm
   * @param {Step[]} steps
   * @param {ModuleInstances["made"]} made
   * @returns {Map<Step, UserValue>}
   */
  #startEarly(realm, steps, made) {
    const started = new Map();
    for (const step of steps) {
      if (!step.isEarly) continue;
      const generator = this.#call(realm, step, made);
      instanceAt(made, step.module.path).exports = realm.advance(generator);
      started.set(step, generator);
    }
    return started;
  }

  /**
   * @param {Realm} realm
   * @param {Step} step
   * @param {ModuleInstances["made"]} made
   * @param {Register} [register]
   */
  #call(realm, { module, factory, constants, live }, made, register) {
    /** @param {Binding} binding */
    const read = (binding) => valueOf(made, binding);
    const scope = live.length === 0 ? undefined : realm.liveScope(live, read);
    const importer = realm.dynamicImporter(this, module.path);
    return realm.callFactory(factory.script, scope, constants.map(read), importer, register);
  }

  /**
   * @param {Realm} realm
   * @param {string} path
   * @param {boolean} isEarly
   * @param {ModuleInstances["made"]} made
   * @returns {ModuleInstance}
   */
  #newInstance(realm, path, isEarly, made) {
    const links = this.#links;
    /** @type {object|undefined} */
    let namespace;
    // A namespace may lead back to itself.
    const isLive = (/** @type {Binding} */ binding) =>
      binding.name === null || instanceAt(made, binding.path).isEarly || this.#isAssigned(binding.path, binding.name);
    return {
      /** Its own exports, by name; null before it has been linked. */
      exports: null,
      isEarly,
      get namespace() {
        namespace ??= realm.makeNamespace(links.namespace(path), isLive, (binding) => valueOf(made, binding));
        return namespace;
      },
    };
  }
}

/** @param {ModuleInstances["made"]} made @param {string} path @returns {ModuleInstance} */
const instanceAt = (made, path) => /** @type {ModuleInstance} */ (made.get(path));

/** What an import means now. @param {ModuleInstances["made"]} made @param {Binding} binding @returns {UserValue} */
function valueOf(made, { path, name }) {
  const instance = instanceAt(made, path);
  return name === null ? instance.namespace : instance.exports[name];
}

/** The graph has a module that needs V8's loader. */
class Unreadable extends Error {}
