/**
 * The Node.js host: runs TypeScript and JavaScript functions for the engine (docs/host-protocol.md).
 *
 *     node --experimental-vm-modules main.mjs --mode deterministic|action|node [--fd N]
 *
 * The socket shared with the engine is inherited; its number comes from --fd or PARABOLA_HOST_FD.
 */
import { parseArgs } from "node:util";
import { ActivityFile } from "./activity.mjs";
import { Channel } from "./channel.mjs";
import { realmOfPromise } from "./realm.mjs";
import { StepQueue } from "./steps.mjs";
import { TransactionalHost } from "./transactional_host.mjs";

process.env.TZ = "UTC";

const PROTOCOL = 1;
const { values: options } = parseArgs({ options: { mode: { type: "string", default: "deterministic" }, fd: { type: "string" } } });
const channel = new Channel({ fd: Number(options.fd ?? process.env.PARABOLA_HOST_FD) });
const steps = new StepQueue(new ActivityFile(process.env.PARABOLA_ACTIVITY));
const host = new TransactionalHost({ channel, steps });

process.on("unhandledRejection", (reason, promise) => {
  const realm = realmOfPromise(promise);
  const execution = realm === null ? steps.active : realm.execution;
  execution?.onUnhandledRejection(reason);
});

const handlers = {
  load(message) {
    host.load(message);
    channel.send({ type: "loaded", deployment: message.deployment });
  },
  run: (message) => host.run(message),
  reply: (message) => host.reply(message),
  cancel: (message) => host.cancel(message),
  shutdown: () => process.exit(0),
};

channel.listen(
  (message) => handlers[message.type]?.(message),
  () => process.exit(0),
);
channel.send({ type: "ready", protocol: PROTOCOL, language: "node", pid: process.pid, version: process.versions.node });
