/**
 * Realms kept ready, with the module that will probably be asked for next already evaluated in them.
 *
 * Evaluating modules depends on nothing but the deployment (clock and randomness of the import phase are its own), so
 * it may happen before the call that needs it: that moves the larger part of a call's cost into idle time.
 */
import { ImportExecution } from "./import_execution.mjs";
import { Realm } from "./realm.mjs";

const MAXIMUM_IDLE = 64;

/**
 * @typedef {object} Instance  a module evaluated in a realm
 * @property {Realm} realm
 * @property {object} modules
 * @property {string} path
 * @property {object|Promise<object>} namespace
 * @property {ImportExecution} imported  what the evaluation logged and read
 */

export class RealmPool {
  #used = [];
  #clean = [];
  /** @type {Instance[]} */
  #prepared = [];

  /** A realm in which the module is evaluated. Exceptions of the module pass through, with `realm` attached by the caller's `onRealm`. */
  instance(deployment, path, onRealm) {
    const index = this.#prepared.findLastIndex((one) => one.path === path && one.modules === deployment.modules);
    if (index >= 0) {
      const [found] = this.#prepared.splice(index, 1);
      onRealm(found.realm);
      return found;
    }
    const realm = this.#take();
    onRealm(realm);
    return evaluate(realm, deployment, path);
  }

  /** A realm fit for use, with nothing evaluated in it. */
  #take() {
    const clean = this.#clean.pop();
    if (clean !== undefined) return clean;
    while (this.#used.length > 0) {
      const { realm } = this.#used.pop();
      if (realm.clean()) return realm;
    }
    // Rather use an instance prepared for another module than pay for a new realm.
    if (this.#prepared.length >= MAXIMUM_IDLE / 2) {
      const { realm } = this.#prepared.shift();
      if (realm.clean()) return realm;
    }
    return new Realm();
  }

  /** Takes a realm back; `deployment` and `path` say what it was used for. */
  release(realm, deployment, path) {
    realm.execution = null;
    if (realm.tainted || this.#size() >= MAXIMUM_IDLE) return;
    this.#used.push({ realm, deployment, path });
  }

  #size() {
    return this.#used.length + this.#clean.length + this.#prepared.length;
  }

  /**
   * Does one piece of work ahead of time. @returns false when there is none left
   * @param {(deployment: object) => boolean} isCurrent
   */
  prepareOne(isCurrent) {
    const used = this.#used.pop();
    if (used === undefined) return false;
    const { realm, deployment, path } = used;
    if (!realm.clean()) return true;
    if (!isCurrent(deployment) || deployment.modules.plan(path) === null) {
      this.#clean.push(realm);
      return true;
    }
    try {
      this.#prepared.push(evaluate(realm, deployment, path));
    } catch {
      // The call that needs the module meets the same exception, and reports it.
    }
    return true;
  }

  /** Evaluates modules that are likely to be called, before any call. */
  warm(deployment, path) {
    if (deployment.modules.plan(path) === null) return;
    try {
      this.#prepared.push(evaluate(this.#take(), deployment, path));
    } catch {
      // As above.
    }
  }

  /** Forgets instances of deployments that are no longer loaded. */
  forget(isCurrent) {
    const stale = this.#prepared.filter((one) => !isCurrent(one.imported.deployment));
    this.#prepared = this.#prepared.filter((one) => isCurrent(one.imported.deployment));
    for (const { realm } of stale) if (realm.clean()) this.#clean.push(realm);
  }
}

/** @returns {Instance} */
function evaluate(realm, deployment, path) {
  const imported = new ImportExecution(deployment);
  realm.execution = imported;
  const namespace = deployment.modules.instantiate(realm, path);
  return { realm, modules: deployment.modules, path, namespace, imported };
}
