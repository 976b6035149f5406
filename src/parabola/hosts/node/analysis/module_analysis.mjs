/** What modules define: their functions, HTTP routes and cron jobs (deploy-api 7.2). */
import { FunctionLocations } from "./function_locations.mjs";
import { CallError } from "../function_path.mjs";
import { limits } from "../limits.mjs";
import { ImportExecution } from "../executions/import_execution.mjs";
import { checkDescription, UnsendableValue } from "../outgoing_values.mjs";
import { evaluateModule } from "./module_evaluation.mjs";
/** @import { Deployment } from "../deployment.mjs" */
/** @import { ModuleSet } from "../modules/module_set.mjs" */
/** @import { AnalyzedFunction, AnalyzedModule, Position, Reads, UserValue } from "../types/protocol" */
/** @import { SourcePositions } from "../stack_frames.mjs" */

/** @type {Record<string, string>} */
const KINDS = { isQuery: "Query", isMutation: "Mutation", isAction: "Action" };
const WEEKDAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
/** Modules with an analysis of their own. */
export const CONFIGURATION = new Set(["schema.js", "auth.config.js", "convex.config.js"]);

/** @type {AnalyzedModule} */
const EMPTY = { functions: [], httpRoutes: null, cronSpecs: null, sourceMapped: null };

/** @typedef {(target: UserValue) => Position|null} FindPosition */

/**
 * @typedef {object} Located  a module whose positions are to be found
 * @property {string} path
 * @property {SourcePositions|null} sourceMap
 * @property {{url: string, sourceMap: SourcePositions}|null} [shifted]
 */

/**
 * @param {Deployment} deployment
 * @param {string[]|undefined} paths  the modules to analyse; by default all
 * @param {(path: string) => void} onModule  called before a module is evaluated
 * @returns {Promise<{modules: Record<string, AnalyzedModule>, reads: Record<string, Reads>}>} by path
 */
export async function analyzeModules(deployment, paths, onModule) {
  const { modules } = deployment;
  const asked = paths ?? modules.paths.filter((one) => !one.startsWith("_deps/"));
  /** @type {Record<string, AnalyzedModule>} */
  const analyzed = {};
  /** @type {Record<string, Reads>} */
  const reads = {};
  const locations = new FunctionLocations();
  try {
    for (const path of [...asked].sort()) {
      if (path === "auth.config.js") {
        analyzed[path] = EMPTY;
        reads[path] = { imports: [path], variables: [], isFixed: true };
      }
      if (CONFIGURATION.has(path)) continue;
      const options = { prefix: `Failed to analyze ${path}: `, seconds: limits.moduleSeconds };
      onModule(path);
      const execution = new ImportExecution(deployment, "analysis");
      analyzed[path] = await evaluateModule(modules, path, execution, options, (namespace) =>
        describeModule(namespace, path, (target) => {
          const module = modules.get(path);
          return positionOf(target, module, module.url, locations);
        }),
      );
      reads[path] = readsOf(modules, path, execution);
    }
  } finally {
    locations.close();
  }
  return { modules: analyzed, reads };
}

/**
 * What an analysis depends on beside the module's own text.
 * @param {ModuleSet} modules
 * @param {string} path
 * @param {ImportExecution} execution
 * @returns {Reads}
 */
function readsOf(modules, path, execution) {
  const { envRead, usedClock, usedRandom } = execution;
  return { imports: modules.graph(path), variables: [...envRead], isFixed: !usedClock && !usedRandom };
}

/** @param {UserValue} namespace @param {string} path @param {FindPosition} position */
function describeModule(namespace, path, position) {
  /** @type {AnalyzedModule} */
  const described = {
    /** @type {AnalyzedFunction[]} */
    functions: describeFunctions(namespace, position),
    httpRoutes: path === "http.js" ? describeRoutes(namespace.default, position) : null,
    ...(path === "http.js" && hasOwnLookup(namespace.default) && { ownLookup: true }),
    cronSpecs: path === "crons.js" ? describeCrons(namespace.default) : null,
    sourceMapped: null,
  };
  if (namespace.experimental_reuseContext === true) described.reuseContext = true;
  return described;
}

/**
 * The registered functions of a namespace; those at an unknown place first, the others in the order of the text.
 * @param {UserValue} namespace
 * @param {FindPosition} position
 */
export function describeFunctions(namespace, position) {
  const functions = [];
  for (const name of Object.getOwnPropertyNames(namespace)) {
    const target = namespace[name];
    if ((typeof target !== "object" || target === null) && typeof target !== "function") continue;
    const flags = Object.keys(KINDS).filter((flag) => target[flag] === true);
    if (flags.length !== 1 || (target.isPublic === true && target.isInternal === true)) continue;
    functions.push({
      name,
      pos: position(target),
      udfType: KINDS[flags[0]],
      visibility: visibilityOf(target),
      args: exportedText(target, "exportArgs", name),
      returns: exportedText(target, "exportReturns", name),
    });
  }
  const key = (/** @type {AnalyzedFunction} */ { pos }) => (pos === null ? -1 : pos.start_lineno * 1e6 + pos.start_col);
  return functions.sort((a, b) => key(a) - key(b));
}

