/** The log lines of one execution, as many and as long as they may be. */
import { limits } from "./limits.mjs";
/** @import { Level, LogLine } from "./types/protocol" */

export class LogLines {
  /** @type {LogLine[]} */
  #lines = [];
  #userLines = 0;
  #sink;

  /** @param {((line: LogLine) => void)|null} sink  receives each line at once; without it lines wait for `take` */
  constructor(sink = null) {
    this.#sink = sink;
  }

  /**
   * A line of user code.
   * @param {Level} level
   * @param {string[]} messages
   */
  add(level, messages) {
    this.#userLines += 1;
    if (this.#userLines < limits.logLines) this.#put({ ...truncate(messages), level, timestamp: Date.now() });
    else if (this.#userLines === limits.logLines) {
      const text = `Log overflow (maximum ${limits.logLines}). Remaining log lines omitted.`;
      this.#put({ messages: [text], isTruncated: false, level: "ERROR", timestamp: Date.now() });
    }
  }

  /**
   * A line of the host itself: neither counted nor cut.
   * @param {Level} level
   * @param {string} code
   * @param {string} message
   */
  report(level, code, message) {
    this.#put({ messages: [message], isTruncated: false, level, timestamp: Date.now(), systemMetadata: { code } });
  }

  /** @param {LogLine} line */
  #put(line) {
    if (this.#sink !== null) this.#sink(line);
    else this.#lines.push(line);
  }

  /** Repeats lines that another log collected. @param {LogLine[]} lines */
  addAll(lines) {
    for (const line of lines) this.add(line.level, line.messages);
  }

  /** Whether there have been no lines of user code. */
  get isEmpty() {
    return this.#userLines === 0;
  }

  /** The lines not taken yet. */
  take() {
    const lines = this.#lines;
    this.#lines = [];
    return lines;
  }
}

/** @param {string[]} messages */
function truncate(messages) {
  let room = limits.logLineBytes;
  const kept = [];
  for (const message of messages) {
    const size = Buffer.byteLength(message);
    if (size > room) {
      kept.push(cut(message, room));
      return { messages: kept, isTruncated: true };
    }
    room -= size;
    kept.push(message);
  }
  return { messages: kept, isTruncated: false };
}

/**
 * The longest prefix of at most `size` UTF-8 bytes that ends at a character boundary.
 * @param {string} text
 * @param {number} size
 */
function cut(text, size) {
  const bytes = Buffer.from(text.slice(0, size));
  let end = Math.min(size, bytes.length);
  while (end > 0 && end < bytes.length && (bytes[end] & 0xc0) === 0x80) end -= 1;
  return bytes.toString("utf8", 0, end);
}
