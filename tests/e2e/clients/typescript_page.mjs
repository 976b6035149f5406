// The page of examples/tasks-typescript: two windows follow each other, and go on following through a hot reload.
import { readFile, writeFile } from "node:fs/promises";
import { withBrowser } from "./browser.mjs";
import { assert, url } from "./expectations.mjs";

await withBrowser(async (context) => {
  const [one, other] = [await context.newPage(), await context.newPage()];
  for (const page of [one, other]) await page.goto(`${url}/index.html`);
  await one.getByLabel("New task").fill("Buy milk");
  await one.getByRole("button", { name: "Add" }).click();
  await other.getByText("Buy milk").waitFor();
  await other.getByRole("checkbox").click(); // its state is the server's, so it changes a moment later
  await one.locator("input:checked").waitFor();
  if (process.env.SCREENSHOT) await one.screenshot({ path: process.env.SCREENSHOT });

  // A save of the query's source reaches both windows; nobody reloads, nothing is lost.
  let navigations = 0;
  for (const page of [one, other]) page.on("framenavigated", () => (navigations += 1));
  const source = await readFile(process.env.MODULE, "utf8");
  const changed = source.replace(
    /await ctx\.db\s*\.query\("tasks"\)\s*\.order\("desc"\)\s*\.take\(args\.limit \?\? 10\)/,
    '(await ctx.db.query("tasks").order("desc").take(args.limit ?? 10)).map((t) => ({ ...t, text: t.text.toUpperCase() }))',
  );
  assert.notEqual(changed, source);
  await writeFile(process.env.MODULE, changed);
  await one.getByText("BUY MILK").waitFor();
  await other.getByText("BUY MILK").waitFor();
  assert.equal(navigations, 0);
});
