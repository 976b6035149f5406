// The page of examples/tasks: what happens in one window shows in the other.
import { withBrowser } from "./browser.mjs";
import { assert, unique, url } from "./expectations.mjs";

await withBrowser(async (context) => {
  const [left, right] = [await context.newPage(), await context.newPage()];
  await Promise.all([left.goto(url), right.goto(url)]);
  await Promise.all([left, right].map((page) => page.getByRole("status").filter({ hasText: "live" }).waitFor()));

  const text = unique("shown in both windows");
  await left.getByLabel("New task").fill(text);
  await left.getByRole("button", { name: "Add", exact: true }).click();
  const there = right.getByRole("listitem").filter({ hasText: text });
  await there.waitFor();

  await there.getByRole("checkbox").check();
  const here = left.locator("li.done").filter({ hasText: text });
  await here.waitFor();

  if (process.env.SCREENSHOT) await left.screenshot({ path: process.env.SCREENSHOT });

  await here.hover();
  await here.getByRole("button", { name: `Remove ${text}` }).click();
  await there.waitFor({ state: "detached" });
  assert.equal(await right.getByRole("alert").isVisible(), false);
});
