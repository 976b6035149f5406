/** The evaluation of a module: before any call, with the clock and the randomness of the push. */
import { Execution, Refusal } from "./execution.mjs";

const unsupported = (what) =>
  what === "cryptographic randomness"
    ? "Cannot use cryptographic randomness at import time"
    : `${what} unsupported at import time`;

/** What may not be used while a module is evaluated, in the words of the phase: before a call, or at the push. */
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

  /** @param {"transaction"|"action"|"analysis"} phase */
  constructor(deployment, phase) {
    super(deployment, { now: deployment.importNow, seed: deployment.importSeed });
    this.#phase = PHASES[phase];
  }

  syscall(_count, op) {
    throw new Refusal(this.#phase.syscall(op));
  }

  asyncSyscall(_count, op, _args, _resolve, reject) {
    reject({ message: this.#phase.syscall(op) });
  }

  refusal(what) {
    return { type: "Error", message: this.#phase.refusal(what) };
  }
}
