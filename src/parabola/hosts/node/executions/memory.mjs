/**
 * What calls take of the memory of the process they share.
 *
 * V8 tells how much the whole process uses, garbage included. So a call is charged with the growth during its steps, and
 * only when that has become large is the garbage collected and the call's part of the rest estimated. What a first
 * collection frees is taken for the call's own, so the estimate errs in its favour, by `CHARGE` at most.
 */
import v8 from "node:v8";
import vm from "node:vm";
import { limits, MEBIBYTE } from "../limits.mjs";

/** What a call may take beyond its limit on its way to the end of a step. */
const SLACK = 32 * MEBIBYTE;
/** How much a call is charged with between two collections. */
const CHARGE = 64 * MEBIBYTE;
/** What the old generation may have at most. V8's own figure adds the young one, by a measure that differs with versions. */
const OLD_SPACE = process.execArgv.findLast((one) => one.startsWith("--max-old-space-size="))?.split("=")[1];
const HEAP = OLD_SPACE === undefined ? v8.getHeapStatistics().heap_size_limit : Number(OLD_SPACE) * MEBIBYTE;

export const memoryText = () =>
  `JavaScript execution ran out of memory (maximum memory usage: ${limits.callMemory / MEBIBYTE} MB)`;

/** What one call has taken, in bytes. */
export class MemoryUse {
  /** Growth during the call's steps so far, never less than what it holds. */
  charged = 0;
  /** The charge at the last collection. */
  collectedAt = 0;
  /** What was not the call's at its first collection; null before. @type {number|null} */
  base = null;
  /** What other calls were charged with then. */
  others = 0;
}

export class MemoryMeter {
  /** The calls in flight. @type {() => Iterable<{memory: MemoryUse}>} */
  inFlight = () => [];
  #atStart = 0;
  /** @type {(() => void)|null} */
  #collect = null;
  #afterCollection = 0;

  /**
   * A step of the call begins.
   * @param {{memory: MemoryUse}} call
   * @returns {number} bytes that are not the call's
   */
  begin({ memory }) {
    this.#atStart = usedBytes();
    return Math.max(0, this.#atStart - memory.charged);
  }

  /**
   * The step is over.
   * @param {{memory: MemoryUse}} call
   * @returns {boolean} whether the call holds more than it may
   */
  end({ memory }) {
    const before = usedBytes();
    memory.charged += Math.max(0, before - this.#atStart);
    if (memory.charged - memory.collectedAt <= CHARGE) return false;
    this.#collectGarbage();
    memory.collectedAt = memory.charged;
    const used = this.#afterCollection;
    const others = this.#chargedWith() - memory.charged;
    if (memory.base === null) {
      const freed = Math.min(memory.charged, Math.max(0, before - used));
      Object.assign(memory, { base: used - memory.charged + freed, others });
    }
    const base = /** @type {number} */ (memory.base);
    return used - base - Math.max(0, others - memory.others) > limits.callMemory + SLACK;
  }

  #chargedWith() {
    let sum = 0;
    for (const { memory } of this.inFlight()) sum += memory.charged;
    return sum;
  }

  /** Whether there is memory for another call: half of the heap is for the growth of those in flight. */
  hasRoom() {
    if (usedBytes() < HEAP / 2) return true;
    if (usedBytes() - this.#afterCollection < HEAP / 8) return false;
    this.#collectGarbage();
    return usedBytes() < HEAP / 2;
  }

  /** Whether there is memory for what may come in useful later. */
  hasPlenty() {
    return usedBytes() < HEAP / 4;
  }

  #collectGarbage() {
    this.#collect ??= collector();
    /** @type {() => void} */ (this.#collect)();
    this.#afterCollection = usedBytes();
  }
}

function usedBytes() {
  const { used_heap_size, external_memory } = v8.getHeapStatistics();
  return used_heap_size + external_memory;
}

/** V8's own collection of garbage, which contexts have while a flag is set: that of user code must not. */
function collector() {
  v8.setFlagsFromString("--expose-gc");
  const collect = vm.runInNewContext("gc");
  v8.setFlagsFromString("--no-expose-gc");
  return collect;
}
