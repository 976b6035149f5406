import assert from "node:assert/strict";
import { test } from "node:test";
import { UnwritableData, wellFormed, writeJson, writeText } from "../../../src/parabola/hosts/node/plain_json.mjs";
import { forAll } from "./random_cases.mjs";

const CHARACTERS = ["a", '"', "\\", "\n", "\u2028", "é", "\ud83d\ude00"];

function randomData(random, depth = 0) {
  const kind = random.below(depth > 4 ? 6 : 8);
  if (kind < 6) return [null, true, random.below(1000) / 8, random.text(6, CHARACTERS), undefined, -Infinity][kind];
  if (kind === 6) return random.list(4, () => randomData(random, depth + 1));
  return Object.fromEntries(random.list(4, () => [random.text(3, CHARACTERS), randomData(random, depth + 1)]));
}

test("plain data is written as JSON.stringify writes it", () => {
  forAll(500, (random) => {
    const data = { data: randomData(random) };
    assert.equal(writeJson(data), JSON.stringify(data));
  });
});

test("half of a character is repaired wherever it stands", () => {
  const half = "a\ud83d";
  assert.equal(wellFormed(half), "a\ufffd");
  assert.equal(writeText(half), '"a\ufffd"');
  assert.deepEqual(JSON.parse(writeJson({ [half]: [half] })), { "a\ufffd": ["a\ufffd"] });
});

test("nothing asks data for toJSON, and functions are left out", () => {
  assert.equal(writeJson({ toJSON: () => "changed", a: 1 }), '{"a":1}');
});

test("what is nested deeper than the engine reads is refused, and not what is just as deep", () => {
  const nested = (levels) => {
    let data = [];
    for (let i = 1; i < levels; i++) data = [data];
    return data;
  };
  assert.equal(writeJson(nested(900)).length, 1800);
  assert.throws(() => writeJson(nested(901)), UnwritableData);
});
