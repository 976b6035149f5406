/**
 * The activity file: 16 bytes that tell the engine's watchdog whose code this process is executing, and since when.
 *
 * Bytes 0-7: the invocation id, 0 while idle. Bytes 8-15: nanoseconds of CLOCK_MONOTONIC, set back by the time the
 * invocation has used in its earlier steps, so that the watchdog sees its whole user time. Both little-endian.
 */
import { openSync, writeSync } from "node:fs";

export class ActivityFile {
  #fd;
  #bytes = Buffer.alloc(16);
  #idle = true;

  constructor(path) {
    this.#fd = path ? openSync(path, "r+") : null;
  }

  /** @param {number} id  @param {bigint} since */
  begin(id, since) {
    if (this.#fd === null) return;
    this.#bytes.writeBigUInt64LE(BigInt(id), 0);
    this.#bytes.writeBigUInt64LE(since, 8);
    this.#idle = false;
    writeSync(this.#fd, this.#bytes, 0, 16, 0);
  }

  idle() {
    if (this.#fd === null || this.#idle) return;
    this.#idle = true;
    this.#bytes.fill(0);
    writeSync(this.#fd, this.#bytes, 0, 16, 0);
  }
}
