/** Work of a start without V8's optimizing compilers: what they make of little work comes too late, and they take eight megabytes. */
import v8 from "node:v8";

/** V8's default: functions of more bytecode are not optimized. The flag is looked at whenever one is about to be. */
const LARGEST_OPTIMIZED = 60 * 1024;

/**
 * The result of `work()`, during which V8 optimizes no function. Some that run meanwhile are optimized much later than others, or
 * not at all: so it is for what is done once in a process, not for code of users, and not for what a time limit may end.
 * @template T
 * @param {() => T} work
 * @returns {T}
 */
export function unoptimized(work) {
  optimizeUpTo(0);
  try {
    return work();
  } finally {
    // As before: what V8 has compiled, and is kept to be used again, is good under the same flags alone.
    optimizeUpTo(LARGEST_OPTIMIZED);
  }
}

/** @param {number} size  of bytecode, in bytes */
function optimizeUpTo(size) {
  v8.setFlagsFromString(`--max-optimized-bytecode-size=${size}`);
}
