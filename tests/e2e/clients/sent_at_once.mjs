// Mutations of one client that do not wait for each other, while the server is killed again and again.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { ConvexClient } from "convex/browser";

const { DEPLOYMENT_URL: url, PROGRESS, COUNT } = process.env;
const client = new ConvexClient(url, { logger: false });
const numbers = Array.from({ length: Number(COUNT) }, (_, number) => number);
const answered = [];
let shown = 0;

client.onUpdate("log:all", {}, (now) => {
  assert.deepEqual(
    now.map(({ number }) => number),
    numbers.slice(0, now.length),
  );
  assert(now.length >= shown, "what was shown is shown no more");
  shown = now.length;
});

async function add(number) {
  answered.push(await client.mutation(number % 2 ? "log:add" : "log:addBlindly", { number }));
  if (answered.length % 10 === 0) writeFileSync(PROGRESS, `${answered.length}\n`, { flag: "a" });
}

await Promise.all(numbers.map(add));
assert.deepEqual(answered, numbers);
const entries = await client.query("log:all", {});
assert.deepEqual(
  entries.map(({ number, after }) => [number, after]),
  numbers.map((number) => [number, number % 2 ? number - 1 : -1]),
);
await client.close();
