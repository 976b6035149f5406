/**
 * How the modules of a graph hang together: what each import means, and in which order they are evaluated.
 *
 * As in ECMAScript a name is followed through re-exports to the variable that is meant, and dependencies come first. The
 * modules of an import cycle, and what is first reached from one, may be used before they are evaluated: they are *early*.
 */
/** @import { ModuleSyntax } from "./module_syntax.mjs" */

/**
 * @typedef {object} Binding  what an import means
 * @property {string} path  the module
 * @property {string|null} name  of its own export; null for its namespace
 */

/**
 * @typedef {object} Exports  of one module
 * @property {[string, string][]} variables  its own: local name -> exported name
 * @property {Map<string, {specifier: string, name: string|null}>} handedOn  exported name -> where it comes from
 */

/** Several `export *` give different ones. */
const AMBIGUOUS = "ambiguous";

export class ModuleLinks {
  /** @type {Map<string, Map<string, string>>} */
  #targets = new Map();
  /** @type {Map<string, Exports>} */
  #own = new Map();
  /** @type {Map<string, [string, Binding][]>} */
  #namesOf = new Map();

  /**
   * @param {(path: string) => ModuleSyntax} syntaxOf
   * @param {(specifier: string, referrer: string) => string} resolve
   */
  constructor(syntaxOf, resolve) {
    this.syntaxOf = syntaxOf;
    this.resolve = resolve;
  }

  /**
   * The module that a specifier means in `path`.
   * @param {string} path
   * @param {string} specifier
   * @returns {string}
   */
  target(path, specifier) {
    let targets = this.#targets.get(path);
    if (targets === undefined) this.#targets.set(path, (targets = new Map()));
    if (!targets.has(specifier)) targets.set(specifier, this.resolve(specifier, path));
    return /** @type {string} */ (targets.get(specifier));
  }

