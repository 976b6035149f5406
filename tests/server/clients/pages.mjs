// A page keeps its end through re-runs and reconnects, because its journal comes back; a bad cursor is known as one.
import { Base, assert } from "./client.mjs";

const base = new Base();
for (const body of ["a", "b"]) await base.client.mutation("messages:send", { body });
const args = { paginationOpts: { numItems: 3, cursor: null, id: 0 } };
const page = base.subscribe("messages:page", args);
assert.deepEqual(await page.until((value) => value), { page: ["a", "b"], isDone: true, continueCursor: "2" });
assert.equal(page.journal(), "2");

await base.client.mutation("messages:send", { body: "c" });
assert.deepEqual(page.last, { page: ["a", "b"], isDone: false, continueCursor: "2" });

await base.client.action("control:dropSockets", {}).catch(() => {});
await base.client.mutation("messages:send", { body: "d" });
assert.deepEqual(page.last, { page: ["a", "b"], isDone: false, continueCursor: "2" });

const other = new Base();
const journaled = other.subscribe("messages:page", args, { journal: page.journal() });
assert.deepEqual((await journaled.until((value) => value)).page, ["a", "b"]);
const fresh = new Base().subscribe("messages:page", { paginationOpts: { numItems: 3, cursor: null, id: 1 } });
assert.deepEqual((await fresh.until((value) => value)).page, ["a", "b", "c"]);

const bad = other.subscribe("messages:page", { paginationOpts: { numItems: 3, cursor: "nonsense", id: 2 } });
const { error } = await bad.until((value) => value?.error);
assert.deepEqual(error.data, { isConvexSystemError: true, paginationError: "InvalidCursor" });
process.exit(0);
