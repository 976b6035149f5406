// The page of the chat examples: two people signed in, and everything the app can do, as they see it.
import { withBrowser } from "./browser.mjs";
import { assert, url } from "./expectations.mjs";

const { ISSUER, SITE_URL, WEBHOOK_SECRET, SCREENSHOT } = process.env;
const DOT = Buffer.from(
  '<svg xmlns="http://www.w3.org/2000/svg" width="160" height="80"><rect width="160" height="80" fill="#4f46e5"/><circle cx="80" cy="40" r="24" fill="#fff"/></svg>',
);

await withBrowser(async (context) => {
  const [ada, bo] = [await context.newPage(), await context.newPage()];

  // Without an issuer nobody is signed in, and the page says why.
  await ada.goto(`${url}/?issuer=${encodeURIComponent("http://127.0.0.1:1")}`);
  await ada.getByLabel("Your name").fill("Ada");
  await ada.getByRole("button", { name: "Sign in" }).click();
  await ada.getByRole("alert").getByText("gives no token").waitFor();

  for (const [page, name] of [
    [ada, "Ada"],
    [bo, "Bo"],
  ]) {
    await page.goto(`${url}/index.html?issuer=${encodeURIComponent(ISSUER)}`);
    await page.getByLabel("Your name").fill(name);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("button", { name: "# general" }).waitFor();
  }
  const message = (page, text) => page.getByLabel("Messages").getByText(text, { exact: true });
  const say = async (page, text) => {
    await page.getByLabel("Message", { exact: true }).fill(text);
    await page.getByRole("button", { name: "Send" }).click();
  };

  // Typing shows on the other page, and stops by itself.
  await ada.getByLabel("Message", { exact: true }).fill("Hello");
  await bo.getByText("Ada is typing…").waitFor();
  await bo.getByText("Ada is typing…").waitFor({ state: "hidden" });
  await say(ada, "Hello Bo");
  await message(bo, "Hello Bo").waitFor();
  await say(bo, "Hello Ada");
  await message(ada, "Hello Ada").waitFor();

  // An attachment is uploaded by one and seen by the other.
  await bo.getByLabel("Attach a file").setInputFiles({ name: "dot.svg", mimeType: "image/svg+xml", buffer: DOT });
  const image = ada.getByRole("img", { name: "dot.svg" });
  await image.waitFor();
  await image.evaluate((element) => element.decode());
  const file = await image.getAttribute("src");

  // An action answers a command, a scheduled function another, and a wrong one is refused as a whole.
  await say(ada, "/weather Oslo");
  await message(bo, "Oslo: sunny, 9 °C").waitFor();
  await say(bo, "/remind 1s stand up");
  await message(ada, "@Bo: stand up").waitFor();
  await say(bo, "/dance");
  await bo.getByRole("status").getByText("Commands: /weather CITY, /remind 10m TEXT").waitFor();
  assert.equal(await message(bo, "/dance").count(), 0);
  assert.equal(await bo.getByLabel("Message", { exact: true }).inputValue(), "/dance");

  // Another program says something, if it knows the secret.
  const post = (secret, channel) =>
    fetch(`${SITE_URL}/webhook`, {
      method: "POST",
      headers: { "X-Secret": secret },
      body: JSON.stringify({ channel, author: "CI", text: "The build is green" }),
    });
  assert.equal((await post("guess", "general")).status, 401);
  assert.equal((await post(WEBHOOK_SECRET, "nowhere")).status, 404);
  assert.equal((await post(WEBHOOK_SECRET, "general")).status, 204);
  await message(ada, "The build is green").waitFor();
  if (SCREENSHOT) await ada.screenshot({ path: SCREENSHOT });

  // A second channel, and more messages in it than a page has.
  await bo.getByLabel("New channel").fill("#");
  await bo.getByLabel("New channel").press("Enter");
  await bo.getByLabel("New channel").fill("# Numbers");
  await bo.getByLabel("New channel").press("Enter");
  await bo.locator("header", { hasText: "# numbers" }).waitFor();
  for (let number = 1; number <= 17; number += 1) {
    await say(bo, `number ${number}`);
    await message(bo, `number ${number}`).waitFor();
  }
  await ada.getByRole("button", { name: "# numbers" }).click();
  await message(ada, "number 17").waitFor();
  assert.equal(await message(ada, "number 2").count(), 0);
  await ada.getByRole("button", { name: "Earlier messages" }).click();
  await message(ada, "number 1").waitFor();

  // Signed out, nothing is left on the page.
  await bo.getByRole("button", { name: "Sign out" }).click();
  await bo.getByLabel("Your name").waitFor();
  console.log(JSON.stringify({ file }));
});
