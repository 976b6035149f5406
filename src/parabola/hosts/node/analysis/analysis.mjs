/** Answers `analyze` (docs/explanation/host-protocol.md). */
import { analyzeAuth, analyzeDefinitions, analyzeSchema } from "./config_analysis.mjs";
import { analyzeModules } from "./module_analysis.mjs";
import { AnalysisError, forgetModule } from "./module_evaluation.mjs";
/** @import { Deployment } from "../deployment.mjs" */
/** @import { Analysis, Analyze, Failed, GivenDefinition, Question, UserValue } from "../types/protocol" */

const SCHEMA = "schema.js";

/**
 * @type {Record<string, (deployment: Deployment, question: Question, onModule: (path: string) => void) => Promise<object>>}
 */
const PHASES = {
  async modules(deployment, { paths, modules }, onModule) {
    const asked = modules === undefined ? deployment : deployment.withModules(modules);
    const analyzed = await analyzeModules(asked, paths, onModule);
    if (paths !== undefined && !paths.includes(SCHEMA)) return { ...analyzed, schema: null };
    onModule(SCHEMA);
    const schema = await analyzeSchema(asked);
    if (schema === null) return { ...analyzed, schema };
    const imports = asked.modules.graph(SCHEMA);
    return { ...analyzed, reads: { ...analyzed.reads, [SCHEMA]: { imports, variables: [], isFixed: true } }, schema };
  },
  async schema(deployment, { module }) {
    return { schema: await analyzeSchema(deployment, module) };
  },
  async auth(deployment, { module }) {
    return { providers: await analyzeAuth(deployment, module) };
  },
  async app(deployment, { definitions }) {
    const given = definitions ?? loadedDefinition(deployment);
    const evaluated = await analyzeDefinitions(deployment, given);
    return { definition: evaluated[""] ?? null, definitions: evaluated };
  },
};

/** @param {Deployment} deployment @returns {GivenDefinition[]} */
function loadedDefinition(deployment) {
  const path = "convex.config.js";
  if (!deployment.modules.has(path)) return [];
  const { source, sourceMapText } = deployment.modules.get(path);
  return [{ path: "", module: { source, sourceMap: sourceMapText } }];
}

/**
 * @param {Deployment} deployment
 * @param {Analyze} question
 * @param {(path: string) => void} onModule  called before a module is evaluated
 * @returns {Promise<Analysis|Failed>} the message that answers
 */
export async function analyze(deployment, question, onModule) {
  const { id, phase } = question;
  try {
    if (!Object.hasOwn(PHASES, phase)) throw new AnalysisError(`The Node.js host has no analysis of ${phase}.`);
    return { type: "analysis", id, result: await PHASES[phase](deployment, question, onModule) };
  } catch (error) {
    if (error instanceof AnalysisError)
      return { type: "failed", id, kind: "user", error: { message: error.message, code: error.code } };
    const message = `The analysis failed: ${/** @type {UserValue} */ (error)?.stack ?? error}`;
    return { type: "failed", id, kind: "user", error: { message } };
  } finally {
    forgetModule();
  }
}
