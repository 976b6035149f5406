/**
 * Components in TypeScript as a push has them, for apps in Python: bundled with the esbuild that the project's npm
 * package `convex` brings, in the way that `npx convex` bundles them (components 3).
 *
 * Reads `{functions, components: [{specifier, from}]}` from standard input. Answers `{definitions, paths, files}`, where
 * `paths` are those of the components asked about, and `files` what it has read; or `{error}`.
 */
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const CONFIGS = ["convex.config.ts", "convex.config.js"];
const EXTENSIONS = [".js", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts", ".jsx"];
/** Marks what the plugin asks for itself. */
const ASKED = Symbol("asked");
const IS_CONFIG = /convex\.config/;

/** What the author can mend. */
class Refusal extends Error {}

/** @param {string} file */
const posix = (file) => file.split(path.sep).join(path.posix.sep);

/**
 * @param {string} functions
 * @param {string} folder
 */
function definitionPath(functions, folder) {
  return posix(path.relative(functions, folder));
}

/**
 * The esbuild of the project: its own, or that of its `convex`.
 *
 * @param {string[]} folders where to begin to look
 */
function findEsbuild(folders) {
  for (const folder of folders) {
    const places = [folder];
    for (let above = folder; ; above = path.dirname(above)) {
      const convex = path.join(above, "node_modules", "convex");
      if (fs.existsSync(convex)) places.unshift(fs.realpathSync(convex));
      if (above === path.dirname(above)) break;
    }
    for (const place of places) {
      try {
        return createRequire(path.join(place, "package.json"))("esbuild");
      } catch {
        // Another place may have it.
      }
    }
  }
  throw new Refusal(
    "Components in TypeScript are bundled with esbuild, which the npm package `convex` brings, and that is not in " +
      "node_modules here. Install it: npm install convex",
  );
}

/** The plugins of `npx convex`: what its runtime has instead of modules of Node.js, and WebAssembly. */
const SHIMS = {
  name: "shims",
  setup(/** @type {any} */ build) {
    build.onResolve({ filter: /^(node:)?async_hooks$/ }, (/** @type {any} */ args) => ({
      path: args.path,
      namespace: "async-hooks",
    }));
    build.onLoad({ filter: /.*/, namespace: "async-hooks" }, () => ({
      contents:
        "export const { AsyncLocalStorage, AsyncResource } = globalThis; " +
        "export default { AsyncLocalStorage, AsyncResource };",
    }));
    build.onResolve({ filter: /^server-only$/ }, (/** @type {any} */ args) => ({
      path: args.path,
      namespace: "empty",
    }));
    build.onLoad({ filter: /.*/, namespace: "empty" }, () => ({ contents: "" }));
    build.onResolve({ filter: /\.wasm$/ }, (/** @type {any} */ args) => {
      if (args.namespace === "wasm") return { path: args.path, namespace: "wasm-bytes" };
      return { path: path.resolve(args.resolveDir, args.path), namespace: "wasm" };
    });
    build.onLoad({ filter: /.*/, namespace: "wasm" }, (/** @type {any} */ args) => ({
      contents: `import bytes from ${JSON.stringify(args.path)};\nexport default new WebAssembly.Module(bytes);`,
    }));
    build.onLoad({ filter: /.*/, namespace: "wasm-bytes" }, (/** @type {any} */ args) => ({
      contents: fs.readFileSync(args.path),
      loader: "binary",
    }));
  },
};

/** Bundles the components that are asked for, and those that they use. */
class Bundler {
  /**
   * @param {any} esbuild
   * @param {string} functions the folder from which the paths of definitions lead
   */
  constructor(esbuild, functions) {
    this.esbuild = esbuild;
    this.functions = functions;
    /** @type {Map<string, object | null>} by the folders of their configs; null where it is still to be bundled */
    this.definitions = new Map();
    /** @type {Set<string>} */
    this.files = new Set();
  }

  /**
   * Bundle with the options that all bundles have in common.
   *
   * @param {object} options
   * @param {string} what for texts
   */
  async build(options, what) {
    let result;
    try {
      result = await this.esbuild.build({
        bundle: true,
        platform: "browser",
        format: "esm",
        target: "esnext",
        conditions: ["convex", "module"],
        write: false,
        metafile: true,
        keepNames: true,
        logLevel: "silent",
        ...options,
      });
    } catch (error) {
      const failures = /** @type {any} */ (error).errors;
      if (!Array.isArray(failures)) throw error;
      const lines = failures.slice(0, 5).map((/** @type {any} */ each) => {
        const at = each.location;
        return at ? `${at.file}:${at.line}: ${each.text}` : each.text;
      });
      throw new Refusal([`${what} cannot be bundled:`, ...lines].join("\n  "));
    }
    for (const input of Object.keys(result.metafile.inputs)) {
      const file = path.resolve(input.replace(/^[\w-]+:/, ""));
      if (fs.existsSync(file)) this.files.add(file);
    }
    return result;
  }

  /**
   * The plugin that finds the components that a config imports.
   *
   * @param {((folder: string) => void) | null} found hears of what the text asked for; null in a config
   */
  configs(found) {
    return {
      name: "configs",
      setup: (/** @type {any} */ build) => {
        build.onResolve({ filter: IS_CONFIG }, async (/** @type {any} */ args) => {
          // What this asks for itself, in another spelling, is for esbuild to find.
          if (args.kind === "entry-point" || args.pluginData === ASKED) return undefined;
          const file = await resolved(build, args);
          if (file === undefined) return undefined;
          const folder = path.dirname(file);
          if (!isComponent(folder)) return undefined;
          if (!this.definitions.has(folder)) this.definitions.set(folder, null);
          found?.(folder);
          const name = Buffer.from(definitionPath(this.functions, folder)).toString("base64url");
          return { path: `./_componentDeps/${name}`, external: true };
        });
      },
    };
  }

  /**
   * The folder of the component with this specifier.
   *
   * @param {string} specifier a package's name, or a folder that begins with a dot
   * @param {string} from where it is looked for
   */
  async find(specifier, from) {
    /** @type {string | undefined} */
    let folder;
    const contents = `import ${JSON.stringify(`${specifier}/convex.config.js`)};`;
    const plugin = this.configs((found) => {
      folder = found;
    });
    try {
      await this.build({ stdin: { contents, resolveDir: from }, plugins: [plugin] }, specifier);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
    }
    if (folder === undefined) {
      throw new Refusal(
        `The npm package ${specifier} is no component, or an old one: it has no convex.config. ` +
          "Install one that its documentation shows with `app.use(...)`.",
      );
    }
    return folder;
  }

  /** Bundle what has been found, and what that uses. */
  async finish() {
    for (;;) {
      const waiting = [...this.definitions].filter(([, bundled]) => bundled === null).map(([folder]) => folder);
      if (waiting.length === 0) return;
      for (const folder of waiting) this.definitions.set(folder, await this.component(folder));
    }
  }

  /** @param {string} folder */
  async component(folder) {
    const shown = definitionPath(this.functions, folder);
    const config = CONFIGS.map((name) => path.join(folder, name)).find((file) => fs.existsSync(file));
    const options = { entryPoints: [config], minify: true, plugins: [this.configs(null)], outdir: "out" };
    const { outputFiles } = await this.build(options, shown);
    const { modules, schema } = entryPoints(folder, shown);
    const shared = {
      jsx: "automatic",
      outdir: "out",
      outbase: folder,
      plugins: [SHIMS],
      sourcemap: true,
      sourcesContent: false,
      splitting: true,
      chunkNames: "_deps/[hash]",
      treeShaking: true,
      minifySyntax: true,
      minifyIdentifiers: true,
      define: { "process.env.NODE_ENV": '"production"' },
    };
    const bundles = [];
    if (modules.length > 0) bundles.push(await this.build({ ...shared, entryPoints: modules }, shown));
    if (schema !== undefined) {
      bundles.push(await this.build({ ...shared, splitting: false, entryPoints: [schema] }, shown));
    }
    return {
      path: shown,
      config: { path: "convex.config.js", source: outputFiles[0].text },
      modules: bundles.flatMap((bundle) => modulesOf(bundle.outputFiles)),
    };
  }
}

/**
 * The file of a config that is imported, in one of the spellings that authors use.
 *
 * @param {any} build
 * @param {any} args
 */
async function resolved(build, args) {
  const extension = path.extname(args.path);
  const spellings = [args.path];
  if (extension === ".js") spellings.push(`${args.path.slice(0, -3)}.ts`, args.path.slice(0, -3));
  if (extension !== ".js" && extension !== ".ts") spellings.push(`${args.path}.js`, `${args.path}.ts`);
  for (const spelling of spellings) {
    const found = await build.resolve(spelling, {
      kind: args.kind,
      resolveDir: args.resolveDir,
      pluginData: ASKED,
    });
    if (found.path && found.errors.length === 0) return found.path;
  }
  return undefined;
}

/** @param {string} folder */
function isComponent(folder) {
  return CONFIGS.some((name) => fs.existsSync(path.join(folder, name)));
}

/**
 * The files of a component that define functions, and the one that defines the schema (components 3.2).
 *
 * @param {string} folder
 * @param {string} shown
 */
function entryPoints(folder, shown) {
  const modules = [];
  const schema = ["schema.ts", "schema.js"].map((name) => path.join(folder, name)).find((file) => fs.existsSync(file));
  for (const file of filesBelow(folder)) {
    const name = path.basename(file);
    const isSkipped =
      !EXTENSIONS.some((extension) => name.endsWith(extension)) ||
      posix(path.relative(folder, file)).startsWith("_generated/") ||
      /^[.#]|^schema\.[jt]s$|\..*\.| /.test(name);
    if (isSkipped) continue;
    const source = fs.readFileSync(file, "utf8");
    if (/^\s*["']use node["'];?\s*$/m.test(source)) {
      throw new Refusal(
        `"use node" directive is not supported in components. Remove it from the component at: ${shown}.`,
      );
    }
    if (/\.tsx?$/.test(name) && !/^\s{0,100}(import|export)/m.test(source)) continue;
    modules.push(file);
  }
  return { modules, schema };
}

/**
 * @param {string} folder
 * @returns {Generator<string>}
 */
function* filesBelow(folder) {
  const entries = fs.readdirSync(folder, { withFileTypes: true });
  for (const entry of entries.sort((one, other) => (one.name < other.name ? -1 : 1))) {
    const place = path.join(folder, entry.name);
    if (entry.isFile()) yield place;
    if (entry.isDirectory() && entry.name !== "node_modules" && !fs.existsSync(path.join(place, CONFIGS[0]))) {
      yield* filesBelow(place);
    }
  }
}

/** @param {{path: string, text: string}[]} outputs */
function modulesOf(outputs) {
  const root = path.resolve("out");
  const texts = new Map(outputs.map((output) => [posix(path.relative(root, output.path)), output.text]));
  return [...texts]
    .filter(([name]) => !name.endsWith(".map"))
    .map(([name, source]) => ({ path: name, source, sourceMap: texts.get(`${name}.map`) ?? null }));
}

async function main() {
  const asked = JSON.parse(fs.readFileSync(0, "utf8"));
  const from = asked.components.map((/** @type {any} */ each) => each.from);
  const bundler = new Bundler(findEsbuild([asked.functions, ...from]), asked.functions);
  const paths = [];
  for (const each of asked.components) {
    paths.push(definitionPath(asked.functions, await bundler.find(each.specifier, each.from)));
  }
  await bundler.finish();
  return { definitions: [...bundler.definitions.values()], paths, files: [...bundler.files].sort() };
}

/** @type {object} */
let answer;
try {
  answer = await main();
} catch (error) {
  if (!(error instanceof Refusal)) throw error;
  answer = { error: error.message };
}
fs.writeSync(1, `${JSON.stringify(answer)}\n`);
