/** What the globals of a realm ask of whatever runs there: the part that all executions share. */
import { LogLines } from "../log_lines.mjs";
import { checkArguments, checkName, UnsendableValue } from "../outgoing_values.mjs";
import { wellFormed } from "../plain_json.mjs";
import { RandomStream } from "../randomness.mjs";

const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** A failure that is raised inside the realm, as an Error that user code may catch. */
export class Refusal extends Error {
  constructor(message, type = "Error") {
    super(message);
    this.type = type;
  }
}

export class Execution {
  usedClock = false;
  usedRandom = false;
  envRead = new Set();
  allowsDynamicImport = false;
  /** A failure that no user code can catch; the execution ends with it. */
  fatalFailure = null;
  /** The first rejection that nobody handled: {reason}. */
  unhandled = null;
  /** Set where the modules are not the deployment's. */
  moduleSet = null;
  #random = null;
  #seed;

  /**
   * @param {import("../deployment.mjs").Deployment} deployment
   * @param {{now: number, seed: string, logs?: LogLines}} options  clock in milliseconds; 32 bytes of seed in hex
   */
  constructor(deployment, { now, seed, logs }) {
    this.deployment = deployment;
    this.nowMs = now;
    this.logs = logs ?? new LogLines();
    this.#seed = seed;
  }

  /** The modules that stack frames may lead to. */
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

  performanceNow() {
    this.usedClock = true;
    return Math.floor((this.nowMs - this.timeOrigin) * 10) / 10;
  }

  get random() {
    this.usedRandom = true;
    this.#random ??= RandomStream.fromHex(this.#seed);
    return this.#random;
  }

  /** The value of an environment variable, or undefined; remembered, because the result depends on it. */
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

  log(level, messages) {
    // The list is of user code's realm, where iterators may have been changed.
    const texts = [];
    for (let i = 0; i < messages.length; i++) texts.push(wellFormed(String(messages[i])));
    this.logs.add(level, texts);
  }

  /** Ends the execution whatever user code does; also what to raise where it was noticed. */
  fatal(message) {
    this.fatalFailure ??= { message };
    return { type: "Error", message };
  }

  onUnhandledRejection(reason) {
    this.unhandled ??= { reason };
  }

  refusal(what) {
    return { type: "Error", message: `${what} is not available here` };
  }

  timerRefusal(what) {
    return this.refusal(what);
  }

  setTimer() {
    return 0;
  }

  clearTimer() {}

  /** The operation and the arguments of a syscall, which come as JSON text. Throws Refusal. */
  parseArguments(count, op, text) {
    if (count !== 2) throw new Refusal(this.fatal("A syscall takes an operation and its arguments").message);
    if (typeof op !== "string") throw new Refusal("The operation of a syscall is a string", "TypeError");
    if (typeof text !== "string") throw new Refusal("The arguments of a syscall are JSON text", "TypeError");
    let args;
    try {
      args = JSON.parse(text);
    } catch (error) {
      throw new Refusal(`Received invalid json: ${error.message}`);
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

  syscall(_count, op) {
    throw new Refusal(`Unknown operation ${op}`);
  }

  asyncSyscall(_count, op, _args, _resolve, reject) {
    reject({ message: `Unknown async operation ${op}` });
  }

  /** Host work outside of user code begins; `ended` says whether its result may still be delivered. */
  beginOperation() {
    return { finish: () => true };
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
