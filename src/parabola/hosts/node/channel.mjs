/** Newline-delimited JSON over one socket, or a pair of pipes, shared with the engine (docs/host-protocol.md). */
import { createReadStream, createWriteStream } from "node:fs";
import { Socket } from "node:net";

const MAX_LINE = 64 * 1024 * 1024;
const NEWLINE = 10;

export class Channel {
  #input;
  #output;
  #parts = [];
  #size = 0;
  #pending = [];
  #flushing = false;

  /**
   * @param {{fd?: number, readFd?: number, writeFd?: number}} descriptors
   */
  constructor({ fd, readFd, writeFd }) {
    if (fd !== undefined) {
      this.#input = this.#output = new Socket({ fd, readable: true, writable: true });
    } else {
      this.#input = createReadStream(null, { fd: readFd });
      this.#output = createWriteStream(null, { fd: writeFd });
    }
  }

  /** Calls `onMessage` with each parsed line; `onEnd` once the engine has gone. */
  listen(onMessage, onEnd) {
    this.#input.on("data", (chunk) => this.#receive(chunk, onMessage));
    this.#input.on("close", onEnd);
    this.#input.on("error", onEnd);
    this.#output.on("error", onEnd);
  }

  #receive(chunk, onMessage) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      let line = chunk.subarray(start, end);
      if (this.#parts.length > 0) {
        line = Buffer.concat([...this.#parts, line]);
        this.#parts = [];
        this.#size = 0;
      }
      start = end + 1;
      if (line.length > 0) onMessage(JSON.parse(line.toString("utf8")));
    }
    if (start < chunk.length) {
      this.#parts.push(chunk.subarray(start));
      this.#size += chunk.length - start;
      if (this.#size > MAX_LINE) throw new Error(`a line of the engine exceeds ${MAX_LINE} bytes`);
    }
  }

  send(message) {
    this.sendText(JSON.stringify(message));
  }

  /** Sends one message that is JSON text already. Messages of one turn of the event loop leave in one write. */
  sendText(text) {
    this.#pending.push(text);
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(() => this.flush());
  }

  flush() {
    this.#flushing = false;
    if (this.#pending.length === 0) return;
    const text = `${this.#pending.join("\n")}\n`;
    this.#pending = [];
    this.#output.write(text);
  }

  end() {
    this.flush();
    this.#output.end();
  }
}
