/**
 * Bundles functions as the Convex CLI does (deploy-api 5.2), and prints them as JSON.
 *
 *     node bundle.mjs <packages folder> <working folder> <functions folder> [inline name=source...]
 */
import { createRequire } from "node:module";
import { readdirSync } from "node:fs";
import { join } from "node:path";

const [packages, folder, functions] = process.argv.slice(2);
const esbuild = createRequire(join(packages, "index.js"))("esbuild");
const files = readdirSync(join(folder, functions), { withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => `${functions}/${entry.name}`);
const APART = /\/(schema|auth\.config|convex\.config)\./;

async function bundle(entryPoints, options) {
  const result = await esbuild.build({
    entryPoints,
    bundle: true,
    format: "esm",
    target: "esnext",
    jsx: "automatic",
    outdir: "out",
    outbase: functions,
    absWorkingDir: folder,
    nodePaths: [packages],
    conditions: ["convex", "module"],
    write: false,
    sourcemap: true,
    sourcesContent: false,
    splitting: true,
    treeShaking: true,
    minifySyntax: true,
    minifyIdentifiers: true,
    keepNames: true,
    define: { "process.env.NODE_ENV": '"production"' },
    logLevel: "error",
    ...options,
  });
  const bundled = new Map();
  for (const { path, text } of result.outputFiles) {
    const name = path.slice(join(folder, "out").length + 1);
    const key = name.replace(/\.map$/, "");
    const module = bundled.get(key) ?? { path: key };
    module[name.endsWith(".map") ? "sourceMap" : "source"] = text;
    bundled.set(key, module);
  }
  return [...bundled.values()];
}

const isNode = functions.endsWith("_node");
const platform = isNode
  ? { platform: "node", chunkNames: "_deps/node/[hash]" }
  : { platform: "browser", chunkNames: "_deps/[hash]" };
const entries = files.filter((file) => !APART.test(file));
const modules = await bundle(entries, platform);
for (const file of files.filter((one) => APART.test(one))) {
  modules.push(...(await bundle([file], { ...platform, splitting: false })));
}
process.stdout.write(JSON.stringify(modules));
