// What the official clients make of a server that ends while it runs what they have asked for, and comes back.
import assert from "node:assert/strict";
import { writeFileSync, existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { ConvexClient, ConvexHttpClient } from "convex/browser";

const { DEPLOYMENT_URL: url, WORD } = process.env;
const client = new ConvexClient(url, { logger: false });
const http = new ConvexHttpClient(url, { logger: false });

async function outcome(promise) {
  try {
    return { value: await promise };
  } catch (error) {
    return { error: String(error.message) };
  }
}

await client.query("jobs:counts", {});
const overSocket = outcome(client.action("jobs:slow", { who: "socket" }));
const overHttp = outcome(http.action("jobs:slow", { who: "http" }));
const written = outcome(client.mutation("jobs:busy", { rounds: 600 }));
for (;;) {
  const { began } = await http.query("jobs:counts", {});
  if (began.length === 2) break;
  await sleep(20);
}
writeFileSync(WORD, "everything runs");
const [socket, byHttp] = await Promise.all([overSocket, overHttp]);
assert.match(socket.error, /The server was shut down while this action was running/);
assert.match(byHttp.error, /"code":"ServerShutdown"/);
while (existsSync(WORD)) await sleep(20); // until there is a server again
assert.deepEqual(await written, { value: "written" });
const counts = await client.query("jobs:counts", {});
assert.deepEqual(counts, { began: ["http", "socket"], written: 1 });
await client.close();
