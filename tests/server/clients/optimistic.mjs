// Optimistic updates: the list never shows an item twice or loses it again, however many are on their way.
import { Base, assert } from "./client.mjs";

const base = new Base();
const list = base.subscribe("messages:list");
await list.until((value) => Array.isArray(value));
const add = (body) =>
  base.client.mutation(
    "messages:send",
    { body },
    {
      optimisticUpdate: (store) => {
        const current = store.getQuery("messages:list", {});
        if (current !== undefined) store.setQuery("messages:list", {}, [...current, body]);
      },
    },
  );
const bodies = Array.from({ length: 30 }, (_, index) => `m${index}`);
await Promise.all(bodies.map(add));
assert.deepEqual(list.last, bodies);
let length = 0;
for (const value of list.values) {
  assert.equal(new Set(value).size, value.length, `an item was shown twice: ${value}`);
  assert.ok(value.length >= length, "an item was shown and taken back");
  length = value.length;
}
await base.client.close();
