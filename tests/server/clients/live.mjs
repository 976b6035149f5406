// ConvexClient: two clients stay live; errors have their classes; log lines are understood.
import { ConvexClient, ConvexError, Seen, WebSocket, api, assert, url } from "./client.mjs";

const printed = [];
const logger = {
  logVerbose() {},
  log: (...args) => printed.push(args),
  warn: (...args) => printed.push(args),
  error() {},
};
const options = { webSocketConstructor: WebSocket, unsavedChangesWarning: false };
const one = new ConvexClient(url, { ...options, logger });
const two = new ConvexClient(url + "/", { ...options, logger: false });
const [seenByOne, seenByTwo, failures] = [new Seen(), new Seen(), new Seen()];
one.onUpdate(api.messages.list, {}, seenByOne.push);
two.onUpdate(api.messages.list, {}, seenByTwo.push);
await seenByOne.until((list) => list.length === 0);
assert.equal(await one.mutation(api.messages.send, { body: "a" }), 1);
assert.deepEqual(seenByOne.last, ["a"], "the caller sees its own write when the promise resolves");
await seenByTwo.until((list) => list[0] === "a");

await Promise.all([1, 2, 3].map((n) => two.mutation(api.messages.send, { body: `b${n}` })));
await seenByOne.until((list) => list.join() === "a,b1,b2,b3");

one.onUpdate(api.messages.fail, {}, () => {}, failures.push);
assert.match(
  (await failures.until(() => true)).message,
  /^\[CONVEX Q\(messages:fail\)\] \[Request ID: [0-9a-f]{16}\] Server Error/,
);
await assert.rejects(one.mutation(api.messages.failSend, { data: { n: 1 } }), (error) => {
  assert.ok(error instanceof ConvexError);
  assert.deepEqual(error.data, { n: 1 });
  return true;
});
await assert.rejects(one.action(api.messages.failAct, {}), /\[CONVEX A\(messages:failAct\)\].*\n.*boom/);
assert.deepEqual(await one.action(api.messages.act, { big: 2n ** 62n }), { big: 2n ** 62n });
assert.equal(await one.query(api.messages.count, {}), 4);

await one.query(api.messages.log, {});
assert.ok(
  printed.some((line) => line.some((part) => String(part).includes("'seen'"))),
  "log lines reach the console",
);
assert.ok(!printed.flat().some((part) => String(part).includes("Could not parse")));
await Promise.all([one.close(), two.close()]);
