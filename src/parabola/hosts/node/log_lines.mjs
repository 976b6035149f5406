/** The log lines of one execution, as many and as long as they may be. */
import { limits } from "./limits.mjs";

export class LogLines {
  #lines = [];
  #userLines = 0;
  #sink;

  /** @param {((line: object) => void)|null} sink  receives each line at once; without it lines wait for `take` */
  constructor(sink = null) {
    this.#sink = sink;
  }

  /** A line of user code. */
  add(level, messages) {
    this.#userLines += 1;
    if (this.#userLines < limits.logLines) this.#put({ ...truncate(messages), level, timestamp: Date.now() });
    else if (this.#userLines === limits.logLines) {
      const text = `Log overflow (maximum ${limits.logLines}). Remaining log lines omitted.`;
      this.#put({ messages: [text], isTruncated: false, level: "ERROR", timestamp: Date.now() });
    }
  }

  /** A line of the host itself: neither counted nor cut. */
  report(level, code, message) {
    this.#put({ messages: [message], isTruncated: false, level, timestamp: Date.now(), systemMetadata: { code } });
  }

  #put(line) {
    if (this.#sink !== null) this.#sink(line);
    else this.#lines.push(line);
  }

  /** Repeats lines that another log collected. */
  addAll(lines) {
    for (const line of lines) this.add(line.level, line.messages);
  }

  /** The lines not taken yet. */
  take() {
    const lines = this.#lines;
    this.#lines = [];
    return lines;
  }
}

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

/** The longest prefix of at most `size` UTF-8 bytes that ends at a character boundary. */
function cut(text, size) {
  const bytes = Buffer.from(text.slice(0, size));
  let end = Math.min(size, bytes.length);
  while (end > 0 && end < bytes.length && (bytes[end] & 0xc0) === 0x80) end -= 1;
  return bytes.toString("utf8", 0, end);
}
