/** Prints what every program gives in Node.js itself. */
import { AsyncLocalStorage } from "node:async_hooks";
import { inActions, outcome } from "./probes.mjs";

Object.assign(globalThis, { AsyncLocalStorage, self: globalThis });
const outcomes = {};
for (const [name, program] of Object.entries(inActions)) outcomes[name] = await outcome(program, process.argv[2]);
process.stdout.write(JSON.stringify(outcomes), () => process.exit(0));
