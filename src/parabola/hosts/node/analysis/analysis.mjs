/** Answers `analyze` (docs/host-protocol.md). */
import { analyzeAuth, analyzeDefinitions, analyzeSchema } from "./config_analysis.mjs";
import { analyzeModules } from "./module_analysis.mjs";
import { AnalysisError, forgetModule } from "./module_evaluation.mjs";

const SCHEMA = "schema.js";

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

function loadedDefinition(deployment) {
  const path = "convex.config.js";
  if (!deployment.modules.has(path)) return [];
  const { source, sourceMapText } = deployment.modules.get(path);
  return [{ path: "", module: { source, sourceMap: sourceMapText } }];
}

/**
 * @param {(path: string) => void} onModule  called before a module is evaluated
 * @returns {Promise<object>} the message that answers: `analysis` or `failed`
 */
export async function analyze(deployment, message, onModule) {
  const { id, phase } = message;
  try {
    if (!Object.hasOwn(PHASES, phase)) throw new AnalysisError(`The Node.js host has no analysis of ${phase}.`);
    return { type: "analysis", id, result: await PHASES[phase](deployment, message, onModule) };
  } catch (error) {
    const text = error instanceof AnalysisError ? error.message : `The analysis failed: ${error?.stack ?? error}`;
    return { type: "failed", id, kind: "user", error: { message: text, code: error?.code } };
  } finally {
    forgetModule();
  }
}
