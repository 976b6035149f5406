/**
 * What libraries see that read stacks themselves (`Error.prepareStackTrace`): the modules of "use node" functions under
 * `convex:/user/`, wherever their files are, and none of the host's own frames.
 */
/** @import { StackFrames } from "./stack_frames.mjs" */
export const USER_SCHEME = "convex:/user/";
const HOST_FOLDER = new URL(".", import.meta.url).href;

/** A call site in a user's module. Everything but the names is V8's. */
class UserCallSite {
  /** @type {any} */
  #site;
  /** @type {string} */
  #file;
  /** @type {string} */
  #name;

  /** @param {NodeJS.CallSite} site @param {string} file @param {string} name */
  constructor(site, file, name) {
    this.#site = site;
    this.#file = file;
    this.#name = name;
  }

  static {
    const methods = Object.getOwnPropertyNames(Object.getPrototypeOf(aCallSite())).filter(
      (name) => name !== "constructor",
    );
    for (const method of methods) {
      if (Object.hasOwn(this.prototype, method)) continue;
      /** @this {UserCallSite} @param {unknown[]} args */
      const value = function (...args) {
        return this.#site[method](...args);
      };
      Object.defineProperty(this.prototype, method, { value, writable: true, configurable: true, enumerable: true });
    }
  }

  getFileName() {
    return this.#name;
  }

  getScriptNameOrSourceURL() {
    return this.#name;
  }

  toString() {
    return this.#site.toString().replaceAll(this.#file, this.#name);
  }
}

/** @returns {NodeJS.CallSite} */
function aCallSite() {
  const before = Error.prepareStackTrace;
  Error.prepareStackTrace = (_error, sites) => sites;
  try {
    return /** @type {any} */ (new Error().stack)[0];
  } finally {
    Error.prepareStackTrace = before;
  }
}

/**
 * Makes `Error.prepareStackTrace` a property that user code may set as in Node.js.
 * @param {StackFrames} stackFrames  renders stacks while user code has set nothing
 * @param {(file: string) => string|null} nameOf  what a user's file is called; null for others
 */
export function presentCallSites(stackFrames, nameOf) {
  /** @param {Error} error @param {NodeJS.CallSite[]} sites */
  const format = (error, sites) => stackFrames.format(error, sites);
  /** @type {WeakSet<Function>} */
  const ours = new WeakSet([format]);
  let current = format;
  /** @param {NodeJS.CallSite} site */
  const present = (site) => {
    try {
      const file = site.getFileName() ?? "";
      if (file.startsWith(HOST_FOLDER)) return [];
      const name = nameOf(file);
      return [name === null ? site : new UserCallSite(site, file, name)];
    } catch {
      return [site];
    }
  };
  Object.defineProperty(Error, "prepareStackTrace", {
    configurable: true,
    get: () => current,
    set(value) {
      if (typeof value !== "function") {
        current = format;
      } else if (ours.has(value)) {
        // A library puts back what it found.
        current = value;
      } else {
        current = (/** @type {Error} */ error, /** @type {NodeJS.CallSite[]} */ sites) => {
          if (!Array.isArray(sites)) return value.call(Error, error, sites);
          stackFrames.remember(error, sites);
          return value.call(Error, error, sites.flatMap(present));
        };
        ours.add(current);
      }
    },
  });
}
