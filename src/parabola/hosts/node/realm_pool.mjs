/**
 * Realms kept ready, with the module that will probably be asked for next already evaluated in them.
 *
 * Evaluating modules depends on nothing but the deployment (clock and randomness of the import phase are its own), so
 * it may happen before the call that needs it: that moves the larger part of a call's cost into idle time.
 */
import { ImportExecution } from "./executions/import_execution.mjs";
import { Realm } from "./realm.mjs";
/** @import { Deployment } from "./deployment.mjs" */
/** @import { ImportPhase } from "./executions/import_execution.mjs" */
/** @import { ModuleInstances } from "./types/host" */
/** @import { ModuleSet } from "./modules/module_set.mjs" */
/** @import { UserValue } from "./types/protocol" */

const MAX_IDLE = 64;
/**
 * Text of the modules that are evaluated ahead of calls; of those with more the ones used longest ago go, but for a few.
 * What a module makes takes about one and a half times its text, and a package may have megabytes of it.
 */
export const MAX_PREPARED_TEXT = 8 * 2 ** 20;
const MIN_PREPARED = 2;
const MAX_CLEAN = 4;
/** A module is evaluated so often before it is kept: to look at all it can reach costs as much as a few evaluations. */
const BEFORE_KEEPING = 2;
/** How many calls a kept module must serve at least, in the mean, and how many losses are forgiven. */
const WORTH = 8;
const FORGIVEN = 4;

/** @typedef {{evaluated: number, remained: number, lost: number}} Record  what has become of a module's instances */

/** @typedef {Pick<Instance, "realm"|"deployment"|"path"|"phase">} Used  a realm to clean, and what ran in it */

/**
 * @typedef {object} Instance  a module evaluated in a realm
 * @property {Realm} realm
 * @property {Deployment} deployment
 * @property {string} path
 * @property {ImportPhase} phase
 * @property {UserValue} namespace  or a promise of it
 * @property {boolean} isPending  whether the namespace is a promise
 * @property {ModuleInstances} instances  the modules behind it (ModuleSet.instantiate)
 * @property {ImportExecution} imported  what the evaluation logged and read
 */

export class RealmPool {
  /** What has been done so far: realms made, modules evaluated with all that they import, calls that left theirs as it was. */
  work = { realms: 0, evaluated: 0, remained: 0 };
  /** @type {Used[]} */
  #used = [];
  /** @type {Realm[]} */
  #clean = [];
  /** @type {Instance[]} */
  #prepared = [];
  /** The text of the modules of those. */
  #preparedText = 0;
  #maxText;
  #spares;
  /** What has become of modules so far, by their paths. @type {WeakMap<Deployment, Map<string, Record>>} */
  #records = new WeakMap();

  /** @type {<T>(work: () => T) => T} */
  #onTheHouse;

  /**
   * @param {number} spares  realms made before anything asks for them
   * @param {<T>(work: () => T) => T} onTheHouse  does what no call is to be charged with
   * @param {number} [maxText]  of the modules that are evaluated ahead
   */
  constructor(spares, onTheHouse, maxText = MAX_PREPARED_TEXT) {
    this.#spares = spares;
    this.#maxText = maxText;
    this.#onTheHouse = onTheHouse;
  }

