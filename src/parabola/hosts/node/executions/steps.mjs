/**
 * Runs user code in steps, one to a turn of the event loop.
 *
 * A step is one entry into user code (the start of a call, or the delivery of one batch of answers) together with all
 * microtasks it causes. By the next turn Node has drained those and reported unhandled rejections, so that is when
 * the step's execution is settled: it is charged for time and memory, and decides what happens next. Where the next answers
 * are at hand, a short step goes on with them.
 *
 * Calls that have begun go on before others begin: they end sooner, and fewer realms are in use at a time, which stay in
 * the processor's cache and are soon compiled well. While the process is full, calls wait before they begin until others
 * have ended.
 */
import { MemoryMeter } from "./memory.mjs";
import { StepLengths } from "./step_lengths.mjs";
/** @import { ActivityFile } from "../activity.mjs" */
/** @import { Stepped } from "../types/host" */

/** Nanoseconds. To ask for processor time costs as much as a short step, which is charged by the clock instead. */
const SHORT = 2_000_000n;
/** How long ago it may have been asked for when a step begins that turns out not to be short. */
const RECENT = 10_000_000n;

/** Steps of calls that have begun, until one of those that wait begins. */
export const IN_A_ROW = 16;

/** @typedef {{execution: Stepped, action: () => void}} Step */

export class StepQueue {
  memory = new MemoryMeter();
  /** Of calls that have begun, or that one waits for which has. @type {Step[]} */
  #queue = [];
  /** Of calls that are to begin. @type {Step[]} */
  #starts = [];
  /** How many of the former have been taken since one of the latter was. */
  #row = 0;
  /** Calls that have begun and not ended. @type {Set<Stepped>} */
  #begun = new Set();
  /** Steps of calls that have to wait before they begin. @type {Step[]} */
  #held = [];
  /** @type {Stepped|null} */
  #active = null;
  #startedAt = 0n;
  /** Processor time as last asked for, less than `RECENT` before the step began: so much more may be charged at most. */
  #cpu = { user: 0, system: 0 };
  #cpuAskedAt = 0n;
  /** What the host has done for itself within the step, in nanoseconds by the clock and of the processor. */
  #own = { elapsed: 0n, cpu: 0n };
  #scheduled = false;
  #activity;
  #lengths = new StepLengths();
  /** Called when nothing is left to run: first to let go of what has been done, then for what may be done now. */
  beforeIdle = () => {};
  onIdle = () => {};
  /** Called before a step that may take long. */
  beforeLong = () => {};

  /** @param {ActivityFile} activity */
  constructor(activity) {
    this.#activity = activity;
  }

  /** The execution whose step is running, or null. */
  get active() {
    return this.#active;
  }

  /**
   * @param {Stepped} execution
   * @param {() => void} action  enters user code; must not throw
   */
  enqueue(execution, action) {
    const hasBegun = this.#begun.has(execution) || execution.isNested;
    (hasBegun ? this.#queue : this.#starts).push({ execution, action });
    this.#schedule();
  }

  get isBusy() {
    return this.#active !== null || this.#queue.length > 0 || this.#starts.length > 0;
  }

  /** Nanoseconds that the step has taken. A step is not charged for waiting for a processor that others use. */
  #elapsed() {
    const elapsed = process.hrtime.bigint() - this.#startedAt - this.#own.elapsed;
    if (elapsed < SHORT) return elapsed;
    const before = this.#cpu;
    this.#askForCpu(process.hrtime.bigint());
    const used = BigInt(this.#cpu.user - before.user + this.#cpu.system - before.system) * 1000n - this.#own.cpu;
    return used < elapsed ? used : elapsed;
  }

  /** @param {bigint} now */
  #askForCpu(now) {
    this.#cpu = process.cpuUsage();
    this.#cpuAskedAt = now;
  }

  /**
   * Does work of the host's own within a step, such as making a realm: no call is charged with its time.
   * @template T
   * @param {() => T} work
   */
  onTheHouse(work) {
    const startedAt = process.hrtime.bigint();
    const cpu = process.cpuUsage();
    try {
      return work();
    } finally {
      this.#own.elapsed += process.hrtime.bigint() - startedAt;
      this.#own.cpu += cpuSince(cpu);
    }
  }

  #schedule() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#turn());
  }

  /** The call has ended: there may be room for others now. @param {Stepped} execution */
  ended(execution) {
    this.#begun.delete(execution);
    if (this.#held.length === 0) return;
    this.#starts.unshift(...this.#held);
    this.#held = [];
    this.#schedule();
  }

  /** The next step whose turn it is. A nested call is never held: another that has begun waits for it. */
  #next() {
    for (let step = this.#take(); step !== undefined; step = this.#take()) {
      const { execution } = step;
      if (this.#begun.has(execution) || execution.ended) return step;
      if (this.#begun.size === 0 || execution.isNested || this.memory.hasRoom()) {
        this.#begun.add(execution);
        return step;
      }
      this.#held.push(step);
    }
    return undefined;
  }

  #take() {
    const list =
      this.#queue.length > 0 && (this.#row < IN_A_ROW || this.#starts.length === 0) ? this.#queue : this.#starts;
    this.#row = list === this.#queue ? this.#row + 1 : 0;
    return list.shift();
  }

  #turn() {
    this.#scheduled = false;
    if (this.#goesOn()) return this.#schedule();
    this.#settleActive();
    const step = this.#next();
    if (step === undefined) {
      this.beforeIdle();
      this.#activity.idle();
      this.onIdle();
      return;
    }
    if (this.#lengths.mayBeLong(step.execution.name)) this.beforeLong();
    this.#active = step.execution;
    this.#own.elapsed = this.#own.cpu = 0n;
    this.#startedAt = process.hrtime.bigint();
    if (this.#startedAt - this.#cpuAskedAt >= RECENT) this.#askForCpu(this.#startedAt);
    const others = this.memory.begin(step.execution);
    const used = step.execution.userTime + step.execution.othersTime;
    this.#activity.begin(step.execution.id, this.#startedAt - used, others);
    this.#schedule();
    step.action();
  }

  /** Whether the step is not over yet; one that may be long ends, so that it is seen how long it was. */
  #goesOn() {
    if (this.#active === null || process.hrtime.bigint() - this.#startedAt - this.#own.elapsed >= SHORT) return false;
    try {
      return this.#active.goOn();
    } catch (error) {
      this.#active.abort(error);
      return false;
    }
  }

  #settleActive() {
    const execution = this.#active;
    if (execution === null) return;
    const elapsed = this.#elapsed();
    execution.userTime += elapsed;
    this.#lengths.note(execution.name, elapsed >= SHORT);
    execution.isOverMemory ||= this.memory.end(execution);
    this.#active = null;
    try {
      execution.settle();
    } catch (error) {
      // Whatever goes wrong here is about this call: the others go on.
      execution.abort(error);
    }
  }
}

/** Nanoseconds of processor time of the process since `before`. @param {NodeJS.CpuUsage} before */
function cpuSince(before) {
  const { user, system } = process.cpuUsage(before);
  return BigInt(user + system) * 1000n;
}
