import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { after, test } from "node:test";
import { Channel, MessageTooLong } from "../../../src/parabola/hosts/node/channel.mjs";
import { limits } from "../../../src/parabola/hosts/node/limits.mjs";
import { forAll } from "./random_cases.mjs";

limits.messageBytes = 3000;
const server = createServer({ pauseOnConnect: true });
server.listen(0, "127.0.0.1");
await once(server, "listening");
const engine = connect(server.address().port, "127.0.0.1");
const [accepted] = await once(server, "connection");
const channel = new Channel(accepted._handle.fd);
const received = [];
let wake = () => {};
channel.listen(
  (message) => {
    received.push(message);
    wake();
  },
  () => {},
);
after(() => process.exit());

async function receive(count) {
  while (received.length < count) await new Promise((resolve) => (wake = resolve));
  return received.splice(0);
}

async function sent() {
  channel.flush();
  const [chunk] = await once(engine, "data");
  return chunk
    .toString()
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

test("messages are whole however their bytes arrive", async () => {
  const cases = [];
  forAll(40, (random) => {
    const messages = [
      { first: true },
      ...random.list(6, () => ({ text: random.text(40, ["a", "é", "\u{1f600}", '"', "\\n"]) })),
    ];
    const bytes = Buffer.from(
      messages.map((one) => `${JSON.stringify(one)}\n`).join(random.below(2) === 0 ? "" : "\n"),
    );
    const pieces = [];
    for (let at = 0; at < bytes.length;) {
      const size = 1 + random.below(random.below(2) === 0 ? 3 : 200);
      pieces.push(bytes.subarray(at, at + size));
      at += size;
    }
    cases.push({ messages, pieces });
  });
  for (const { messages, pieces } of cases) {
    // Each as a packet of its own.
    for (const piece of pieces) {
      engine.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual(await receive(messages.length), messages);
  }
});

test("nanoseconds keep all their digits, and texts that look alike stay as they are", async () => {
  engine.write('{"snapshotTs":1712345678901234567,"args":"{\\"snapshotTs\\":1712345678901234567}"}\n');
  const [message] = await receive(1);
  assert.deepEqual(message, { snapshotTs: "1712345678901234567", args: '{"snapshotTs":1712345678901234567}' });
});

test("messages leave in their order, one a line", async () => {
  channel.send({ type: "importing", id: 1, path: "a\nb" });
  channel.sendText('{"type":"done","id":2}');
  assert.equal(channel.isFlushed, false);
  assert.deepEqual(await sent(), [
    { type: "importing", id: 1, path: "a\nb" },
    { type: "done", id: 2 },
  ]);
});

test("what is too long, or too deep to be written, fails what it is about and sends nothing else", async () => {
  assert.throws(() => channel.sendText("x".repeat(3001)), MessageTooLong);
  assert.throws(() => channel.sendText("é".repeat(1501)), MessageTooLong);
  channel.send({ type: "analysis", id: 7, result: { text: "x".repeat(3000) } });
  let deep = {};
  for (let i = 0; i < 1000; i++) deep = { deep };
  channel.send({ type: "analysis", id: 8, result: deep });
  const [long, nested] = await sent();
  assert.deepEqual([long.type, long.id, nested.type, nested.id], ["failed", 7, "failed", 8]);
  assert.match(long.error.message, /longer than a message/);
  assert.match(nested.error.message, /nested more than 900 levels/);
  assert.throws(() => channel.send({ type: "loaded", deployment: "x".repeat(3000) }), MessageTooLong);
});
