/** Names of functions, and the function objects that modules export. */
/** @import { FunctionKind, UserValue } from "./types/protocol" */

/** @type {Record<FunctionKind, [string, string]>} */
const KINDS = {
  query: ["isQuery", "invokeQuery"],
  mutation: ["isMutation", "invokeMutation"],
  action: ["isAction", "invokeAction"],
};
/** @type {Record<string, string>} */
const REGISTERED = { isQuery: "a query", isMutation: "a mutation", isAction: "an action", isHttp: "an HTTP action" };
const RUN_AS = { query: "a query", mutation: "a mutation", action: "an action" };

/** @typedef {{module: string, name: string}} FunctionPath */

/** An error of the host about the call itself: shown without "Uncaught" and without frames. */
export class CallError extends Error {}

/**
 * `dir/mod.js:fn`, `dir/mod:fn` and `dir/mod` (the default export).
 * @param {string} path
 * @returns {FunctionPath}
 */
export function parseFunctionPath(path) {
  const colon = path.lastIndexOf(":");
  const module = colon < 0 ? path : path.slice(0, colon);
  const name = colon < 0 ? "default" : path.slice(colon + 1);
  return { module: module.endsWith(".js") ? module : `${module}.js`, name };
}

/**
 * The registered function of a namespace. Throws CallError when there is none of this kind.
 * @param {UserValue} namespace
 * @param {FunctionPath} path
 * @param {FunctionKind} kind
 * @returns {{target: UserValue, method: string}}
 */
export function findFunction(namespace, { module, name }, kind) {
  const target = Object.hasOwn(namespace, name) ? namespace[name] : undefined;
  if (target === undefined) throw new CallError(`Couldn't find "${name}" in module "${module}".`);
  const label = name === "default" ? module : `${module}:${name}`;
  const flag = Object.keys(REGISTERED).find((one) => target?.[one] === true);
  const [wanted, method] = KINDS[kind];
  if (flag === undefined) {
    throw new CallError(
      kind === "action"
        ? `Function ${label} is not an action. Did you forget to wrap it with \`action\`?`
        : `Function ${label} is neither a query or mutation. Did you forget to wrap it with \`query\` or \`mutation\`?`,
    );
  }
  if (flag !== wanted) {
    throw new CallError(`Function ${label} is registered as ${REGISTERED[flag]} but is being run as ${RUN_AS[kind]}.`);
  }
  return { target, method };
}
