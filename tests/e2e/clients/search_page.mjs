// The page of examples/search: it finds as one types, in every script, and what is found stays live.
import { withBrowser } from "./browser.mjs";
import { assert, url } from "./expectations.mjs";

await withBrowser(async (context) => {
  const [one, other] = [await context.newPage(), await context.newPage()];
  const failures = [];
  for (const page of [one, other]) {
    page.on("pageerror", (error) => failures.push(String(error)));
    await page.goto(`${url}/index.html`);
    await page.locator("article").first().waitFor();
  }
  const box = one.getByRole("searchbox");
  const first = (page, title) => page.locator("article:first-child h2", { hasText: title }).waitFor();

  await one.getByRole("button", { name: "Words", exact: true }).click();
  await box.pressSequentially("humpb"); // the last word is still being typed
  await first(one, "The song of the humpback whale");
  assert.equal(await one.locator("article").count(), 1);
  for (const [text, title] of [
    ["月亮", "月亮与潮汐"],
    ["चाँद", "चाँद और समुद्र"],
    ["ชาเขียว", "ชาเขียวและชาดำ"],
    ["紅茶", "緑茶と紅茶"],
    ["고래", "고래의 노래"],
    ["ETE abeilles", "L'été des abeilles"],
  ]) {
    await box.fill(text);
    await first(one, title);
  }
  await box.fill("tea");
  await one.getByLabel("Language").selectOption("de");
  await one.getByText("Nothing is found for “tea”.").waitFor();
  await one.getByLabel("Language").selectOption("");
  await first(one, "Green tea, black tea");

  // Another window saves an article, and the search shows it: above, as it has the word more often.
  await other.getByRole("button", { name: "Add an article" }).click();
  await other.getByLabel("Title").fill("Tea tea tea");
  await other.getByLabel("Text").fill("Tea.");
  await other.getByRole("button", { name: "Save" }).click();
  await first(one, "Tea tea tea");

  for (const way of ["Meaning", "Words and meaning"]) {
    await one.getByRole("button", { name: way, exact: true }).click();
    await box.fill("Sourdough without a scale");
    await first(one, "Sourdough without a scale");
  }
  await one.locator("article:first-child").getByRole("button", { name: "More like this" }).click();
  const similar = one.getByRole("complementary", { name: "Similar articles" });
  await similar.getByRole("button").nth(4).waitFor();
  assert.ok(!(await similar.getByRole("button").allInnerTexts()).includes("Sourdough without a scale"));
  if (process.env.SCREENSHOT) await one.screenshot({ path: process.env.SCREENSHOT });
  assert.deepEqual(failures, []);
});
