// The page of the tutorial: a note and a star of one window show in the other.
import { withBrowser } from "./browser.mjs";
import { unique, url } from "./expectations.mjs";

await withBrowser(async (context) => {
  const [left, right] = [await context.newPage(), await context.newPage()];
  await Promise.all([left.goto(url), right.goto(url)]);
  const text = unique("note");
  await left.getByPlaceholder("What is on your mind?").fill(text);
  await left.getByRole("button", { name: "Add" }).click();
  const there = right.getByRole("listitem").filter({ hasText: text });
  await there.getByRole("button", { name: "★ 0" }).click();
  const here = left.getByRole("listitem").filter({ hasText: text });
  await here.getByRole("button", { name: "★ 1" }).waitFor();
});
