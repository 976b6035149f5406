/**
 * Source map v3: from a position in a bundle to the position in the file it was made of.
 *
 * The mappings are decoded once, at the first lookup: stack traces are rare and maps are large.
 */
const DIGITS = new Int8Array(128).fill(-1);
for (const [i, c] of [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"].entries()) {
  DIGITS[c.charCodeAt(0)] = i;
}

export class SourceMap {
  #mappings;
  /** @type {number[][]|undefined} */
  #lines;

  /** @param {{sources: (string|null)[], sourceRoot?: string, mappings: string}} map */
  constructor({ sources, sourceRoot, mappings }) {
    this.sources = sources.map((source) => (sourceRoot ? `${sourceRoot.replace(/\/$/, "")}/${source}` : source));
    this.#mappings = mappings;
  }

  /**
   * @param {string|null|undefined} text
   * @returns {SourceMap|null} null for absent or unreadable text, and for sectioned maps
   */
  static parse(text) {
    if (!text) return null;
    try {
      const map = JSON.parse(text);
      return Array.isArray(map.sources) && typeof map.mappings === "string" ? new SourceMap(map) : null;
    } catch {
      return null;
    }
  }

  /**
   * @param {number} line  0-based
   * @param {number} column  0-based
   * @returns {{source: string, line: number, column: number}|null} 0-based position, from the nearest mapping at or
   *   before the column on the same line
   */
  lookup(line, column) {
    this.#lines ??= decode(this.#mappings);
    const segments = this.#lines[line];
    if (segments === undefined) return null;
    let low = 0;
    let high = segments.length / 4 - 1;
    let found = -1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      if (segments[middle * 4] <= column) {
        found = middle;
        low = middle + 1;
      } else {
        high = middle - 1;
      }
    }
    if (found < 0 || segments[found * 4 + 1] < 0) return null;
    const source = this.sources[segments[found * 4 + 1]];
    if (typeof source !== "string") return null;
    return { source, line: segments[found * 4 + 2], column: segments[found * 4 + 3] };
  }
}

/**
 * For each generated line a flat list of (column, source or -1, source line, source column).
 * @param {string} mappings
 */
function decode(mappings) {
  /** @type {number[][]} */
  const lines = [];
  /** @type {number[]} */
  let segments = [];
  let column = 0;
  let source = 0;
  let sourceLine = 0;
  let sourceColumn = 0;
  /** @type {number[]} */
  const fields = [];
  let value = 0;
  let shift = 0;
  const endSegment = () => {
    if (fields.length === 0) return;
    column += fields[0];
    if (fields.length >= 4) {
      source += fields[1];
      sourceLine += fields[2];
      sourceColumn += fields[3];
      segments.push(column, source, sourceLine, sourceColumn);
    } else {
      segments.push(column, -1, 0, 0);
    }
    fields.length = 0;
  };
  for (let i = 0; i < mappings.length; i++) {
    const code = mappings.charCodeAt(i);
    if (code === 59 || code === 44) {
      endSegment();
      if (code === 59) {
        lines.push(segments);
        segments = [];
        column = 0;
      }
      continue;
    }
    const digit = DIGITS[code];
    value += (digit & 31) << shift;
    shift += 5;
    if ((digit & 32) === 0) {
      fields.push(value & 1 ? -(value >>> 1) : value >>> 1);
      value = 0;
      shift = 0;
    }
  }
  endSegment();
  lines.push(segments);
  return lines;
}
