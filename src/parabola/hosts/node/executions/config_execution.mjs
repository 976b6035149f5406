/** The evaluation of a configuration file: schema.js, auth.config.js or convex.config.js. */
import { Execution, Refusal } from "./execution.mjs";

export class ConfigExecution extends Execution {
  #file;
  #hasClock;
  #readEnv;

  /**
   * @param {object} deployment
   * @param {object} options  file: as the texts call it; hasClock: whether clock and randomness may be used;
   *   readEnv: answers for environment variables, or throws Refusal
   */
  constructor(deployment, { file, hasClock, readEnv }) {
    super(deployment, { now: deployment.importNow, seed: deployment.importSeed });
    this.#file = file;
    this.#hasClock = hasClock;
    this.#readEnv = readEnv;
  }

  #require(what) {
    if (!this.#hasClock) throw new Refusal(`${what} unsupported when evaluating ${this.#file}`);
  }

  now() {
    this.#require("Date");
    return super.now();
  }

  performanceNow() {
    throw new Refusal(`The Performance API is not supported when evaluating ${this.#file}`);
  }

  get random() {
    this.#require("Math.random");
    return super.random;
  }

  env(name) {
    return this.#readEnv(name, this);
  }

  syscall(_count, op) {
    throw new Refusal(`Syscall ${op} unsupported when evaluating ${this.#file}`);
  }

  asyncSyscall(_count, op, _args, _resolve, reject) {
    reject({ message: `Syscall ${op} unsupported while evaluating ${this.#file}` });
  }

  refusal(what) {
    if (what === "cryptographic randomness") return { message: `Cannot use ${what} when evaluating ${this.#file}` };
    return { message: `${what} unsupported while evaluating ${this.#file}` };
  }
}
