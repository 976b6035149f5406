/** From columns of a text in which pieces have been replaced to columns of the text as it was. */

export class ColumnShifts {
  /**
   * Line -> [column in the new text, column in the old one, whether both go on from there], in order.
   * @type {Map<number, [number, number, boolean][]>}
   */
  #lines;

  /** @param {Map<number, [number, number, boolean][]>} lines */
  constructor(lines) {
    this.#lines = lines;
  }

  /**
   * @param {string} source
   * @param {[number, number, string][]} edits  in order: start, end, and what stands there instead
   * @returns {ColumnShifts|null} null if no column has changed
   */
  static of(source, edits) {
    /** @type {Map<number, [number, number, boolean][]>} */
    const lines = new Map();
    let line = 0;
    let lineStart = 0;
    let shift = 0;
    let position = 0;
    for (const [start, end, replacement] of edits) {
      for (; position < start; position++) {
        if (!isLineEnd(source, position)) continue;
        line += 1;
        lineStart = position + 1;
        shift = 0;
      }
      const change = replacement.length - (end - start);
      if (change === 0) continue;
      const points = lines.get(line) ?? [];
      lines.set(line, points);
      const column = start - lineStart;
      // V8 puts a call at the parenthesis behind a callee that is no name: it belongs to where the name began.
      points.push([column + shift, column, false]);
      shift += change;
      points.push([end - lineStart + shift + 1, end - lineStart + 1, true]);
    }
    return lines.size === 0 ? null : new ColumnShifts(lines);
  }

  /** @param {number} line  0-based @param {number} column  0-based, of the new text */
  original(line, column) {
    let found = null;
    for (const point of this.#lines.get(line) ?? []) if (point[0] <= column) found = point;
    if (found === null) return column;
    const [from, to, goesOn] = found;
    return goesOn ? to + (column - from) : to;
  }
}

/** @param {string} text @param {number} i */
function isLineEnd(text, i) {
  const code = text.charCodeAt(i);
  return code === 10 || code === 0x2028 || code === 0x2029 || (code === 13 && text.charCodeAt(i + 1) !== 10);
}
