/** Newline-delimited JSON over one socket shared with the engine (docs/explanation/host-protocol.md). */
import { writeSync } from "node:fs";
import { Socket } from "node:net";
import { limits, MEBIBYTE } from "./limits.mjs";
import { UnwritableData, writeJson } from "./plain_json.mjs";
/** @import { FromEngine, FromHost } from "./types/protocol" */

/** Characters that are joined for one write. */
const JOINED = MEBIBYTE;
const NEWLINE = 10;
const REPLY = '{"type":"reply"';
/** Messages leave together while there is more to do: at most so many, and none waits longer than so many milliseconds. */
const TOGETHER = 16;
const PATIENCE = 2;

/**
 * Timestamps in nanoseconds do not fit into JavaScript's numbers: they are kept as text. Numbers of user code cannot
 * be mistaken for one, since the engine writes those with a fraction or an exponent.
 * @param {string} text
 * @returns {FromEngine}
 */
function parse(text) {
  // Most messages are replies, which have none; of what is in them nothing is looked at.
  if (text.startsWith(REPLY)) return JSON.parse(text);
  return JSON.parse(text.replace(/"snapshotTs":\s*(\d+)(?=[,}])/g, '"snapshotTs":"$1"'));
}

/** A message that the engine would not take; nothing of it has been sent. */
export class MessageTooLong extends Error {}

export class Channel {
  #fd;
  #socket;
  /** @type {Buffer[]} */
  #parts = [];
  #size = 0;
  /** @type {string[]} */
  #pending = [];
  #flushing = false;
  #pendingSince = 0;
  /** Whether more messages will probably follow at once. @type {() => boolean} */
  isBusy = () => false;

  /** @param {number} fd  an inherited socket */
  constructor(fd) {
    this.#fd = fd;
    this.#socket = new Socket({ fd, readable: true, writable: true });
  }

  /** Whether waiting for the engine keeps the process alive. @param {boolean} value */
  set keepsAlive(value) {
    if (value) this.#socket.ref();
    else this.#socket.unref();
  }

  /** Whether everything sent so far has been handed to the system. */
  get isFlushed() {
    return !this.#flushing && this.#socket.writableLength === 0;
  }

  /**
   * Calls `onMessage` with each parsed line; `onEnd` once the engine has gone.
   * @param {(message: FromEngine) => void} onMessage
   * @param {() => void} onEnd
   */
  listen(onMessage, onEnd) {
    this.#socket.on("data", (chunk) => this.#receive(chunk, onMessage));
    this.#socket.on("close", onEnd);
    this.#socket.on("error", onEnd);
  }

  /** @param {Buffer} chunk @param {(message: FromEngine) => void} onMessage */
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
      if (line.length > 0) onMessage(parse(line.toString("utf8")));
    }
    if (start < chunk.length) {
      this.#parts.push(chunk.subarray(start));
      this.#size += chunk.length - start;
      if (this.#size > limits.messageBytes)
        throw new Error(`a line of the engine exceeds ${limits.messageBytes} bytes`);
    }
  }

  /**
   * Sends plain data of the host's own; its texts are repaired. What cannot be sent fails the run or the analysis that
   * it is about.
   * @param {FromHost} message
   */
  send(message) {
    try {
      this.sendText(writeJson(message));
    } catch (error) {
      if (message.id === undefined || !(error instanceof UnwritableData || error instanceof MessageTooLong))
        throw error;
      this.sendText(
        writeJson({
          type: "failed",
          id: message.id,
          kind: "user",
          error: { message: `What the function answers cannot be sent: ${error.message}.` },
          logs: [],
          usage: {},
        }),
      );
    }
  }

  /**
   * Sends one message that is JSON text already, of which every part has been checked; soon, and together with others (a
   * write costs as much as a small call). Throws MessageTooLong.
   * @param {string} text
   */
  sendText(text) {
    const most = limits.messageBytes;
    if (text.length > most / 3 && Buffer.byteLength(text) > most)
      throw new MessageTooLong(`It is longer than a message of ${most / MEBIBYTE} MiB`);
    this.#pending.push(text);
    if (this.#flushing) return;
    this.#flushing = true;
    this.#pendingSince = performance.now();
    setImmediate(() => this.#flushSoon());
  }

  #flushSoon() {
    const waits = this.isBusy() && this.#pending.length < TOGETHER && performance.now() - this.#pendingSince < PATIENCE;
    if (waits) setImmediate(() => this.#flushSoon());
    else this.flush();
  }

  flush() {
    this.#flushing = false;
    if (this.#pending.length === 0) return;
    const pending = this.#pending;
    this.#pending = [];
    let text = "";
    for (const message of pending) {
      if (text.length > JOINED) {
        this.#socket.write(text);
        text = "";
      }
      text += `${message}\n`;
    }
    this.#socket.write(text);
  }

  /** Writes what is left when the process is about to end and no turn of the event loop will come. */
  flushSync() {
    const bytes = Buffer.from(this.#pending.map((text) => `${text}\n`).join(""));
    this.#pending = [];
    for (let start = 0; start < bytes.length;) {
      try {
        start += writeSync(this.#fd, bytes, start);
      } catch (error) {
        if (/** @type {NodeJS.ErrnoException} */ (error).code !== "EAGAIN") return;
      }
    }
  }

  end() {
    this.flush();
    this.#socket.end();
  }
}
