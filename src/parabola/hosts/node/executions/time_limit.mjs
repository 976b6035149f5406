/**
 * Stops synchronous JavaScript that does not come to an end by itself.
 *
 * What counts is the time in which the process ran: on a busy machine an innocent module may take much longer by the
 * clock. V8 itself knows only the clock, so a thread of its own watches the processor time meanwhile, and interrupts
 * what has used it up; the clock is asked last, for what waits.
 */
import vm from "node:vm";
import { Worker } from "node:worker_threads";

/** How much longer something may take by the clock than by the processor. */
const PATIENCE = 12;

const context = vm.createContext({ work: null });
const script = new vm.Script("work()");
/** @type {ProcessorWatch|null} */
let watch = null;

export class TimeLimitExceeded extends Error {}

/**
 * Runs `work`; throws TimeLimitExceeded if it has not returned after `seconds` of processor time.
 * @template T
 * @param {number} seconds
 * @param {() => T} work
 * @returns {T}
 */
export function withTimeLimit(seconds, work) {
  watch ??= new ProcessorWatch();
  context.work = work;
  watch.begin(seconds);
  try {
    return script.runInContext(context, { timeout: Math.ceil(PATIENCE * seconds * 1000), breakOnSigint: true });
  } catch (error) {
    const { code } = /** @type {{code?: string}} */ (error ?? {});
    if (code !== "ERR_SCRIPT_EXECUTION_TIMEOUT" && code !== "ERR_SCRIPT_EXECUTION_INTERRUPTED") throw error;
    throw new TimeLimitExceeded(`Function execution timed out (maximum duration: ${seconds}s)`);
  } finally {
    watch.end();
    context.work = null;
  }
}

/** A thread that sends SIGINT to its own process when the processor time of a piece of work is used up. */
class ProcessorWatch {
  /**
   * The number of the work, 0 for none; the processor time at which it is over; and what it may take, both in milliseconds.
   * Processor time is that of all threads, collectors of garbage among them, so the clock must agree.
   */
  #cells = new Int32Array(new SharedArrayBuffer(12));
  #works = 0;

  constructor() {
    // One that comes too late finds nothing to interrupt, and must not end the process.
    process.on("SIGINT", () => {});
    const worker = new Worker(`(${watchProcessor})()`, {
      eval: true,
      workerData: this.#cells,
      stdout: true,
      stderr: true,
    });
    worker.unref();
  }

  /** @param {number} seconds */
  begin(seconds) {
    const { user, system } = process.cpuUsage();
    Atomics.store(this.#cells, 1, Math.ceil((user + system) / 1000 + seconds * 1000));
    Atomics.store(this.#cells, 2, seconds * 1000);
    this.#works += 1;
    Atomics.store(this.#cells, 0, this.#works);
    Atomics.notify(this.#cells, 0);
  }

  end() {
    Atomics.store(this.#cells, 0, 0);
  }
}

/** The thread's program. */
function watchProcessor() {
  /** @type {Int32Array} */
  const cells = require("node:worker_threads").workerData;
  const INTERVAL = 50;
  let interrupted = 0;
  let watched = 0;
  let since = 0;
  for (;;) {
    const work = Atomics.load(cells, 0);
    if (work !== watched) {
      watched = work;
      since = performance.now();
    }
    if (work === 0 || work === interrupted) {
      Atomics.wait(cells, 0, work, work === 0 ? Infinity : INTERVAL);
      continue;
    }
    Atomics.wait(cells, 0, work, INTERVAL);
    const { user, system } = process.cpuUsage();
    if ((user + system) / 1000 < Atomics.load(cells, 1) || performance.now() - since < Atomics.load(cells, 2)) continue;
    if (Atomics.load(cells, 0) !== work) continue;
    interrupted = work;
    process.kill(process.pid, "SIGINT");
  }
}
