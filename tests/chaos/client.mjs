// An official client that calls mutations one after another and follows a query, whatever becomes of its connection.
// What it does and sees it says in lines of JSON; `stop` on its input has it finish what it has begun.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const load = createRequire(`${process.env.PARABOLA_NODE_MODULES}/parabola.cjs`);
const { ConvexClient } = load("convex/browser");
const { anyApi: api } = load("convex/server");
const WebSocket = load("ws");

const [, , url, name, seedText] = process.argv;
let seed = Number(seedText);
const random = (below) => {
  seed = (seed * 1103515245 + 12345) % 2147483648;
  return Math.floor((seed / 2147483648) * below);
};
const say = (line) => process.stdout.write(`${JSON.stringify({ ...line, client: name })}\n`);
const kinds = ["add", "add", "remove", "sum", "first", "count"];

const client = new ConvexClient(url, { webSocketConstructor: WebSocket, unsavedChangesWarning: false, logger: false });
client.onUpdate(api.chaos.slots, {}, (value) => say({ kind: "seen", value, at: Date.now() }));

let stopped = false;
createInterface({ input: process.stdin }).on("line", () => (stopped = true));

for (let at = 0; !stopped; at++) {
  const key = `${name}.${at}`;
  const steps = Array.from({ length: 1 + random(3) }, () => [kinds[random(kinds.length)], random(4)]);
  const program = JSON.stringify(steps);
  const job = random(4) === 0;
  const began = Date.now();
  say({ kind: "began", key });
  try {
    await client.mutation(api.chaos.run, { key, program, job });
    say({ kind: "acknowledged", key, job, began, ended: Date.now() });
  } catch (error) {
    say({ kind: "failed", key, error: String(error) });
  }
}
say({ kind: "done" });
