import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeId, encodeId, normalizeId } from "../../../src/parabola/hosts/node/document_ids.mjs";
import { forAll } from "./random_cases.mjs";

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const randomId = (random) => {
  const tableNumber = 1 + random.below(2 ** (1 + random.below(31)));
  const internal = Uint8Array.from({ length: 16 }, () => random.below(256));
  return { tableNumber, internal, text: encodeId(tableNumber, internal) };
};

test("ids are those that the engine makes", () => {
  // Made by `parabola.values.ids.encode_id`.
  const known = [
    [1, "000102030405060708090a0b0c0d0e0f", "040020g30g2gc1r81450p30d1r7qke8"],
    [10001, "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0", "j57fzzqxzkxznyfryzvfbx7kybrz0nsg"],
    [0xffffffff, "00".repeat(16), "zzzzzzrf000000000000000000000000005v2"],
  ];
  for (const [tableNumber, internal, text] of known)
    assert.equal(encodeId(tableNumber, Buffer.from(internal, "hex")), text);
});

test("an id is read as what it was made of", () => {
  forAll(500, (random) => {
    const { tableNumber, internal, text } = randomId(random);
    assert.match(text, /^[0-9a-hjkmnp-tv-z]{31,37}$/);
    assert.deepEqual(decodeId(text), { tableNumber, internal });
    assert.equal(normalizeId(tableNumber, text), text);
    assert.equal(normalizeId(tableNumber + 1, text), null);
  });
});

test("an id with one character changed, left out or added is none", () => {
  forAll(300, (random) => {
    const { tableNumber, text } = randomId(random);
    const at = random.below(text.length);
    const other = random.oneOf([...ALPHABET].filter((one) => one !== text[at]));
    for (const changed of [
      text.slice(0, at) + other + text.slice(at + 1),
      text.slice(0, at) + text.slice(at + 1),
      `${text}0`,
    ])
      assert.equal(decodeId(changed), null, `${text} -> ${changed} of ${tableNumber}`);
  });
});

test("ids of the first table and of the last are read; what is no id at all is not", () => {
  const internal = new Uint8Array(16).fill(255);
  for (const tableNumber of [1, 127, 128, 0xffffffff])
    assert.equal(decodeId(encodeId(tableNumber, internal)).tableNumber, tableNumber);
  for (const text of [
    "",
    "x",
    "tasks",
    encodeId(0, internal),
    encodeId(2 ** 32, internal),
    "I".repeat(32),
    "é".repeat(32),
  ])
    assert.equal(decodeId(text), null, text);
});

test("both legacy forms are read as ids of the table that is asked for", () => {
  const internal = Uint8Array.from({ length: 16 }, (_, i) => i * 7);
  assert.equal(normalizeId(10001, Buffer.from(internal).toString("base64url")), encodeId(10001, internal));
  const digits = "1".repeat(22);
  const normalized = normalizeId(10001, digits);
  assert.equal(decodeId(normalized).tableNumber, 10001);
  assert.equal(normalizeId(10001, "!".repeat(22)), null);
  assert.equal(normalizeId(10001, "z".repeat(23)), null, "more than 17 bytes");
});