  /**
   * The exports of a module: its own variables, and those that it hands on.
   * @param {string} path
   * @returns {Exports}
   */
  #exportsOf(path) {
    let found = this.#own.get(path);
    if (found === undefined) {
      const { imports, exports, reexports } = this.syntaxOf(path);
      const imported = new Map();
      for (const { specifier, names, namespace } of imports) {
        for (const [name, local] of names) imported.set(local, { specifier, name });
        if (namespace !== null) imported.set(namespace, { specifier, name: null });
      }
      found = /** @type {Exports} */ ({ variables: [], handedOn: new Map() });
      for (const [local, name] of exports) {
        const origin = imported.get(local);
        if (origin === undefined) found.variables.push([local, name]);
        else found.handedOn.set(name, origin);
      }
      for (const { specifier, names, namespace } of reexports) {
        for (const [name, alias] of names) found.handedOn.set(alias, { specifier, name });
        if (namespace !== null) found.handedOn.set(namespace, { specifier, name: null });
      }
      this.#own.set(path, found);
    }
    return found;
  }

  /**
   * The exports that are variables of the module itself: local name -> exported name.
   * @param {string} path
   */
  variables(path) {
    return this.#exportsOf(path).variables;
  }

  /**
   * @param {string} path
   * @param {string} name
   * @param {Set<string>} seen
   * @returns {Binding|null|typeof AMBIGUOUS} null if there is none
   */
  #find(path, name, seen) {
    const visit = `${path}\0${name}`;
    if (seen.has(visit)) return null;
    seen.add(visit);
    const { variables, handedOn } = this.#exportsOf(path);
    if (variables.some(([, exported]) => exported === name)) return { path, name };
    const origin = handedOn.get(name);
    if (origin !== undefined) {
      const target = this.target(path, origin.specifier);
      return origin.name === null ? { path: target, name: null } : this.#find(target, origin.name, seen);
    }
    if (name === "default") return null;
    /** @type {Binding|null} */
    let found = null;
    for (const { specifier, star } of this.syntaxOf(path).reexports) {
      if (!star) continue;
      const one = this.#find(this.target(path, specifier), name, seen);
      if (one === AMBIGUOUS) return one;
      if (one === null) continue;
      if (found !== null && (found.path !== one.path || found.name !== one.name)) return AMBIGUOUS;
      found = one;
    }
    return found;
  }

  /**
   * What `import { name } from "specifier"` means in `path`. Throws LinkError.
   * @param {string} path
   * @param {string} specifier
   * @param {string} name
   * @returns {Binding}
   */
  binding(path, specifier, name) {
    const target = this.target(path, specifier);
    const found = this.#find(target, name, new Set());
    if (found === null)
      throw new LinkError(`The requested module '${specifier}' does not provide an export named '${name}'`);
    if (found === AMBIGUOUS)
      throw new LinkError(`The requested module '${specifier}' contains conflicting star exports for name '${name}'`);
    return found;
  }

  /** Checks what a module hands on by name. Throws LinkError. @param {string} path */
  checkHandedOn(path) {
    for (const { specifier, name } of this.#exportsOf(path).handedOn.values()) {
      if (name !== null) this.binding(path, specifier, name);
    }
  }

  /**
   * The names that a module's namespace has, and what they mean.
   * @param {string} path
   * @returns {[string, Binding][]}
   */
  namespace(path) {
    let found = this.#namesOf.get(path);
    if (found === undefined) {
      const names = new Set();
      this.#collectNames(path, names, new Set());
      found = [];
      for (const name of [...names].sort()) {
        const binding = this.#find(path, name, new Set());
        if (binding !== null && binding !== AMBIGUOUS) found.push([name, binding]);
      }
      this.#namesOf.set(path, found);
    }
    return found;
  }

  /** @param {string} path @param {Set<string>} names @param {Set<string>} seen */
  #collectNames(path, names, seen) {
    if (seen.has(path)) return;
    seen.add(path);
    const { variables, handedOn } = this.#exportsOf(path);
    for (const [, name] of variables) names.add(name);
    for (const name of handedOn.keys()) names.add(name);
    for (const { specifier, star } of this.syntaxOf(path).reexports) {
      if (!star) continue;
      const more = new Set();
      this.#collectNames(this.target(path, specifier), more, seen);
      for (const name of more) if (name !== "default") names.add(name);
    }
  }

  /**
   * The modules under `path` in the order of their evaluation.
   * @param {string} path
   * @returns {{path: string, isEarly: boolean}[]}
   */
  order(path) {
    /** @type {string[]} */
    const order = [];
    const cyclic = new Set();
    /** @type {Map<string, number>} */
    const numbers = new Map();
    /** @type {string[]} */
    const open = [];
    // Tarjan's algorithm: a module from which an open one is reached that has a lower number is in a cycle with it.
    /** @param {string} current @returns {number} */
    const visit = (current) => {
      const number = numbers.size;
      let lowest = number;
      numbers.set(current, number);
      open.push(current);
      for (const specifier of this.syntaxOf(current).requests) {
        const next = this.target(current, specifier);
        if (next === current) cyclic.add(current);
        if (!numbers.has(next)) lowest = Math.min(lowest, visit(next));
        else if (open.includes(next)) lowest = Math.min(lowest, /** @type {number} */ (numbers.get(next)));
      }
      order.push(current);
      if (lowest < number) return lowest;
      const component = open.splice(open.indexOf(current));
      if (component.length > 1) for (const one of component) cyclic.add(one);
      return lowest;
    };
    visit(path);
    const first = order.findIndex((one) => cyclic.has(one));
    const early = first < 0 ? new Set() : this.#reachable(cyclic);
    return order.map((one, index) => ({ path: one, isEarly: index >= first && early.has(one) }));
  }

  /** @param {Set<string>} from */
  #reachable(from) {
    const found = new Set(from);
    for (const path of found) {
      for (const specifier of this.syntaxOf(path).requests) found.add(this.target(path, specifier));
    }
    return found;
  }
}

/** A graph that cannot be linked: a SyntaxError of the realm. */
export class LinkError extends Error {}