  /**
   * A module, evaluated in a realm. Exceptions of the module pass through; `onRealm` gets the realm before that.
   * @param {Deployment} deployment
   * @param {string} path
   * @param {ImportPhase} phase
   * @param {(realm: Realm) => void} onRealm
   * @returns {Instance}
   */
  instance(deployment, path, phase, onRealm) {
    const index = this.#prepared.findLastIndex(
      (one) => one.path === path && one.phase === phase && one.deployment === deployment,
    );
    if (index >= 0) {
      const found = this.#takePrepared(index);
      onRealm(found.realm);
      return found;
    }
    const realm = this.#onTheHouse(() => this.#take());
    onRealm(realm);
    return this.#evaluate(realm, deployment, path, phase);
  }

  /**
   * @param {Realm} realm
   * @param {Deployment} deployment
   * @param {string} path
   * @param {ImportPhase} phase
   * @returns {Instance}
   */
  #evaluate(realm, deployment, path, phase) {
    const imported = new ImportExecution(deployment, phase);
    realm.execution = imported;
    const { modules } = deployment;
    const instances = modules.newInstances();
    const record = this.#record(deployment, path);
    record.evaluated += 1;
    this.work.evaluated += 1;
    const isWorthIt = record.lost < FORGIVEN || record.lost * WORTH < record.remained;
    const wantsToKeep = phase === "transaction" && record.evaluated > BEFORE_KEEPING && isWorthIt;
    const plan = wantsToKeep ? this.#onTheHouse(() => modules.keepingPlan(path)) : null;
    if (plan === null)
      return { realm, deployment, path, phase, ...modules.instantiate(realm, path, instances), instances, imported };
    const made = realm.evaluateToKeep((register) => modules.instantiate(realm, path, instances, { plan, register }), {
      isModuleText: (text) => modules.isTextOf(plan, text),
      globals: plan.globals ?? new Set(),
      isSilent: () => imported.logs.isEmpty && imported.fatalFailure === null,
    });
    if (!realm.isKept) record.lost += 1;
    return { realm, deployment, path, phase, ...made, instances, imported };
  }

  /** @param {Deployment} deployment @param {string} path @returns {Record} */
  #record(deployment, path) {
    let records = this.#records.get(deployment);
    if (records === undefined) this.#records.set(deployment, (records = new Map()));
    let record = records.get(path);
    if (record === undefined) records.set(path, (record = { evaluated: 0, remained: 0, lost: 0 }));
    return record;
  }

  /** A realm fit for use, with nothing evaluated in it. */
  #take() {
    const clean = this.#clean.pop();
    if (clean !== undefined) return clean;
    for (const list of [this.#used, this.#prepared]) {
      // Of the prepared ones keep a few: they are worth more than the time to make another realm.
      while (list.length > (list === this.#prepared ? MAX_IDLE / 2 : 0)) {
        const { realm } = list === this.#used ? /** @type {Used} */ (list.pop()) : this.#takePrepared(0);
        if (realm.clean()) return realm;
      }
    }
    return this.#makeRealm();
  }

  #makeRealm() {
    this.work.realms += 1;
    return new Realm();
  }

  /** Takes an instance back after its use. @param {Instance} instance */
  release({ realm, deployment, path, phase, namespace, isPending, instances, imported }) {
    realm.execution = null;
    if (realm.tainted || this.size >= MAX_IDLE) return;
    const wasKept = realm.isKept;
    const remains = wasKept && realm.remains();
    if (wasKept) this.#record(deployment, path)[remains ? "remained" : "lost"] += 1;
    if (remains) this.work.remained += 1;
    if (remains || (!isPending && namespace.experimental_reuseContext === true)) {
      this.#prepare({ realm, deployment, path, phase, namespace, isPending, instances, imported });
    } else {
      this.#used.push({ realm, deployment, path, phase });
    }
  }

  /** Keeps an instance for the next call, and lets go of others for that. @param {Instance} instance */
  #prepare(instance) {
    this.#prepared.push(instance);
    this.#preparedText += textOf(instance);
    while (this.#preparedText > this.#maxText && this.#prepared.length > MIN_PREPARED) {
      const { realm } = this.#takePrepared(0);
      if (this.#clean.length < MAX_CLEAN && this.#onTheHouse(() => realm.clean())) this.#clean.push(realm);
    }
  }

  /** @param {number} index @returns {Instance} */
  #takePrepared(index) {
    const [found] = this.#prepared.splice(index, 1);
    this.#preparedText -= textOf(found);
    return found;
  }

  /** How many realms wait to be used. */
  get size() {
    return this.#used.length + this.#clean.length + this.#prepared.length;
  }

  /**
   * Does one piece of work ahead of time. @returns false when there is none left
   * @param {(deployment: Deployment) => boolean} isCurrent
   */
  prepareOne(isCurrent) {
    const used = this.#used.pop();
    if (used === undefined) return this.#addSpare();
    const { realm, deployment, path, phase } = used;
    if (!realm.clean()) return true;
    if (!isCurrent(deployment) || deployment.modules.plan(path).isNative) {
      this.#clean.push(realm);
      return true;
    }
    try {
      this.#prepare(this.#evaluate(realm, deployment, path, phase));
    } catch {
      // The call that needs the module meets the same exception, and reports it.
    }
    return true;
  }

  #addSpare() {
    if (this.size >= this.#spares) return false;
    this.#clean.push(this.#makeRealm());
    return true;
  }

  /**
   * Forgets instances of deployments that are no longer loaded.
   * @param {(deployment: Deployment) => boolean} isCurrent
   */
  forget(isCurrent) {
    const stale = this.#prepared.filter((one) => !isCurrent(one.deployment));
    this.#prepared = this.#prepared.filter((one) => isCurrent(one.deployment));
    this.#preparedText = this.#prepared.reduce((sum, one) => sum + textOf(one), 0);
    for (const { realm } of stale) if (realm.clean()) this.#clean.push(realm);
  }
}

/** The length of the text that was evaluated for an instance. @param {Pick<Instance, "deployment"|"path">} instance */
const textOf = ({ deployment, path }) => deployment.modules.textLength(path);
