// An app on the libraries that Convex apps use most, with the official clients.
import assert from "node:assert/strict";
import { ConvexClient, ConvexHttpClient } from "convex/browser";
import { anyApi as api } from "convex/server";

const { DEPLOYMENT_URL: url, SITE_URL: site } = process.env;
const client = new ConvexHttpClient(url);

// Triggers, rate limits, relationships: all in the mutation's own transaction.
const [a, b] = [
  await client.mutation(api.posts.open, { name: "a" }),
  await client.mutation(api.posts.open, { name: "b" }),
];
const post = (channel, text) => client.mutation(api.posts.post, { channel, text });
assert.deepEqual([await post(a, "first"), await post(b, "second"), await post(a, "# aside")], [true, true, true]);
assert.deepEqual([await post(a, "the third"), await post(a, "too many")], [true, false]);
assert.equal(await client.query(api.posts.count, { name: "a" }), 3);
await client.mutation(api.posts.remove, { name: "a" });
assert.equal(await client.query(api.posts.count, { name: "a" }), 2);

// Pages that the library makes by itself, from one index and from several at once.
const pages = async (query, args) => {
  const texts = [];
  let cursor = null;
  for (let isDone = false; !isDone;) {
    const page = await client.query(query, { ...args, paginationOpts: { numItems: 1, cursor } });
    texts.push(...page.page);
    ({ isDone, continueCursor: cursor } = page);
  }
  return texts;
};
assert.deepEqual(await pages(api.posts.page, { channel: a }), ["# aside", "the third"]);
assert.deepEqual(await pages(api.posts.timeline, { channels: [a, b] }), ["second", "the third"]);
assert.deepEqual(await client.query(api.posts.long, {}), ["second", "# aside", "the third"]);

assert.equal(await client.query(api.posts.shout, { email: "ann@example.com" }), "ANN@EXAMPLE.COM");
await assert.rejects(
  client.query(api.posts.shout, { email: "ann" }),
  (error) => error.data.ZodError[0].path[0] === "email",
);

// Accounts: passwords are hashed in actions, tokens are signed here and checked against this deployment's own keys.
const account = { email: "ann@example.com", password: "correct horse" };
const signIn = (flow, params = account) =>
  client.action(api.auth.signIn, { provider: "password", params: { ...params, flow } });
const { tokens } = await signIn("signUp");
await assert.rejects(signIn("signIn", { ...account, password: "another one" }), /InvalidSecret/);
assert.equal(await client.query(api.auth.me, {}), null);
client.setAuth((await signIn("signIn")).tokens.token);
assert.equal(await client.query(api.auth.me, {}), account.email);
const renewed = await client.action(api.auth.signIn, { refreshToken: tokens.refreshToken });

const live = new ConvexClient(url);
live.setAuth(async () => renewed.tokens.token);
await new Promise((resolve) => live.onUpdate(api.auth.me, {}, (email) => email === account.email && resolve()));
await live.action(api.auth.signOut, {});
await live.close();

const found = await (await fetch(`${site}/.well-known/openid-configuration`)).json();
assert.equal(found.issuer, site);
const headers = { origin: "https://app.example" };
const echo = await fetch(`${site}/echo`, { method: "POST", body: "hello", headers });
assert.deepEqual([await echo.text(), echo.headers.get("access-control-allow-origin")], ["hello", headers.origin]);
