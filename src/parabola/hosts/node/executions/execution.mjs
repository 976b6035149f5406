/** What the globals of a realm ask of whatever runs there: the part that all executions share. */
import { LogLines } from "../log_lines.mjs";
import { checkArguments, checkName, UnsendableValue } from "../outgoing_values.mjs";
import { wellFormed } from "../plain_json.mjs";
import { RandomStream } from "../randomness.mjs";
/** @import { Deployment } from "../deployment.mjs" */
/** @import { ModuleSet } from "../modules/module_set.mjs" */
/** @import { Failure, GetArguments, Level, Raised, RequestDescription, StoreArguments, UserValue } from "../types/protocol" */
/** @import { HostOperation, Settle } from "../types/realm" */

const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** A failure that is raised inside the realm, as an Error that user code may catch. */
export class Refusal extends Error {
  /** @param {string} message @param {string} type */
  constructor(message, type = "Error") {
    super(message);
    this.type = type;
  }
}

export class Execution {
  usedClock = false;
  /** @type {true | undefined} */
  usedSnapshotTs;
  usedRandom = false;
  /** @type {Set<string>} */
  envRead = new Set();
  allowsDynamicImport = false;
  /** With what code an analysis fails. @type {string|undefined} */
  failureCode;
  /** A failure that no user code can catch; the execution ends with it. @type {Failure|null} */
  fatalFailure = null;
  /** The first rejection that nobody handled: {reason}. @type {{reason: UserValue}|null} */
  unhandled = null;
  /**
   * Set where the modules are not the deployment's.
   * @type {ModuleSet|null}
   */
  moduleSet = null;
  /** @type {RandomStream|null} */
  #random = null;
  #seed;
  /** What it runs; empty for what is no function. */
  name = "";

  /**
   * @param {Deployment} deployment
   * @param {{now: number, seed: string, logs?: LogLines}} options  clock in milliseconds; 32 bytes of seed in hex
   */
  constructor(deployment, { now, seed, logs }) {
    this.deployment = deployment;
    this.nowMs = now;
    this.logs = logs ?? new LogLines();
    this.#seed = seed;
  }

  /** The modules that stack frames may lead to. @returns {ModuleSet} */
  get modules() {
    return this.moduleSet ?? this.deployment.modules;
  }

  get timeOrigin() {
    return this.deployment.importNow;
  }

  /** Milliseconds since the epoch, whole as JavaScript's clock is. */
  now() {
    this.usedClock = true;
    return Math.floor(this.nowMs);
  }

  /** @returns {number} */
  performanceNow() {
    this.usedClock = true;
    return Math.floor((this.nowMs - this.timeOrigin) * 10) / 10;
  }

  get random() {
    this.usedRandom = true;
    this.#random ??= RandomStream.fromHex(this.#seed);
    return this.#random;
  }

  /**
   * The value of an environment variable, or undefined; remembered, because the result depends on it.
   * @param {string} name
   */
  env(name) {
    if (!ENV_NAME.test(name)) {
      throw new Refusal(
        `Environment variable name "${name}" is invalid: it must start with a letter or an underscore and contain only ` +
          "letters, numbers and underscores.",
      );
    }
    this.envRead.add(name);
    return this.deployment.env(name);
  }

  /** @param {Level} level @param {ArrayLike<UserValue>} messages */
  log(level, messages) {
    // The list is of user code's realm, where iterators may have been changed.
    const texts = [];
    for (let i = 0; i < messages.length; i++) texts.push(wellFormed(String(messages[i])));
    this.logs.add(level, texts);
  }

  /**
   * Ends the execution whatever user code does; also what to raise where it was noticed.
   * @param {string} message
   */
  fatal(message) {
    this.fatalFailure ??= { message };
    return { type: "Error", message };
  }

  /** @param {UserValue} reason */
  onUnhandledRejection(reason) {
    this.unhandled ??= { reason };
  }

  /** @param {string} what @returns {Raised|undefined} */
  refusal(what) {
    return { type: "Error", message: `${what} is not available here` };
  }

  /** @param {string} what @returns {Raised|undefined} */
  timerRefusal(what) {
    return this.refusal(what);
  }

  /** @param {() => void} _callback @param {number} _delay @param {boolean} _repeat @returns {number} */
  setTimer(_callback, _delay, _repeat) {
    return 0;
  }

  /** @param {number} _id */
  clearTimer(_id) {}

  /**
   * The network, which only actions have.
   * @param {UserValue} _input
   * @param {UserValue} _init
   * @param {Settle<Response>} _resolve
   * @param {Settle<unknown>} reject
   */
  fetch(_input, _init, _resolve, reject) {
    reject(new Refusal("fetch() is not available here"));
  }

  /**
   * @param {StoreArguments} _args
   * @param {Blob} _blob
   * @param {Settle<UserValue>} _resolve
   * @param {Settle<Raised>} reject
   */
  storeBlob(_args, _blob, _resolve, reject) {
    reject({ message: "storage.store() is not available here" });
  }

  /** @param {GetArguments} _args @param {Settle<Blob|null>} _resolve @param {Settle<Raised>} reject */
  getBlob(_args, _resolve, reject) {
    reject({ message: "storage.get() is not available here" });
  }

  /** The request of an HTTP action. @param {RequestDescription} _description @returns {Request} */
  makeRequest(_description) {
    throw new Refusal("Only an HTTP action has a request");
  }

  /** Takes the response of an HTTP action. @param {Response} _response @returns {string|null} its body's name */
  takeResponse(_response) {
    throw new Refusal("Only an HTTP action has a response");
  }

  /**
   * The operation and the arguments of a syscall, which come as JSON text. Throws Refusal.
   * @param {number} count
   * @param {UserValue} op
   * @param {UserValue} text
   */
  parseArguments(count, op, text) {
    if (count !== 2) throw new Refusal(this.fatal("A syscall takes an operation and its arguments").message);
    if (typeof op !== "string") throw new Refusal("The operation of a syscall is a string", "TypeError");
    if (typeof text !== "string") throw new Refusal("The arguments of a syscall are JSON text", "TypeError");
    let args;
    try {
      args = JSON.parse(text);
    } catch (error) {
      throw new Refusal(`Received invalid json: ${/** @type {Error} */ (error).message}`);
    }
    if (typeof args !== "object" || args === null || Array.isArray(args))
      throw new Refusal("The arguments of a syscall are an object");
    try {
      checkName(op);
      return { args, text: checkArguments(text, args) };
    } catch (error) {
      throw error instanceof UnsendableValue ? new Refusal(error.message) : error;
    }
  }

  /** @param {number} _count @param {UserValue} op @param {UserValue} _text @returns {string} */
  syscall(_count, op, _text) {
    throw new Refusal(`Unknown operation ${op}`);
  }

  /**
   * @param {number} _count
   * @param {UserValue} op
   * @param {UserValue} _args
   * @param {Settle<string>} _resolve
   * @param {Settle<Raised>} reject
   */
  asyncSyscall(_count, op, _args, _resolve, reject) {
    reject({ message: `Unknown async operation ${op}` });
  }

  /**
   * Host work outside of user code begins; `ended` says whether its result may still be delivered.
   * @param {string} _name
   * @param {boolean} _isCounted
   * @returns {HostOperation}
   */
  beginOperation(_name, _isCounted) {
    return { finish: () => {} };
  }

  /**
   * What `import()` of a module gives.
   * @param {string} _path
   * @returns {object|Promise<object>}
   */
  importModule(_path) {
    throw new Refusal("dynamic module import unsupported", "TypeError");
  }

  settle() {}
}