/** @param {UserValue} target @returns {AnalyzedFunction["visibility"]} */
function visibilityOf(target) {
  if (target.isPublic === true) return { kind: "public" };
  return target.isInternal === true ? { kind: "internal" } : null;
}

/** @param {UserValue} target @param {string} method @param {string} name @returns {string|null} */
function exportedText(target, method, name) {
  if (target[method] === undefined) return null;
  const text = typeof target[method] === "function" ? target[method]() : undefined;
  if (typeof text !== "string") throw new CallError(`\`${method}\` of \`${name}\` does not return a string`);
  // What is no JSON is for the engine to refuse, in the words for validators.
  if (!isJson(text)) return text;
  try {
    checkDescription(text);
  } catch (error) {
    throw error instanceof UnsendableValue ? new CallError(`\`${method}\` of \`${name}\`: ${error.message}`) : error;
  }
  return text;
}

/** @param {string} text */
function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * Where a function is written in the author's file; null when its code is not in this module, loaded from `url`.
 * @param {UserValue} target
 * @param {Located} module
 * @param {string} url
 * @param {FunctionLocations} locations
 * @returns {Position|null}
 */
export function positionOf(target, module, url, locations) {
  const handler = typeof target._handler === "function" ? target._handler : target;
  if (typeof handler !== "function") return null;
  const place = locations.find(handler);
  if (place === null) return null;
  const source = place.url === url ? module : place.url === module.shifted?.url ? module.shifted : null;
  const found = source?.sourceMap?.lookup(place.line, place.column);
  return found ? { path: module.path, start_lineno: found.line, start_col: found.column } : null;
}

const NO_ROUTES = "must give a list of `[path, method, handler]`.";

/** @param {UserValue} router @param {FindPosition} position */
function describeRoutes(router, position) {
  if (router === undefined) throw new CallError("`convex/http.js` must have a default export of a Router.");
  if (router?.isRouter !== true) throw new CallError("The default export of `convex/http.js` is not a Router.");
  if (typeof router.getRoutes !== "function") throw new CallError("The router of `convex/http.js` has no `getRoutes`.");
  return Array.from(router.getRoutes() ?? [], (route) => {
    const [path, method, handler] = Array.isArray(route) ? route : [];
    if (typeof path !== "string" || typeof method !== "string" || (handler ?? null) === null)
      throw new CallError(`\`getRoutes\` of the router of \`convex/http.js\` ${NO_ROUTES}`);
    return { route: { path, method }, pos: position(handler) };
  });
}

/**
 * Whether a router finds its routes in a way of its own, so that it must be asked for every request: a subclass
 * or wrapper of the library's class, or another class altogether. The library's functions are told by their text.
 * @param {UserValue} router
 */
function hasOwnLookup(router) {
  try {
    let prototype = Object.getPrototypeOf(router);
    for (let next; Object.getPrototypeOf((next = Object.getPrototypeOf(prototype))) !== null;) prototype = next;
    const plain = new prototype.constructor();
    if (typeof plain.exactRoutes.get !== "function" || typeof plain.prefixRoutes.get !== "function") return true;
    return ["lookup", "getRoutes", "runRequest"].some((name) => String(plain[name]) !== String(router[name]));
  } catch {
    return true;
  }
}

/** @param {UserValue} crons */
function describeCrons(crons) {
  if (crons === undefined) throw new CallError("`convex/crons.js` must have a default export of a Crons object.");
  if (crons?.isCrons !== true) throw new CallError("The default export of `convex/crons.js` is not a Crons object.");
  return Object.entries(checkDescription(crons.export())).map(([identifier, { name, args, schedule }]) => {
    const [module, fn = "default"] = name.split(":");
    return {
      identifier,
      spec: {
        udfPath: `${module.endsWith(".js") ? module : `${module}.js`}:${fn}`,
        udfArgs: [...Buffer.from(JSON.stringify(args))],
        cronSchedule: storedSchedule(schedule),
      },
    };
  });
}

/** A schedule as it is stored: one unit for intervals, numbers for weekdays. @param {UserValue} schedule */
function storedSchedule({ type, ...rest }) {
  switch (type) {
    case "interval":
      return { type, seconds: (rest.seconds ?? 0) + 60 * (rest.minutes ?? 0) + 3600 * (rest.hours ?? 0) };
    case "cron":
      return { type, cronExpr: rest.cron };
    case "weekly":
      return { type, ...rest, dayOfWeek: WEEKDAYS.indexOf(rest.dayOfWeek) };
    default:
      return { type, ...rest };
  }
}
