/** What the engine has loaded: the modules of one environment, and what they may read while they run. */
import { ModuleSet } from "./module_set.mjs";

const NO_SEED = "0".repeat(64);

export class Deployment {
  #env;

  /** @param {object} message  a `load` message (docs/host-protocol.md) */
  constructor({ deployment, modules, env = {}, instance = {}, importPhase = {} }) {
    this.id = deployment;
    this.modules = new ModuleSet(modules);
    this.#env = { CONVEX_CLOUD_URL: instance.cloudUrl, CONVEX_SITE_URL: instance.siteUrl, ...env };
    /** Clock (milliseconds) and seed of the import phase. */
    this.importNow = importPhase.now ?? Date.now();
    this.importSeed = importPhase.seed ?? NO_SEED;
  }

  env(name) {
    return Object.hasOwn(this.#env, name) ? (this.#env[name] ?? undefined) : undefined;
  }
}
