import assert from "node:assert/strict";
import { test } from "node:test";
import { ColumnShifts } from "../../../src/parabola/hosts/node/modules/column_shifts.mjs";
import { forAll } from "./random_cases.mjs";

const LINE_ENDS = /\r\n|[\n\r\u2028\u2029]/;

/** Line and column of a position. */
function place(text, position) {
  const before = text.slice(0, position).split(LINE_ENDS);
  return [before.length - 1, before.at(-1).length];
}

test("characters that were not replaced are found where they were, whatever was replaced around them", () => {
  forAll(400, (random) => {
    const source = random.text(60, ["a", "b", "c", " ", "\n", "\r\n", "\u2028"]);
    const edits = [];
    for (let at = random.below(10); at < source.length; at += 2 + random.below(12)) {
      const end = at + 1;
      // What is replaced is within a line, as names and keywords are.
      if (!/^[abc]$/.test(source.slice(at, end))) continue;
      edits.push([at, end, "x".repeat(random.below(5))]);
    }
    const shifts = ColumnShifts.of(source, edits);
    let text = "";
    let position = 0;
    const pairs = [];
    for (const [start, end, replacement] of [...edits, [source.length, source.length, ""]]) {
      for (; position < start; position++) {
        pairs.push([text.length, position]);
        text += source[position];
      }
      text += replacement;
      position = end;
    }
    const replaced = new Set(edits.flatMap(([, end]) => [end]));
    for (const [now, before] of pairs) {
      // What stands right behind a replaced name is where the name was: V8 puts a call there.
      if (replaced.has(before) || LINE_ENDS.test(source[before])) continue;
      const [line, column] = place(text, now);
      assert.deepEqual(
        [line, shifts?.original(line, column) ?? column],
        place(source, before),
        JSON.stringify([source, edits]),
      );
    }
  });
});

test("a call behind a replaced name belongs to where the name began", () => {
  const shifts = ColumnShifts.of("x; name(1)", [[3, 7, "$asis(name)"]]);
  assert.equal(shifts.original(0, "x; $asis(name)".length), 3);
  assert.equal(shifts.original(0, "x; $asis(name)(".length), "x; name(".length);
});

test("nothing is kept where replacements are as long as what they replace", () => {
  assert.equal(ColumnShifts.of("abc", [[0, 1, "x"]]), null);
});
