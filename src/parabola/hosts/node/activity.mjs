/**
 * The activity file: 24 bytes that tell the engine's watchdog whose code this process is executing, and since when.
 *
 * Bytes 0-7: the run id, 0 while idle. Bytes 8-15: nanoseconds of CLOCK_MONOTONIC, set back by the time the
 * run has used in its earlier steps, so that the watchdog sees its whole user time. Bytes 16-23: bytes of memory
 * that the process used when the step began and that are not the run's. All little-endian.
 */
import { openSync, rmSync, writeSync } from "node:fs";

const SIZE = 24;

export class ActivityFile {
  #path;
  #fd;
  #bytes = new Uint8Array(SIZE);
  #cells = new DataView(this.#bytes.buffer);
  #idle = true;

  /** @param {string|undefined} path */
  constructor(path) {
    this.#path = path;
    this.#fd = path ? openSync(path, "r+") : null;
  }

  /** @param {number} id  @param {bigint} since  @param {number} others  bytes of memory */
  begin(id, since, others) {
    if (this.#fd === null) return;
    this.#cells.setBigUint64(0, BigInt(id), true);
    this.#cells.setBigUint64(8, since, true);
    this.#cells.setBigUint64(16, BigInt(others), true);
    this.#idle = false;
    writeSync(this.#fd, this.#bytes, 0, SIZE, 0);
  }

  /** The engine removes the file, unless it has been killed. */
  remove() {
    if (this.#path) rmSync(this.#path, { force: true });
  }

  idle() {
    if (this.#fd === null || this.#idle) return;
    this.#idle = true;
    this.#bytes.fill(0);
    writeSync(this.#fd, this.#bytes, 0, SIZE, 0);
  }
}
