/** What the configuration files say: the schema, the identity providers, the app and its components (deploy-api 7). */
import { ConfigExecution } from "../executions/config_execution.mjs";
import { Refusal } from "../executions/execution.mjs";
import { CallError } from "../function_path.mjs";
import { limits } from "../limits.mjs";
import { AnalysisError, evaluateModule } from "./module_evaluation.mjs";
import { ModuleSet } from "../modules/module_set.mjs";
import { checkDescription } from "../outgoing_values.mjs";
import { withUniqueIndexes } from "./unique_indexes.mjs";
/** @import { Deployment } from "../deployment.mjs" */
/** @import { ReadEnv } from "../executions/config_execution.mjs" */
/** @import { GivenDefinition, GivenModule, ModuleText, UserValue } from "../types/protocol" */

const COMPONENT_DEPENDENCIES = "_componentDeps/";
const MISSING_VARIABLE = "AuthConfigMissingEnvironmentVariable";

/**
 * A module given with the question, or the loaded one.
 * @param {Deployment} deployment
 * @param {ModuleText|undefined} given
 * @param {string} path
 */
function moduleSet(deployment, given, path) {
  if (given !== undefined) return new ModuleSet([{ ...given, path }]);
  return deployment?.modules.has(path) ? deployment.modules : null;
}

/**
 * @param {Deployment} deployment
 * @param {ModuleText} [given]
 * @returns {Promise<object|null>} the schema's JSON (deploy-api 7.4); null without a schema
 */
export async function analyzeSchema(deployment, given) {
  const modules = moduleSet(deployment, given, "schema.js");
  if (modules === null) return null;
  const readEnv = () => {
    throw new Refusal("Environment variables unsupported when evaluating schema");
  };
  const execution = new ConfigExecution(deployment, { file: "schema", hasClock: true, readEnv });
  const options = { prefix: "Failed to analyze schema.js: ", seconds: limits.configSeconds };
  return evaluateModule(modules, "schema.js", execution, options, (namespace) => {
    const schema = namespace.default;
    if (typeof schema?.export !== "function") {
      throw new CallError(
        "`convex/schema.js` must have a default export of a schema: write `export default defineSchema({...})`.",
      );
    }
    return withUniqueIndexes(checkDescription(schema.export()), schema.tables);
  });
}

/**
 * @param {Deployment} deployment
 * @param {ModuleText} [given]
 * @returns {Promise<object[]>} the providers of auth.config.js
 */
export async function analyzeAuth(deployment, given) {
  const modules = moduleSet(deployment, given, "auth.config.js");
  if (modules === null) return [];
  /** @type {ReadEnv} */
  const readEnv = (name, asking) => {
    const value = deployment.env(name);
    if (value !== undefined) return value;
    asking.failureCode = MISSING_VARIABLE;
    const message = `Environment variable ${name} is used in auth config file but its value was not set`;
    asking.fatal(message);
    throw new Refusal(message);
  };
  const execution = new ConfigExecution(deployment, { file: "auth config file", hasClock: false, readEnv });
  return evaluateModule(
    modules,
    "auth.config.js",
    execution,
    { prefix: "", seconds: limits.configSeconds },
    (namespace) => {
      const config = namespace.default;
      if (config === undefined) {
        throw new CallError(
          "auth config file is missing default export. The default export must be an object with a `providers` list: " +
            "`export default { providers: [] }`.",
        );
      }
      const providers = checkDescription(JSON.stringify(config) ?? "null")?.providers;
      if (!Array.isArray(providers)) {
        throw new CallError(
          'auth config file must include a list of provider credentials: `export default { providers: [{ domain: "...", applicationID: "..." }] }`.',
        );
      }
      return providers;
    },
  );
}

/**
 * Evaluates component definitions, children first.
 * @param {GivenDefinition[]} definitions  path "" is the app
 * @param {Deployment} deployment
 * @returns {Promise<Record<string, UserValue>>} path -> evaluated definition (deploy-api 7.1)
 */
export async function analyzeDefinitions(deployment, definitions) {
  const byPath = new Map(definitions.map((one) => [one.path, one.module]));
  /** @type {Record<string, UserValue>} */
  const evaluated = {};
  const onPath = new Set();
  /** @param {string} path @returns {Promise<void>} */
  const visit = async (path) => {
    if (Object.hasOwn(evaluated, path)) return;
    if (onPath.has(path)) throw new AnalysisError("Found cyclic definition dependency");
    const module = byPath.get(path);
    if (module === undefined) throw new AnalysisError(`Component definition ${path} is not part of the push`);
    onPath.add(path);
    const children = childDefinitions(module.source);
    for (const child of children) await visit(child.path);
    onPath.delete(path);
    const stubs = children.map((child) => ({ path: child.module, source: stub(child.path, evaluated[child.path]) }));
    evaluated[path] = await evaluateDefinition(deployment, path, module, stubs);
  };
  for (const { path } of definitions) await visit(path);
  return evaluated;
}

/**
 * The child definitions that a config imports: their specifiers carry the path in base64url.
 * @param {string} source
 */
function childDefinitions(source) {
  const found = new Map();
  for (const [, encoded] of source.matchAll(/["'`]\.\/_componentDeps\/([A-Za-z0-9_=-]*)["'`]/g)) {
    found.set(encoded, {
      path: Buffer.from(encoded, "base64url").toString(),
      module: COMPONENT_DEPENDENCIES + encoded,
    });
  }
  return [...found.values()];
}

/**
 * What a config sees in place of a child's definition.
 * @param {string} path
 * @param {UserValue} definition
 */
function stub(path, definition) {
  const name = definition.definitionType.name ?? definition.name;
  return `const definition = {
    export: () => (${JSON.stringify(definition)}),
    componentDefinitionPath: ${JSON.stringify(path)},
    defaultName: ${JSON.stringify(name)},
  };
  export { definition as default };`;
}

/**
 * @param {Deployment} deployment
 * @param {string} path
 * @param {ModuleText} module
 * @param {GivenModule[]} stubs
 * @returns {Promise<object>}
 */
async function evaluateDefinition(deployment, path, module, stubs) {
  const isApp = path === "";
  const modules = new ModuleSet([{ ...module, path: "convex.config.js" }, ...stubs]);
  /** @type {ReadEnv} */
  const readEnv = (name) => {
    if (isApp) return deployment.env(name);
    throw new Refusal(
      "Environment variables are only supported in the app's convex.config.ts. " +
        "Learn more at https://docs.convex.dev/components/authoring#environment-variables",
    );
  };
  const execution = new ConfigExecution(deployment, { file: "app definition", hasClock: false, readEnv });
  const label = isApp ? "convex.config.js" : `${path}/convex.config.js`;
  const options = { prefix: `Failed to analyze ${label}: `, seconds: limits.configSeconds };
  return evaluateModule(modules, "convex.config.js", execution, options, (namespace) => {
    const names = Object.getOwnPropertyNames(namespace);
    const definition = namespace.default;
    if (names.length !== 1 || names[0] !== "default" || typeof definition?.export !== "function") {
      throw new CallError(
        "convex.config.js must have exactly one export, the default export of an app or component definition.",
      );
    }
    return { path, ...checkDescription(JSON.stringify(definition.export())) };
  });
}
