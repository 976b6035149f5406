/**
 * `query` and `internalQuery` for queries that are written at a prompt (deploy-api 9.3). A deployed module brings
 * `convex/server` along; these have nothing but the host.
 */
import { database } from "./database.js";
import { call, marked, versioned } from "./syscalls.js";
import { fromJson, toJson } from "./values.js";
/** @import { UserValue } from "../types/protocol" */

const context = {
  db: database,
  auth: { getUserIdentity: () => call("1.0/getUserIdentity", { requestId: "" }) },
  storage: {
    getUrl: (/** @type {string} */ storageId) => versioned("1.0/storageGetUrl", { requestId: "", storageId }),
    getMetadata: (/** @type {string} */ storageId) => versioned("1.0/storageGetMetadata", { requestId: "", storageId }),
  },
  runQuery: async (/** @type {UserValue} */ name, args = {}) => {
    const called = typeof name === "string" && name.startsWith("function://") ? { functionHandle: name } : { name };
    return fromJson(await call("1.0/runUdf", { udfType: "query", args: toJson(args), ...called }));
  },
};

/** @param {Function} handler @param {string} argsText */
async function invoke(handler, argsText) {
  try {
    const value = await handler(context, ...JSON.parse(argsText).map(fromJson));
    return JSON.stringify(toJson(value === undefined ? null : value));
  } catch (error) {
    throw marked(error);
  }
}

/** @param {UserValue} definition @param {"isPublic"|"isInternal"} visibility */
function registered(definition, visibility) {
  const handler = typeof definition === "function" ? definition : definition.handler;
  const registration = (/** @type {unknown[]} */ ...args) => handler(...args);
  return Object.assign(registration, {
    isQuery: true,
    [visibility]: true,
    invokeQuery: (/** @type {string} */ argsText) => invoke(handler, argsText),
    exportArgs: () => '{"type":"any"}',
    exportReturns: () => "null",
    _handler: handler,
  });
}

export const query = (/** @type {UserValue} */ definition) => registered(definition, "isPublic");
export const internalQuery = (/** @type {UserValue} */ definition) => registered(definition, "isInternal");
