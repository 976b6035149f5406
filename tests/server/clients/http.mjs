// ConvexHttpClient: each kind of call, errors of each class, and every value there and back.
import { ConvexError, ConvexHttpClient, api, assert, url } from "./client.mjs";

const client = new ConvexHttpClient(url, { logger: false });
assert.deepEqual(await client.query(api.messages.list), []);
assert.equal(await client.mutation(api.messages.send, { body: "hello" }), 1);
assert.deepEqual(await client.query(api.messages.list, {}), ["hello"]);
assert.deepEqual(await client.action(api.messages.act, { a: [1] }), { a: [1] });
assert.deepEqual(await client.consistentQuery(api.messages.list), ["hello"]);

const values = {
  nothing: null,
  yes: true,
  floats: [0, -0, 1, 1.5, -1e300, NaN, Infinity, -Infinity, Number.MAX_SAFE_INTEGER],
  integers: [0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n)],
  texts: ["", "ä€😀", "\u0000"],
  bytes: [new ArrayBuffer(0), new Uint8Array([0, 1, 255]).buffer],
  ["k".repeat(1024)]: {},
};
const echoed = await client.query(api.messages.echo, values);
assert.deepEqual(echoed, values);
assert.ok(Object.is(echoed.floats[1], -0));

await assert.rejects(client.query(api.messages.fail, {}), (error) => {
  assert.ok(!(error instanceof ConvexError));
  assert.match(error.message, /^\[Request ID: [0-9a-f]{16}\] Server Error\nUncaught ValueError: boom\n {4}at handler/);
  return true;
});
for (const data of [{ code: 3n }, "text", null]) {
  await assert.rejects(client.mutation(api.messages.failSend, { data }), (error) => {
    assert.ok(error instanceof ConvexError);
    assert.deepEqual(error.data, data);
    return true;
  });
}
await assert.rejects(client.query(api.users.secret, {}), /Could not find public function for 'users:secret'/);

assert.equal(await client.query(api.users.me, {}), null);
client.setAuth("alice");
assert.equal((await client.query(api.users.me, {})).subject, "alice");
client.setAuth("mallory");
await assert.rejects(client.query(api.users.me, {}), /NoAuthProvider/);
client.setAdminAuth("fake|0123", { issuer: "i", subject: "bob" });
assert.equal((await client.query(api.users.me, {})).tokenIdentifier, "i|bob");
assert.equal(await client.function(api.users.secret, "", {}), "internal");
