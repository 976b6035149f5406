/** fetch as actions have it: Node's own, over http and https only, with errors that name their cause. */
/** @import { TraceHeaders, UserValue } from "./types/protocol" */

const RENAMED_CAUSES = new Map([
  ["redirect count exceeded", "fetch too many redirects"],
  ["unexpected redirect", "fetch attempted redirect"],
]);

/**
 * @param {Request|string|URL} input
 * @param {RequestInit|undefined} init
 * @param {AbortSignal} ended  aborted when the action is over
 * @param {TraceHeaders|undefined} trace  what the request says of the trace it belongs to, if it says nothing itself
 */
export async function fetchOverHttp(input, init, ended, trace) {
  const request = traced(new Request(input, init), trace);
  const { protocol } = new URL(request.url);
  if (protocol !== "http:" && protocol !== "https:") {
    throw new TypeError(`fetch only supports http and https, not ${protocol.slice(0, -1)}`);
  }
  try {
    return await fetch(request, { signal: AbortSignal.any([request.signal, ended]) });
  } catch (error) {
    throw named(error, request);
  }
}

/** @param {Request} request @param {TraceHeaders|undefined} trace */
export function traced(request, trace) {
  if (trace !== undefined && !request.headers.has("traceparent")) {
    for (const [name, value] of Object.entries(trace)) request.headers.set(name, value);
  }
  return request;
}

/** @param {UserValue} error @param {Request} request */
function named(error, { signal, body }) {
  if (signal.aborted || error?.name === "AbortError") return error;
  // Node.js says nothing at all about a body that it would have to send twice.
  if (body !== null && error?.cause instanceof Error && error.cause.message === "" && error.cause.code === undefined)
    return new TypeError("fetch cannot redirect with streamed body");
  /** @type {string[]} */
  const messages = [];
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { errors = [], code } = /** @type {{errors?: Error[], code?: string}} */ (cause);
    const text = cause.message || errors.map((one) => one.message).join("; ") || code;
    if (text && !messages.includes(text)) messages.push(text);
  }
  const renamed = messages.map((message) => RENAMED_CAUSES.get(message)).find((message) => message !== undefined);
  return new TypeError(renamed ?? messages.join(": "));
}
