/** The evaluation of a module: before any call, with the clock and the randomness of the push. */
import { Execution, Refusal } from "./execution.mjs";
/** @import { Deployment } from "../deployment.mjs" */
/** @import { Raised, UserValue } from "../types/protocol" */
/** @import { Settle } from "../types/realm" */

/** @param {string} what */
const unsupported = (what) =>
  what === "cryptographic randomness"
    ? "Cannot use cryptographic randomness at import time"
    : `${what} unsupported at import time`;

/** @typedef {"transaction"|"action"|"analysis"} ImportPhase */

/** What may not be used while a module is evaluated, in the words of the phase: before a call, or at the push. */
/** @type {Record<ImportPhase, {syscall: (op: UserValue) => string, refusal: (what: string) => string}>} */
const PHASES = {
  transaction: {
    syscall: (op) =>
      op === "1.0/runUdf" ? "Cannot call another function at import time" : "Can't use database at import time",
    refusal: (what) =>
      `Can't use ${what} in queries and mutations. Please consider using an action. ` +
      "See https://docs.convex.dev/functions/actions for more details.",
  },
  action: { syscall: (op) => unsupported(`Syscall ${op}`), refusal: unsupported },
  analysis: { syscall: (op) => unsupported(`Syscall ${op}`), refusal: unsupported },
};

export class ImportExecution extends Execution {
  #phase;

  /**
   * @param {ImportPhase} phase
   * @param {Deployment} deployment
   */
  constructor(deployment, phase) {
    super(deployment, { now: deployment.importNow, seed: deployment.importSeed });
    this.#phase = PHASES[phase];
  }

  /** @param {number} _count @param {UserValue} op @returns {string} */
  syscall(_count, op) {
    throw new Refusal(this.#phase.syscall(op));
  }

  /**
   * @param {number} _count
   * @param {UserValue} op
   * @param {UserValue} _args
   * @param {Settle<string>} _resolve
   * @param {Settle<Raised>} reject
   */
  asyncSyscall(_count, op, _args, _resolve, reject) {
    reject({ message: this.#phase.syscall(op) });
  }

  /** @param {string} what */
  refusal(what) {
    return { type: "Error", message: this.#phase.refusal(what) };
  }
}
