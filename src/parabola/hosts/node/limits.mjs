/**
 * What functions are held to: the `limits` of the `load` message (docs/explanation/host-protocol.md).
 *
 * The host has no number of its own for any of these. Nothing runs before the first `load`, so nothing is limited then.
 */
export const MEBIBYTE = 1024 * 1024;

/** Sizes are bytes, times seconds. */
export const limits = {
  /** Processor time of a query or mutation with all it calls. */
  userSeconds: Infinity,
  actionSeconds: Infinity,
  /** Processor time of the evaluation of a module at a push, and of a configuration file. */
  moduleSeconds: Infinity,
  configSeconds: Infinity,
  /** What a call may hold when it waits or ends. */
  callMemory: Infinity,
  argumentBytes: Infinity,
  /** What a function returns, and the data of a ConvexError. */
  resultBytes: Infinity,
  valueBytes: Infinity,
  valueNesting: Infinity,
  arrayLength: Infinity,
  objectFields: Infinity,
  /** The message of an error; the rest is cut off. */
  errorBytes: Infinity,
  /** Lines of an execution, the last of which says that the rest is missing; and one of them. */
  logLines: Infinity,
  logLineBytes: Infinity,
  /** Operations of an action of the default runtime that run at a time, and of one in Node.js that are unanswered. */
  operationsAtOnce: Infinity,
  operationsPending: Infinity,
  /** The body of a response, and of a request that is read as a form. */
  responseBytes: Infinity,
  wholeBodyBytes: Infinity,
  /** Bytes of a response under way that the client has not taken yet. */
  bodyAhead: Infinity,
  /** One message, in either direction. */
  messageBytes: Infinity,
};

/**
 * Takes the limits of a `load` message; those it does not know belong to later versions.
 * @param {Record<string, number>} [given]
 */
export function holdTo(given = {}) {
  for (const name of /** @type {(keyof typeof limits)[]} */ (Object.keys(limits))) {
    if (typeof given[name] !== "number") throw new Error(`The load message has no limit ${name}`);
    limits[name] = given[name];
  }
}
