// setAuth, a token that is refused and replaced, one that is refused for good, and clearAuth.
import { Base, assert } from "./client.mjs";

async function me(tokens) {
  const base = new Base();
  const seen = base.subscribe("users:me");
  const asked = [];
  const changes = [];
  const fetch = async ({ forceRefreshToken }) => {
    asked.push(forceRefreshToken);
    return tokens[Math.min(asked.length, tokens.length) - 1];
  };
  base.client.setAuth(fetch, (authenticated) => changes.push(authenticated));
  return { base, seen, asked, changes };
}

{
  const { base, seen, changes } = await me(["alice"]);
  assert.equal((await seen.until((user) => user?.subject)).subject, "alice");
  assert.deepEqual(changes, [true]);
  base.client.clearAuth();
  await seen.until((user) => user === null);
  await base.client.close();
}
{
  const { base, seen, changes } = await me(["expired", "alice"]);
  assert.equal((await seen.until((user) => user?.subject)).subject, "alice");
  assert.deepEqual(changes, [true]);
  assert.equal(await base.client.mutation("messages:send", { body: "x" }), 1);
  await base.client.close();
}
{
  const { base, seen, changes } = await me(["mallory"]);
  await seen.until((user) => user === null);
  assert.deepEqual(changes, [false]);
  await base.client.close();
}
