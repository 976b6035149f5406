/** What the engine has loaded: the modules of one environment, and what they may read while they run. */
import { createHash } from "node:crypto";
import { ModuleSet } from "./modules/module_set.mjs";
/** @import { GivenModule, Load } from "./types/protocol" */

/**
 * 32 bytes in hex from any text: the engine may name a seed instead of spelling it out.
 * @param {string} text
 */
function hexSeed(text) {
  return /^[0-9a-f]{32,64}$/.test(text) ? text : createHash("sha256").update(text).digest("hex");
}

export class Deployment {
  /** @type {Record<string, string|undefined>} */
  #env;
  #instance;

  /** @param {Omit<Load, "type"|"modules"> & {modules: GivenModule[]|ModuleSet}} message  (docs/explanation/host-protocol.md) */
  constructor({ deployment, modules, env = {}, instance = {}, importPhase = {} }) {
    this.id = deployment;
    this.modules = modules instanceof ModuleSet ? modules : new ModuleSet(modules);
    this.#instance = instance;
    this.#env = { CONVEX_CLOUD_URL: instance.cloudUrl, CONVEX_SITE_URL: instance.siteUrl, ...env };
    /** Clock (milliseconds) and seed of the import phase. */
    this.importNow = importPhase.now ?? Date.now();
    this.importSeed = hexSeed(importPhase.seed ?? "");
  }

  /**
   * Other modules in the same place, without the app's variables: those of a component.
   * @param {GivenModule[]|ModuleSet} modules
   * @param {Record<string, string>} env  what may be read beside the addresses
   */
  withModules(modules, env = {}) {
    const importPhase = { now: this.importNow, seed: this.importSeed };
    return new Deployment({ deployment: this.id, modules, env, instance: this.#instance, importPhase });
  }

  /** @param {string} name @returns {string|undefined} */
  env(name) {
    return Object.hasOwn(this.#env, name) ? (this.#env[name] ?? undefined) : undefined;
  }
}
