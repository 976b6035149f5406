// Transitions far beyond one chunk, compressed or not, with small ones before and after.
import { Base, WebSocket, assert } from "./client.mjs";

class Plain extends WebSocket {
  constructor(address, protocols) {
    super(address, protocols, { perMessageDeflate: false });
  }
}

for (const constructor of [WebSocket, Plain]) {
  const base = new Base({ webSocketConstructor: constructor });
  const count = base.subscribe("messages:count");
  const large = base.subscribe("control:large", { bytes: 12_000_000 });
  const value = await large.until((text) => text);
  assert.equal(value.length, 6_000_000);
  assert.equal(value, "ö".repeat(6_000_000));
  const before = await count.until((number) => number !== undefined);
  await base.client.mutation("messages:send", { body: "x" });
  assert.equal(count.last, before + 1);
  assert.equal(large.values.length, 1, "an unchanged result is not sent again");
  await base.client.close();
}
