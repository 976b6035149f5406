// The page of the tutorial with sign-in: two people, each in a browser of their own.
import { withBrowser } from "./browser.mjs";
import { unique, url } from "./expectations.mjs";

const text = unique("a note of Ada");

async function signUp(page, name) {
  await page.goto(url);
  await page.getByPlaceholder("Name").fill(name);
  await page.getByPlaceholder("Password").fill(`${name} has a password`);
  await page.getByRole("button", { name: "Sign up" }).click();
}

await withBrowser(async (context) => {
  const ada = await context.newPage();
  await ada.goto(url);
  await ada.getByPlaceholder("What is on your mind?").fill(text);
  await ada.getByRole("button", { name: "Add" }).click();
  await ada.getByRole("alert").filter({ hasText: "Sign in first" }).waitFor();

  await signUp(ada, unique("Ada"));
  await ada.waitForFunction(() => localStorage.getItem("token"));
  await ada.getByPlaceholder("What is on your mind?").fill(text);
  await ada.getByRole("button", { name: "Add" }).click();
  const own = ada.getByRole("listitem").filter({ hasText: text });
  await own.getByRole("button").click();
  await ada.getByRole("alert").filter({ hasText: "their own notes" }).waitFor();
});
await withBrowser(async (context) => {
  const bo = await context.newPage();
  await signUp(bo, unique("Bo"));
  await bo.waitForFunction(() => localStorage.getItem("token"));
  const hers = bo.getByRole("listitem").filter({ hasText: text });
  await hers.getByRole("button").click();
  await hers.getByRole("button", { name: "★ 1" }).waitFor();
});
