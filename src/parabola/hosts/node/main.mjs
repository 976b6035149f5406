/**
 * The Node.js host: runs TypeScript and JavaScript functions for the engine (docs/explanation/host-protocol.md).
 *
 *     node --experimental-vm-modules main.mjs --environment isolate|node [--compile-later] [--fd N]
 *
 * The socket shared with the engine is inherited; its number comes from --fd or PARABOLA_HOST_FD. --compile-later is for
 * hosts that run one call: they compile what it needs, and the rest in idle time.
 */
import { parseArgs } from "node:util";
import { ActivityFile } from "./activity.mjs";
import { Channel } from "./channel.mjs";
import { StepQueue } from "./executions/steps.mjs";

process.env.TZ = "UTC";

const PROTOCOL = 1;
const { values: options } = parseArgs({
  options: {
    environment: { type: "string", default: "isolate" },
    "compile-later": { type: "boolean", default: false },
    fd: { type: "string" },
  },
});
const channel = new Channel(Number(options.fd ?? process.env.PARABOLA_HOST_FD));
const activity = new ActivityFile(process.env.PARABOLA_ACTIVITY);
process.on("exit", () => activity.remove());
const steps = new StepQueue(activity);
channel.isBusy = () => steps.isBusy;
steps.beforeLong = steps.beforeIdle = () => channel.flush();
const host =
  options.environment === "node"
    ? new (await import("./node_host.mjs")).NodeHost({ channel })
    : new (await import("./isolate_host.mjs")).IsolateHost({ channel, steps, compilesLater: options["compile-later"] });

process.on("unhandledRejection", (reason, promise) => host.onUnhandledRejection(reason, promise));
process.on("uncaughtException", (error) => host.onUncaughtException(error));

channel.listen(
  (message) => {
    if (message.type === "shutdown") process.exit(0);
    // An analysis answers later by itself, failures included.
    void host.receive(message);
  },
  () => process.exit(0),
);
channel.send({
  type: "ready",
  protocol: PROTOCOL,
  language: "node",
  pid: process.pid,
  version: process.versions.node,
  tellsOfCalm: options.environment === "node",
});
