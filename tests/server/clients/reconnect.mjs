// The socket is lost with a mutation under way: it is sent again, takes effect once, and queries come back alive.
import { Base, assert } from "./client.mjs";

const base = new Base();
const list = base.subscribe("messages:list");
await list.until((value) => Array.isArray(value));
for (let round = 0; round < 3; round++) {
  const before = list.last.length;
  const slow = base.client.mutation("control:slowSend", { body: `slow${round}` });
  await base.client.action("control:dropSockets", {}).catch((error) => assert.match(error.message, /Connection lost/));
  await new Promise((resolve) => setTimeout(resolve, 50));
  const queued = base.client.mutation("messages:send", { body: `queued${round}` });
  const release = new Base();
  await release.client.action("control:release", {});
  await release.client.close();
  assert.equal(await slow, `slow${round}`);
  await queued;
  assert.deepEqual(list.last.slice(before), [`slow${round}`, `queued${round}`]);
}
await base.client.mutation("messages:send", { body: "later" });
assert.equal(list.last.at(-1), "later");
assert.equal(list.last.length, 7);
await base.client.close();
