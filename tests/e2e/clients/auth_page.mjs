// Signing in on a page with ConvexProviderWithAuth: fresh tokens over the live socket, expiry, refusal, signing out.
import { ConvexHttpClient } from "convex/browser";
import { anyApi as api } from "convex/server";
import { setTimeout as pass } from "node:timers/promises";
import { withBrowser } from "./browser.mjs";
import { assert, url } from "./expectations.mjs";

const { ISSUER } = process.env;

async function sign(claims) {
  const response = await fetch(`${ISSUER}/token?${new URLSearchParams({ claims: JSON.stringify(claims) })}`);
  return await response.text();
}
const expiry = (token) => JSON.parse(Buffer.from(token.split(".")[1], "base64url")).exp * 1000;

await withBrowser(async (context) => {
  const page = await context.newPage();
  const said = [];
  page.on("console", (message) => said.push(message.text()));
  const fetched = [];
  let serial = 0;
  let issue = () => null;
  await page.exposeFunction("fetchToken", async (forced) => {
    const token = await issue(forced);
    fetched.push({ forced, token });
    return token;
  });
  await page.goto(`${url}/auth.html`);
  const me = page.getByLabel("Me");
  const state = page.getByLabel("State");
  const shows = (where, text) => where.getByText(text, { exact: true }).waitFor();
  const note = (text) => shows(page.getByLabel("Notes"), text);
  const sockets = () => page.evaluate(() => window.client.connectionState().connectionCount);
  const press = (name) => page.getByRole("button", { name, exact: true }).click();
  const outside = new ConvexHttpClient(url);
  await me.filter({ hasText: /^nobody$/ }).waitFor();
  await press("Add");
  await note("nobody: note 0");

  // Signed in. The client fetches a second token at once, and the next ten seconds before that one ends: one
  // second later here. Each is confirmed over the same socket, and the query shows whose it is.
  issue = () => sign({ name: "Ada", serial: ++serial, seconds: serial < 3 ? 11 : 600 });
  await press("Sign in");
  await state.filter({ hasText: /^signed in$/ }).waitFor();
  await me.filter({ hasText: /^Ada, token 3$/ }).waitFor();
  assert.deepEqual(fetched.map((each) => each.forced), [false, true, true]);
  assert.equal(await sockets(), 1);
  await press("Add");
  await note("Ada: note 1");
  await outside.mutation(api.who.add, { text: "from outside" });
  await note("nobody: from outside");

  // Signed out, over the same socket.
  await press("Sign out");
  await state.filter({ hasText: /^signed out$/ }).waitFor();
  await me.filter({ hasText: /^nobody$/ }).waitFor();
  assert.equal(await sockets(), 1);

  // A token that claims to be old already is not refreshed in time: it ends while in use, and the server says so when
  // it is used next. The client comes back with another, and what it wanted happens once.
  fetched.length = 0;
  serial = 10;
  const forgetful = await sign({ name: "Bo", serial: ++serial, seconds: 6, age: 10_000 });
  issue = (forced) => (forced && fetched.length > 1 ? sign({ name: "Bo", serial: ++serial }) : forgetful);
  await press("Sign in");
  await me.filter({ hasText: /^Bo, token 11$/ }).waitFor();
  await pass(Math.max(0, expiry(forgetful) - Date.now()));
  await press("Add");
  await note("Bo: note 3");
  await me.filter({ hasText: /^Bo, token 12$/ }).waitFor();
  assert.equal(await page.getByText("Bo: note 3", { exact: true }).count(), 1);
  assert.equal(await sockets(), 2);
  assert.equal(fetched.at(-1).forced, true);
  await press("Sign out");
  await me.filter({ hasText: /^nobody$/ }).waitFor();

  // Tokens that nobody believes: after a few attempts the client gives up, and goes on as nobody.
  fetched.length = 0;
  issue = () => sign({ name: "Eve", serial: ++serial, aud: "somebody-else" });
  await press("Sign in");
  while (!said.some((line) => line.includes("Failed to authenticate"))) await page.waitForEvent("console");
  assert.match(said.find((line) => line.includes("Failed to authenticate")), /No auth provider found/);
  assert.equal(fetched.length, 4);
  await state.filter({ hasText: /^signed out$/ }).waitFor();
  await press("Add");
  await note("nobody: note 4");
});

// Over HTTP a token goes with each request.
const client = new ConvexHttpClient(url);
assert.equal(await client.query(api.who.me), null);
client.setAuth(await sign({ name: "Ada", serial: 1 }));
assert.equal((await client.query(api.who.me)).name, "Ada");
assert.equal(await client.mutation(api.who.add, { text: "over HTTP" }), "Ada: over HTTP");
assert.equal((await client.action(api.who.asked)).name, "Ada");
for (const [claims, error] of [
  [{ seconds: -1 }, /Convex token identity expired/],
  [{ aud: "somebody-else" }, /No auth provider found matching the given token/],
]) {
  client.setAuth(await sign(claims));
  await assert.rejects(client.query(api.who.me), error);
}
client.clearAuth();
assert.equal(await client.query(api.who.me), null);
