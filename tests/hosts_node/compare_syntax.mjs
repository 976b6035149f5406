/**
 * Reads every module under a folder with the host's own reader and with V8, and prints where they differ.
 *
 *     node --experimental-vm-modules compare_syntax.mjs <host folder> <folder>
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import vm from "node:vm";

const [hostFolder, folder] = process.argv.slice(2);
const { readModuleSyntax, UnsupportedSyntax } = await import(
  pathToFileURL(join(hostFolder, "modules", "module_syntax.mjs"))
);
let compared = 0;
const different = [];
for (const name of readdirSync(folder, { recursive: true })) {
  if (!/\.m?js$/.test(name)) continue;
  let source;
  let expected;
  try {
    source = readFileSync(join(folder, name), "utf8");
    expected = new vm.SourceTextModule(source).dependencySpecifiers;
  } catch {
    continue; // not a module
  }
  try {
    const found = readModuleSyntax(source).requests;
    const list = (specifiers) => [...new Set(specifiers)].sort().join();
    if (list(found) !== list(expected)) different.push(`${name}: ${list(found)} for ${list(expected)}`);
    compared += 1;
  } catch (error) {
    if (!(error instanceof UnsupportedSyntax)) different.push(`${name}: ${error.message}`);
  }
}
process.stdout.write(JSON.stringify({ compared, different }));
