/**
 * What calls take of the memory of the process they share.
 *
 * V8 tells how much the whole process uses, garbage included. So a call is charged with the growth during its steps, and
 * only when that has become large is the garbage collected and the call's part of the rest estimated: what came since its
 * beginning, less what the other calls in flight have been charged with. The estimate errs in the call's favour.
 */
import v8 from "node:v8";
import vm from "node:vm";

const MEBIBYTE = 1024 * 1024;
/** Heap and buffers of one call, with what it may take beyond that on its way to the end of a step. */
const LIMIT = (64 + 32) * MEBIBYTE;
/** What the process may have at most. */
const HEAP = v8.getHeapStatistics().heap_size_limit;

export const MEMORY_TEXT = "JavaScript execution ran out of memory (maximum memory usage: 64 MB)";

/** What one call has taken, in bytes. */
export class MemoryUse {
  /** In use by the process when the call began; null before. */
  base = null;
  /** Growth during the call's steps so far, never less than what it holds. */
  charged = 0;
  /** The charge at the last collection. */
  collectedAt = 0;
}

export class MemoryMeter {
  /** The calls in flight. @type {() => Iterable<{memory: MemoryUse}>} */
  inFlight = () => [];
  #atStart = 0;
  #collect = null;
  #afterCollection = 0;

  /** A step of the call begins. @returns {number} bytes that are not the call's */
  begin({ memory }) {
    this.#atStart = usedBytes();
    memory.base ??= this.#atStart;
    return Math.max(0, this.#atStart - memory.charged);
  }

  /** The step is over. @returns {boolean} whether the call holds more than it may */
  end({ memory }) {
    memory.charged += Math.max(0, usedBytes() - this.#atStart);
    if (memory.charged - memory.collectedAt <= LIMIT) return false;
    this.#collectGarbage();
    memory.collectedAt = memory.charged;
    let held = usedBytes() - memory.base + memory.charged;
    for (const other of this.inFlight()) held -= other.memory.charged;
    return held > LIMIT;
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
    this.#collect();
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
