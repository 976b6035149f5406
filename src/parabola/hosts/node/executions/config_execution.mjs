/** The evaluation of a configuration file: schema.js, auth.config.js or convex.config.js. */
import { Execution, Refusal } from "./execution.mjs";
/** @import { Deployment } from "../deployment.mjs" */
/** @import { Raised, UserValue } from "../types/protocol" */
/** @import { Settle } from "../types/realm" */

/** @typedef {(name: string, execution: ConfigExecution) => string|undefined} ReadEnv  throws Refusal */

export class ConfigExecution extends Execution {
  #file;
  #hasClock;
  #readEnv;

  /**
   * @param {Deployment} deployment
   * @param {{file: string, hasClock: boolean, readEnv: ReadEnv}} options  file: as the texts call it; hasClock: whether
   *   clock and randomness may be used
   */
  constructor(deployment, { file, hasClock, readEnv }) {
    super(deployment, { now: deployment.importNow, seed: deployment.importSeed });
    this.#file = file;
    this.#hasClock = hasClock;
    this.#readEnv = readEnv;
  }

  /** @param {string} what */
  #require(what) {
    if (!this.#hasClock) throw new Refusal(`${what} unsupported when evaluating ${this.#file}`);
  }

  now() {
    this.#require("Date");
    return super.now();
  }

  /** @returns {number} */
  performanceNow() {
    throw new Refusal(`The Performance API is not supported when evaluating ${this.#file}`);
  }

  get random() {
    this.#require("Math.random");
    return super.random;
  }

  /** @param {string} name */
  env(name) {
    return this.#readEnv(name, this);
  }

  /** @param {number} _count @param {UserValue} op @returns {string} */
  syscall(_count, op) {
    throw new Refusal(`Syscall ${op} unsupported when evaluating ${this.#file}`);
  }

  /**
   * @param {number} _count
   * @param {UserValue} op
   * @param {UserValue} _args
   * @param {Settle<string>} _resolve
   * @param {Settle<Raised>} reject
   */
  asyncSyscall(_count, op, _args, _resolve, reject) {
    reject({ message: `Syscall ${op} unsupported while evaluating ${this.#file}` });
  }

  /** @param {string} what */
  refusal(what) {
    if (what === "cryptographic randomness") return { message: `Cannot use ${what} when evaluating ${this.#file}` };
    return { message: `${what} unsupported while evaluating ${this.#file}` };
  }
}
