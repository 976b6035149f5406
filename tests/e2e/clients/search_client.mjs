// A live search of examples in TypeScript: it hears of what belongs to it, and of nothing else.
import { ConvexClient } from "convex/browser";
import { anyApi as api } from "convex/server";
import { assert, url } from "./expectations.mjs";

const client = new ConvexClient(url);
const seen = [];
let wake = () => {};
client.onUpdate(api.searching.find, { text: "parab", language: "en" }, (found) => {
  seen.push(found);
  wake();
});
async function until(count) {
  while (seen.length < count) await new Promise((resolve) => (wake = resolve));
}
const add = (text, language = "en") => client.mutation(api.writing.add, { text, language });

await until(1);
await add("nothing of it");
await add("a parabola", "de");
await add("a parabola");
await until(2);
await add("parabola parabola parabola");
await until(3);
// Below the two that are shown: nobody hears of it.
await add("there may be a parabola somewhere in this long text");
await add("parabola parabola");
await until(4);
assert.deepEqual(seen, [
  [],
  ["a parabola"],
  ["parabola parabola parabola", "a parabola"],
  ["parabola parabola parabola", "parabola parabola"],
]);
await client.close();
