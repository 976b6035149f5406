// The React hooks in a browser: live queries, pages that grow and stay joined, an optimistic update that is replaced.
import { ConvexHttpClient } from "convex/browser";
import { anyApi as api } from "convex/server";
import { withBrowser } from "./browser.mjs";
import { assert, unique, url } from "./expectations.mjs";

const outside = new ConvexHttpClient(url);
const run = unique("react");
const name = (number) => `${run} #${number}`;
const created = [];
for (let number = 1; number <= 7; number += 1) {
  created.push(await outside.mutation(api.tasks.create, { text: name(number) }));
}

await withBrowser(async (context) => {
  const page = await context.newPage();
  let hold = false;
  const held = [];
  await page.routeWebSocket(/\/sync$/, (socket) => {
    const server = socket.connectToServer();
    socket.onMessage((message) => {
      if (hold && JSON.parse(message).type === "Mutation") held.push(() => server.send(message));
      else server.send(message);
    });
  });
  await page.goto(`${url}/react.html`);
  const newest = page.getByRole("list", { name: "Newest" });
  const pages = page.getByRole("list", { name: "Pages" });

  await newest.getByText(name(7)).waitFor();
  assert.deepEqual(await newest.getByRole("listitem").allTextContents(), [7, 6, 5, 4, 3].map(name));

  await page.locator("[data-status=CanLoadMore]").waitFor();
  assert.deepEqual(await pages.getByRole("listitem").allTextContents(), [7, 6, 5].map(name));
  await page.getByRole("button", { name: "Load more" }).click();
  await pages.getByText(name(2)).waitFor();
  assert.deepEqual(await pages.getByRole("listitem").allTextContents(), [7, 6, 5, 4, 3, 2].map(name));

  // A document that arrives in the range of a loaded page joins it, and one that leaves is gone, without gaps.
  created.push(await outside.mutation(api.tasks.create, { text: name(8) }));
  await pages.getByText(name(8)).waitFor();
  await outside.mutation(api.tasks.remove, { id: created[4] });
  await pages.getByText(name(5)).waitFor({ state: "detached" });
  assert.deepEqual(await pages.getByRole("listitem").allTextContents(), [8, 7, 6, 4, 3, 2].map(name));

  // The mutation is kept from the server for a moment: what shows meanwhile is the optimistic update.
  hold = true;
  await page.getByLabel("New task").fill(name(9));
  await page.getByRole("button", { name: "Add", exact: true }).click();
  const row = newest.getByRole("listitem").filter({ hasText: name(9) });
  await row.waitFor();
  assert.equal(await row.getAttribute("data-pending"), "true");
  assert.equal(held.length, 1);
  assert.ok(!(await outside.query(api.tasks.list, { limit: 1 })).some((task) => task.text === name(9)));
  held.forEach((send) => send());
  await newest
    .locator("[data-pending=false]")
    .filter({ hasText: name(9) })
    .waitFor();
  assert.equal(await row.count(), 1);
  await pages.getByText(name(9)).waitFor();
});
for (const task of await outside.query(api.tasks.list, { limit: 100 })) {
  if (task.text.startsWith(run)) await outside.mutation(api.tasks.remove, { id: task._id });
}
