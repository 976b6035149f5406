// The stateless client of the npm package.
import { ConvexHttpClient } from "convex/browser";
import { anyApi as api } from "convex/server";
import { assert, unique, url } from "./expectations.mjs";

const client = new ConvexHttpClient(url);
const text = unique("over HTTP");

const id = await client.mutation(api.tasks.create, { text });
const tasks = await client.query(api.tasks.list, { limit: 100 });
const task = tasks.find(({ _id }) => _id === id);
assert.deepEqual(Object.keys(task).sort(), ["_creationTime", "_id", "completed", "text"]);
assert.equal(task.text, text);
assert.equal(task.completed, false);
assert.equal(typeof task._creationTime, "number");

assert.equal(await client.mutation(api.tasks.toggle, { id }), null);
const summary = await client.query(api.tasks.summary, {});
assert.ok(summary.done >= 1);

const first = await client.query(api.tasks.page, { paginationOpts: { numItems: 1, cursor: null } });
assert.equal(first.page.length, 1);
assert.equal(first.isDone, false);
const second = await client.query(api.tasks.page, { paginationOpts: { numItems: 1, cursor: first.continueCursor } });
assert.notEqual(second.page[0]?._id, first.page[0]._id);

await assert.rejects(client.mutation(api.tasks.create, { text: null }), /ArgumentValidationError/);
await assert.rejects(client.mutation(api.tasks.remove, { id: "no such id" }), /ArgumentValidationError/);
await client.mutation(api.tasks.remove, { id });
