import assert from "node:assert/strict";
import { test } from "node:test";
import { SourceMap } from "../../../src/parabola/hosts/node/modules/source_maps.mjs";
import { forAll } from "./random_cases.mjs";

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function vlq(number) {
  let rest = number < 0 ? -number * 2 + 1 : number * 2;
  let text = "";
  do {
    const digit = rest % 32;
    rest = Math.floor(rest / 32);
    text += DIGITS[rest > 0 ? digit + 32 : digit];
  } while (rest > 0);
  return text;
}

function encode(lines) {
  let last = [0, 0, 0];
  return lines
    .map((segments) => {
      let column = 0;
      const texts = segments.map(([at, ...origin]) => {
        const fields = [at - column, ...origin.map((value, i) => value - last[i])];
        column = at;
        if (origin.length > 0) last = origin;
        return fields.map(vlq).join("");
      });
      return texts.join(",");
    })
    .join(";");
}

test("a position is that of the nearest mapping at or before it on its line", () => {
  forAll(200, (random) => {
    const lines = random.list(6, () => {
      const columns = [...new Set(random.list(6, () => random.below(200)))].sort((a, b) => a - b);
      return columns.map((at) =>
        random.below(5) === 0 ? [at] : [at, random.below(3), random.below(5000), random.below(300)],
      );
    });
    const map = SourceMap.parse(
      JSON.stringify({ version: 3, sources: ["a.ts", "b.ts", null], mappings: encode(lines) }),
    );
    for (let i = 0; i < 30; i++) {
      const line = random.below(8);
      const column = random.below(220);
      const segment = (lines[line] ?? []).findLast(([at]) => at <= column);
      const source = segment === undefined || segment.length === 1 ? null : ["a.ts", "b.ts", null][segment[1]];
      const expected = source === null ? null : { source, line: segment[2], column: segment[3] };
      assert.deepEqual(map.lookup(line, column), expected);
    }
  });
});

test("sources stand under their root", () => {
  const map = SourceMap.parse(JSON.stringify({ sources: ["a.ts"], sourceRoot: "src/", mappings: "AAAA" }));
  assert.deepEqual(map.lookup(0, 5), { source: "src/a.ts", line: 0, column: 0 });
});

test("what is no map of one file is none", () => {
  for (const text of [
    null,
    undefined,
    "",
    "{",
    "null",
    "[]",
    '{"sections":[]}',
    '{"sources":[]}',
    '{"sources":{},"mappings":""}',
  ])
    assert.equal(SourceMap.parse(text), null, text);
});
