// The reactive client of the npm package, outside a browser: subscriptions, mutations, errors, two clients.
import { ConvexClient } from "convex/browser";
import { anyApi as api } from "convex/server";
import { Latest, assert, unique, url } from "./expectations.mjs";

const one = new ConvexClient(url);
const two = new ConvexClient(url);
try {
  const seenByOne = new Latest();
  const seenByTwo = new Latest();
  one.onUpdate(api.tasks.list, { limit: 100 }, seenByOne.set);
  two.onUpdate(api.tasks.list, { limit: 100 }, seenByTwo.set);
  await Promise.all([seenByOne.until((tasks) => tasks), seenByTwo.until((tasks) => tasks)]);

  const text = unique("from the reactive client");
  const id = await one.mutation(api.tasks.create, { text });
  assert.equal(typeof id, "string");
  const has = (tasks) => tasks.some((task) => task._id === id && task.text === text && task.completed === false);
  await Promise.all([seenByOne.until(has), seenByTwo.until(has)]);
  assert.ok(has(seenByOne.current), "a mutation's own client sees its effect when the promise resolves");

  await two.mutation(api.tasks.toggle, { id });
  await seenByOne.until((tasks) => tasks.some((task) => task._id === id && task.completed));

  await assert.rejects(one.mutation(api.tasks.create, { text: 12 }), /ArgumentValidationError/);
  await assert.rejects(one.mutation(api.tasks.create, {}), /missing the required field `text`/);
  await assert.rejects(one.query(api.tasks.nothing, {}), /Could not find public function for 'tasks:nothing'/);
  await assert.rejects(one.mutation(api.sample.load, {}), /Could not find public function for 'sample:load'/);

  await one.mutation(api.tasks.remove, { id });
  await seenByTwo.until((tasks) => !tasks.some((task) => task._id === id));
} finally {
  await Promise.all([one.close(), two.close()]);
}
