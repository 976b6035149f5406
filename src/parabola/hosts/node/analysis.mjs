/** Answers `analyze` (docs/host-protocol.md). */
import { analyzeAuth, analyzeDefinitions, analyzeSchema } from "./config_analysis.mjs";
import { analyzeModules } from "./module_analysis.mjs";
import { AnalysisError } from "./module_evaluation.mjs";

const PHASES = {
  async modules(deployment) {
    return { modules: await analyzeModules(deployment), schema: await analyzeSchema(deployment) };
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

/** @returns {Promise<object>} the message that answers: `analysis` or `failed` */
export async function analyze(deployment, message) {
  const { id, phase } = message;
  try {
    if (!Object.hasOwn(PHASES, phase)) throw new AnalysisError(`The Node.js host has no analysis of ${phase}.`);
    return { type: "analysis", id, result: await PHASES[phase](deployment, message) };
  } catch (error) {
    const text = error instanceof AnalysisError ? error.message : `The analysis failed: ${error?.stack ?? error}`;
    return { type: "failed", id, kind: "user", error: { message: text, code: error?.code } };
  }
}
