/** A start without V8's optimizing compilers: what they make of little work comes too late, and they take eight megabytes. */
import v8 from "node:v8";

/** V8's default: functions of more bytecode are not optimized. The flag is looked at whenever one is about to be. */
const LARGEST_OPTIMIZED = 60 * 1024;

let isUnoptimized = false;

/**
 * The result of `work()`. V8 optimizes nothing in what it says to be `reading`. Some functions that run then are optimized much
 * later than others, or not at all: so it is for what is done once in a process, and not for what a time limit may end.
 * @template T
 * @param {() => T} work
 * @returns {T}
 */
export function unoptimized(work) {
  isUnoptimized = true;
  try {
    return work();
  } finally {
    isUnoptimized = false;
  }
}

/**
 * The result of `work()`, which runs no code of users and lets V8 write down nothing that is to be used again (`cachedData`): that
 * is good under the same flags alone.
 * @template T
 * @param {() => T} work
 * @returns {T}
 */
export function reading(work) {
  if (!isUnoptimized) return work();
  optimizeUpTo(0);
  try {
    return work();
  } finally {
    optimizeUpTo(LARGEST_OPTIMIZED);
  }
}

/** @param {number} size  of bytecode, in bytes */
function optimizeUpTo(size) {
  v8.setFlagsFromString(`--max-optimized-bytecode-size=${size}`);
}
