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

/** A page, and who signs in there: `issue(forced)` makes the tokens it gets. */
async function open(context) {
  const page = await context.newPage();
  const visitor = { page, said: [], fetched: [], issue: () => null };
  page.on("console", (message) => visitor.said.push(message.text()));
  await page.exposeFunction("fetchToken", async (forced) => {
    const token = await visitor.issue(forced);
    visitor.fetched.push({ forced, token });
    return token;
  });
  await page.goto(`${url}/auth.html`);
  const shows = (label, text) => page.getByLabel(label).getByText(text, { exact: true }).waitFor();
  return Object.assign(visitor, {
    isMe: (text) => shows("Me", text),
    state: (text) => shows("State", text),
    note: (text) => shows("Notes", text),
    press: (name) => page.getByRole("button", { name, exact: true }).click(),
    sockets: () => page.evaluate(() => window.client.connectionState().connectionCount),
  });
}

await withBrowser(async (context) => {
  const outside = new ConvexHttpClient(url);
  const ada = await open(context);
  await ada.isMe("nobody");
  await ada.press("Add");
  await ada.note("nobody: note 0");

  // A token that claims to be old already is not refreshed in time: it will end while it is in use.
  const bo = await open(context);
  let boSerial = 10;
  const forgetful = await sign({ name: "Bo", serial: ++boSerial, seconds: 10, age: 10_000 });
  bo.issue = (forced) => (forced && bo.fetched.length > 1 ? sign({ name: "Bo", serial: ++boSerial }) : forgetful);
  await bo.press("Sign in");
  await bo.isMe("Bo, token 11");

  // Signed in. The client fetches a second token at once, and the next ten seconds before that one ends: one
  // second later here. Each is confirmed over the same socket, and the query shows whose it is.
  let serial = 0;
  ada.issue = () => sign({ name: "Ada", serial: ++serial, seconds: serial < 3 ? 11 : 600 });
  await ada.press("Sign in");
  await ada.state("signed in");
  await ada.isMe("Ada, token 3");
  assert.deepEqual(
    ada.fetched.map((each) => each.forced),
    [false, true, true],
  );
  assert.equal(await ada.sockets(), 1);
  await ada.press("Add");
  await ada.note("Ada: note 1");
  await outside.mutation(api.who.add, { text: "from outside" });
  await ada.note("nobody: from outside");

  // Signed out, over the same socket.
  await ada.press("Sign out");
  await ada.state("signed out");
  await ada.isMe("nobody");
  assert.equal(await ada.sockets(), 1);

  // Tokens that nobody believes: after a few attempts the client gives up, and goes on as nobody.
  ada.fetched.length = 0;
  ada.issue = () => sign({ name: "Eve", serial: ++serial, aud: "somebody-else" });
  await ada.press("Sign in");
  while (!ada.said.some((line) => line.includes("Failed to authenticate"))) await ada.page.waitForEvent("console");
  assert.match(
    ada.said.find((line) => line.includes("Failed to authenticate")),
    /No auth provider found/,
  );
  assert.equal(ada.fetched.length, 4);
  await ada.state("signed out");
  await ada.press("Add");
  await ada.note("nobody: note 3");

  // The server says that a token has ended when it is used next. The client comes back with another, and what it
  // wanted happens once.
  await pass(Math.max(0, expiry(forgetful) - Date.now()));
  await bo.note("nobody: from outside");
  await bo.press("Add");
  await bo.note("Bo: note 4");
  await bo.isMe("Bo, token 12");
  assert.equal(await bo.page.getByText("Bo: note 4", { exact: true }).count(), 1);
  assert.equal(await bo.sockets(), 2);
  assert.equal(bo.fetched.at(-1).forced, true);
});

// Over HTTP a token goes with each request.
const client = new ConvexHttpClient(url);
assert.equal(await client.query(api.who.me), null);
client.setAuth(await sign({ name: "Ada", serial: 1 }));
assert.equal((await client.query(api.who.me)).name, "Ada");
assert.equal(await client.mutation(api.who.add, { text: "over HTTP" }), "Ada: over HTTP");
assert.equal((await client.action(api.who.asked)).name, "Ada");
for (const [claims, error] of [
  [{ seconds: -8 }, /Could not verify OIDC token claim: the token expired \d+ seconds ago/],
  [{ aud: "somebody-else" }, /No auth provider found matching the given token/],
]) {
  client.setAuth(await sign(claims));
  await assert.rejects(client.query(api.who.me), error);
}
client.clearAuth();
assert.equal(await client.query(api.who.me), null);
