/** Reading modules without V8's optimizing compilers: what they make of it comes too late, and they take eight megabytes. */
import v8 from "node:v8";

/** Of a text, in characters: what is longer is read sooner with their help. */
const SHORT = 256 * 1024;

/** V8's default: functions of more bytecode are not optimized. The flag is looked at whenever one is about to be. */
const LARGEST_OPTIMIZED = 60 * 1024;

/**
 * The result of `work()`, which runs no code of users. Nothing is optimized meanwhile if the text is short.
 * @template T
 * @param {string} text  what is read
 * @param {() => T} work
 * @returns {T}
 */
export function unoptimized(text, work) {
  if (text.length > SHORT) return work();
  optimizeUpTo(0);
  try {
    return work();
  } finally {
    // The same as before: texts that V8 has compiled, and keeps for later, are good under the same flags alone.
    optimizeUpTo(LARGEST_OPTIMIZED);
  }
}

/** @param {number} size  of bytecode, in bytes */
function optimizeUpTo(size) {
  v8.setFlagsFromString(`--max-optimized-bytecode-size=${size}`);
}
