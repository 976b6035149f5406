/**
 * The stream of random numbers of one execution: ChaCha with 12 rounds over a 32-byte seed.
 *
 * `Math.random`, `crypto.getRandomValues` and `crypto.randomUUID` all draw from it, so an execution is a function of
 * its seed.
 */
const CONSTANTS = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574];
const ROUNDS = 12;

export class RandomStream {
  #input = new Uint32Array(16);
  #block = new Uint32Array(16);
  #bytes = new Uint8Array(this.#block.buffer);
  #used = 64;

  /** @param {Uint8Array} seed 32 bytes */
  constructor(seed) {
    this.#input.set(CONSTANTS);
    const view = new DataView(seed.buffer, seed.byteOffset, 32);
    for (let i = 0; i < 8; i++) this.#input[4 + i] = view.getUint32(i * 4, true);
  }

  /** @param {string} hex */
  static fromHex(hex) {
    return new RandomStream(Uint8Array.from({ length: 32 }, (_, i) => parseInt(hex.substr(i * 2, 2), 16) || 0));
  }

  /** A number in [0, 1) with 53 random bits. */
  float() {
    const low = this.#word();
    const high = this.#word();
    return (high * 0x200000 + (low >>> 11)) / 0x20000000000000;
  }

  /** Fills a byte array. @param {Uint8Array} target */
  fill(target) {
    for (let i = 0; i < target.length; i++) {
      if (this.#used === 64) this.#nextBlock();
      target[i] = this.#bytes[this.#used++];
    }
    return target;
  }

  #word() {
    this.#used = (this.#used + 3) & ~3;
    if (this.#used === 64) this.#nextBlock();
    const word = this.#block[this.#used >> 2];
    this.#used += 4;
    return word;
  }

  #nextBlock() {
    const x = this.#block;
    x.set(this.#input);
    for (let round = 0; round < ROUNDS; round += 2) {
      quarter(x, 0, 4, 8, 12);
      quarter(x, 1, 5, 9, 13);
      quarter(x, 2, 6, 10, 14);
      quarter(x, 3, 7, 11, 15);
      quarter(x, 0, 5, 10, 15);
      quarter(x, 1, 6, 11, 12);
      quarter(x, 2, 7, 8, 13);
      quarter(x, 3, 4, 9, 14);
    }
    for (let i = 0; i < 16; i++) x[i] += this.#input[i];
    this.#input[12] += 1;
    if (this.#input[12] === 0) this.#input[13] += 1;
    this.#used = 0;
  }
}

/** @param {Uint32Array} x @param {number} a @param {number} b @param {number} c @param {number} d */
function quarter(x, a, b, c, d) {
  x[a] += x[b];
  x[d] = rotate(x[d] ^ x[a], 16);
  x[c] += x[d];
  x[b] = rotate(x[b] ^ x[c], 12);
  x[a] += x[b];
  x[d] = rotate(x[d] ^ x[a], 8);
  x[c] += x[d];
  x[b] = rotate(x[b] ^ x[c], 7);
}

/** @param {number} value @param {number} bits */
function rotate(value, bits) {
  return (value << bits) | (value >>> (32 - bits));
}
