/**
 * Evaluates module graphs with Node's own loader, and prints what became of each.
 *
 *     node real_modules.mjs <folder>...      each with an entry.mjs that exports `f`
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const outcomes = [];
for (const folder of process.argv.slice(2)) {
  globalThis.log = [];
  try {
    const { f } = await import(pathToFileURL(join(folder, "main.js")));
    outcomes.push({ value: JSON.parse(JSON.stringify(f())), log: globalThis.log });
  } catch (error) {
    outcomes.push({ error: `${error.name}: ${error.message}` });
  }
}
process.stdout.write(JSON.stringify(outcomes));
