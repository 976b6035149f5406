import assert from "node:assert/strict";
import { test } from "node:test";
import { RandomStream } from "../../../src/parabola/hosts/node/randomness.mjs";
import { forAll } from "./random_cases.mjs";

const hexOf = (bytes) => Buffer.from(bytes).toString("hex");

test("the stream is ChaCha with 12 rounds", () => {
  // The published vector for a key and a nonce of zeros (draft-strombergson-chacha-test-vectors-01, TC1).
  const expected =
    "9bf49a6a0755f953811fce125f2683d50429c3bb49e074147e0089a52eae155f" +
    "0564f879d27ae3c02ce82834acfa8c793a629f2ca0de6919610be82f411326be";
  assert.equal(hexOf(RandomStream.fromHex("00".repeat(32)).fill(new Uint8Array(64))), expected);
});

test("bytes are the same however many are asked for at a time", () => {
  forAll(50, (random) => {
    const seed = random.text(64, "0123456789abcdef").padEnd(64, "7");
    const whole = RandomStream.fromHex(seed).fill(new Uint8Array(500));
    const stream = RandomStream.fromHex(seed);
    const pieces = [];
    for (let left = 500; left > 0;) {
      const size = Math.min(left, 1 + random.below(90));
      pieces.push(stream.fill(new Uint8Array(size)));
      left -= size;
    }
    assert.equal(hexOf(Buffer.concat(pieces)), hexOf(whole));
  });
});

test("a number is made of the next two whole words", () => {
  const seed = "0123456789abcdef".repeat(4);
  const bytes = new DataView(RandomStream.fromHex(seed).fill(new Uint8Array(640)).buffer);
  const stream = RandomStream.fromHex(seed);
  stream.fill(new Uint8Array(3));
  for (let at = 4; at + 8 <= 640; at += 8) {
    const bits = (BigInt(bytes.getUint32(at + 4, true)) << 21n) | BigInt(bytes.getUint32(at, true) >>> 11);
    assert.equal(stream.float(), Number(bits) / 2 ** 53);
  }
});
