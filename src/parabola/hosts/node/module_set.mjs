/**
 * The modules of one deployment: compiled once, instantiated for each execution.
 *
 * A module graph whose bindings are fixed (module_syntax.mjs) and acyclic is instantiated by calling one factory a
 * module; any other graph goes through V8's own module loader, which is slower and always right.
 */
import vm from "node:vm";
import { LexError } from "./lexer.mjs";
import { compileFactory } from "./module_factory.mjs";
import { readModuleSyntax, UnsupportedSyntax } from "./module_syntax.mjs";
import { instantiateNatively } from "./native_modules.mjs";
import { SourceMap } from "./source_maps.mjs";

export const MODULE_SCHEME = "convex:/";

export class ModuleError extends Error {}

class Module {
  #factory;
  #syntax;
  #sourceMap;

  constructor({ path, source, sourceMap }) {
    this.path = path;
    this.url = MODULE_SCHEME + path;
    this.source = source;
    this.sourceMapText = sourceMap ?? null;
    this.cachedData = undefined;
  }

  /** The statements found by our own reading, or null where they differ from what V8 finds. */
  get syntax() {
    if (this.#syntax === undefined) this.#syntax = this.#readSyntax();
    return this.#syntax;
  }

  #readSyntax() {
    // V8 reads the module first: it is the judge of syntax errors, and of the specifiers our reading must agree on.
    const compiled = new vm.SourceTextModule(this.source, { identifier: this.url });
    this.cachedData = compiled.createCachedData();
    try {
      const syntax = readModuleSyntax(this.source);
      const expected = [...new Set(compiled.dependencySpecifiers)].sort();
      const found = [...new Set(syntax.requests)].sort();
      return JSON.stringify(expected) === JSON.stringify(found) ? syntax : null;
    } catch (error) {
      if (error instanceof UnsupportedSyntax || error instanceof LexError) return null;
      throw error;
    }
  }

  /** The factory script, or null if this module needs V8's loader. */
  get factory() {
    if (this.#factory === undefined) this.#factory = this.#compile();
    return this.#factory;
  }

  #compile() {
    if (this.syntax === null || !this.syntax.fixed) return null;
    try {
      return compileFactory(this.source, this.syntax, this.url);
    } catch (error) {
      if (error instanceof UnsupportedSyntax || error instanceof SyntaxError) return null;
      throw error;
    }
  }

  /** @returns {SourceMap|null} */
  get sourceMap() {
    if (this.#sourceMap === undefined) this.#sourceMap = SourceMap.parse(this.sourceMapText);
    return this.#sourceMap;
  }
}

export class ModuleSet {
  #modules = new Map();
  #plans = new Map();
  #uncompiled;

  constructor(modules) {
    for (const module of modules) this.#modules.set(module.path, new Module(module));
    this.#uncompiled = this.paths;
  }

  get paths() {
    return [...this.#modules.keys()];
  }

  has(path) {
    return this.#modules.has(path);
  }

  /** @returns {Module} */
  get(path) {
    const module = this.#modules.get(path);
    if (module === undefined) {
      throw new ModuleError(`Couldn't find JavaScript module '${path}'. Did you forget to run \`npx convex dev\`?`);
    }
    return module;
  }

  /** The module behind a stack frame's file, or null. */
  byUrl(url) {
    return url?.startsWith(MODULE_SCHEME) ? (this.#modules.get(url.slice(MODULE_SCHEME.length)) ?? null) : null;
  }

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
   * How to instantiate the graph under `path`: its modules with the dependencies first, or null for V8's loader.
   * Throws ModuleError or SyntaxError if the graph cannot be linked.
   */
  plan(path) {
    let plan = this.#plans.get(path);
    if (plan === undefined) {
      plan = this.#makePlan(path);
      this.#plans.set(path, plan);
    }
    return plan;
  }

  #makePlan(path) {
    const order = [];
    const done = new Set();
    const onPath = new Set();
    let usable = true;
    const visit = (current) => {
      if (done.has(current)) return;
      if (onPath.has(current)) {
        usable = false;
        return;
      }
      const module = this.get(current);
      if (module.factory === null) {
        usable = false;
        done.add(current);
        return;
      }
      onPath.add(current);
      const targets = new Map();
      for (const specifier of module.syntax.requests) {
        const target = this.resolve(specifier, current);
        targets.set(specifier, target);
        visit(target);
      }
      onPath.delete(current);
      done.add(current);
      order.push({ module, targets });
    };
    visit(path);
    return usable ? order : null;
  }

  /** Where the modules of one execution are kept, so that a later import finds them again. */
  newInstances() {
    return { made: new Map(), native: new Map() };
  }

  /**
   * Evaluates the graph under `path` in a realm. Exceptions of the modules pass through.
   * @returns {{namespace: object|Promise<object>, isPending: boolean}} pending where V8's loader is needed
   */
  instantiate(realm, path, { made, native }) {
    const plan = this.plan(path);
    if (plan === null) return { namespace: instantiateNatively(this, realm, path, native), isPending: true };
    for (const step of plan) {
      if (!made.has(step.module.path)) made.set(step.module.path, this.#evaluate(realm, step, made));
    }
    return { namespace: made.get(path).namespace, isPending: false };
  }

  #evaluate(realm, { module, targets }, instances) {
    const { syntax } = module;
    const dependencies = syntax.imports.map((entry) => {
      const instance = instances.get(targets.get(entry.specifier));
      for (const [name] of entry.names) requireExport(realm, instance, name, entry.specifier);
      return instance;
    });
    const values = realm.call(
      realm.factory(module),
      dependencies,
      realm.dynamicImporter(this, module.path),
      realm.metaAccess,
    );
    const stars = Object.create(null);
    for (const entry of syntax.reexports) {
      const instance = instances.get(targets.get(entry.specifier));
      if (entry.namespace !== null) values[entry.namespace] = instance.namespace;
      for (const [name, alias] of entry.names) {
        requireExport(realm, instance, name, entry.specifier);
        values[alias] = instance.values[name];
      }
      if (entry.star) addStarExports(stars, instance.values);
    }
    for (const [name, { value, ambiguous }] of Object.entries(stars)) {
      if (!(name in values) && !ambiguous) values[name] = value;
    }
    return realm.makeInstance(values);
  }
}

function requireExport(realm, instance, name, specifier) {
  if (name in instance.values) return;
  throw realm.makeError(
    "SyntaxError",
    `The requested module '${specifier}' does not provide an export named '${name}'`,
  );
}

function addStarExports(stars, values) {
  for (const name of Object.keys(values)) {
    if (name === "default") continue;
    if (!(name in stars)) stars[name] = { value: values[name], ambiguous: false };
    else if (stars[name].value !== values[name]) stars[name].ambiguous = true;
  }
}
