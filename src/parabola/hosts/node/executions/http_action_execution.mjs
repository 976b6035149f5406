/**
 * One HTTP action: a request comes in, a response goes out, both of them streams (docs/explanation/host-protocol.md).
 */
import { getEventListeners } from "node:events";
import { types } from "node:util";
import { ActionExecution } from "./action_execution.mjs";
import { CallError } from "../function_path.mjs";
import { valueOf } from "./function_run.mjs";
import { limits } from "../limits.mjs";
import { checkValue, humanize, UnsendableValue } from "../outgoing_values.mjs";
import { writeJson } from "../plain_json.mjs";
/** @import { Deployment } from "../deployment.mjs" */
/** @import { RunHost } from "../types/host" */
/** @import { FromHost, GivenRequest, RequestDescription, Run, UserValue } from "../types/protocol" */

/** Bytes of a request that are taken ahead of user code. */
const READ_AHEAD_BYTES = 64 * 1024;
const CLIENT_GONE = "The client disconnected before the body of its request was complete.";
const NULL_BODY_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);
/** What the library writes into its response for a body that is a stream of the host. */
const BODY_STREAM = "response";

export class HttpActionExecution extends ActionExecution {
  /** @type {GivenRequest} */
  #request;
  /** @type {Request|null} */
  #incoming = null;
  /** @type {ReadableStreamDefaultController<Uint8Array>|null} */
  #requestBody = null;
  /** Bytes of the request that user code has not been given since the engine was told last. */
  #untold = 0;
  #clientGone = new AbortController();
  /** @type {Response|null} */
  #response = null;
  /** Whether the handler is done, and its response under way. */
  #isAnswering = false;
  /** @type {Buffer[]} */
  #chunks = [];
  #size = 0;
  /** Bytes of the response that the client has not got yet, and how to go on when it has. */
  #ahead = 0;
  #goOn = () => {};

  /**
   * @param {Deployment} deployment
   * @param {Run} message
   * @param {RunHost} host
   */
  constructor(deployment, message, host) {
    super(deployment, { ...message, path: message.path ?? "http.js" }, host);
    this.#request = message.args.request;
  }

  /** @param {UserValue} namespace */
  invoke(namespace) {
    const router = namespace.default;
    if (router?.isRouter !== true) {
      throw new CallError(
        router === undefined
          ? "`convex/http.js` must have a default export of a Router."
          : "The default export of `convex/http.js` is not a Router.",
      );
    }
    const { method, url, headerPairs = [], routePath = new URL(url).pathname } = this.#request;
    // Where the engine knows the route there is one; a router with a look-up of its own is asked.
    if (this.message.args.route === undefined && !hasRoute(router, routePath, method)) {
      this.#answerPlainly(404, "No matching routes found");
      return;
    }
    const streamId = NULL_BODY_METHODS.has(method) ? null : "request";
    const json = JSON.stringify({ url, method, headerPairs, streamId, signal: "client" });
    this.callMethod(router, "runRequest", [json, routePath]);
  }

  // ---- the request --------------------------------------------------------------------------------------------

  /**
   * @param {RequestDescription} description
   */
  makeRequest({ url, method, headerPairs, streamId }) {
    const init = { method, headers: headerPairs, signal: this.#clientGone.signal };
    if (streamId !== null) Object.assign(init, { body: this.#bodyStream(), duplex: "half" });
    this.#incoming = new Request(url, init);
    return this.#incoming;
  }

  /** Whether user code waits for the client to go away. */
  #listensForTheClient() {
    const { signal } = this.#incoming ?? {};
    return signal !== undefined && !signal.aborted && getEventListeners(signal, "abort").length > 0;
  }

  isStuck() {
    return super.isStuck() && !this.#listensForTheClient();
  }

  #bodyStream() {
    const { body } = this.#request;
    const source = {
      start: (/** @type {ReadableStreamDefaultController<Uint8Array>} */ controller) => {
        this.#requestBody = controller;
        if (typeof body === "string") controller.enqueue(new Uint8Array(Buffer.from(body, "base64")));
        if (body !== true) controller.close();
      },
      pull: () => this.#tellTaken(),
      cancel: () => {
        this.#requestBody = null;
        this.#tellTaken();
      },
    };
    return new ReadableStream(source, new ByteLengthQueuingStrategy({ highWaterMark: READ_AHEAD_BYTES }));
  }

  /** Asks the engine for more: what it has sent has been read, or nearly. */
  #tellTaken() {
    if (this.#untold === 0 || this.ended) return;
    this.#send({ type: "requestTaken", id: this.id, bytes: this.#untold });
    this.#untold = 0;
  }

  /** A part of the request's body. @param {{data: string}} message */
  requestChunk({ data }) {
    this.enterStep(() => {
      const bytes = new Uint8Array(Buffer.from(data, "base64"));
      this.#untold += bytes.length;
      if (this.#requestBody === null) this.#tellTaken();
      else this.#requestBody.enqueue(bytes);
    });
  }

  requestEnd() {
    this.enterStep(() => {
      this.#requestBody?.close();
      this.#requestBody = null;
    });
  }

  clientGone() {
    this.enterStep(() => {
      this.#requestBody?.error(new TypeError(CLIENT_GONE));
      this.#requestBody = null;
      this.#clientGone.abort();
    });
  }

  // ---- the response -------------------------------------------------------------------------------------------

  /** @param {Response} response */
  takeResponse(response) {
    this.#response = response;
    return response.body === null ? null : BODY_STREAM;
  }

  /** @param {number} status @param {string} text */
  #answerPlainly(status, text) {
    this.#response = new Response(text);
    const headerPairs = [["content-type", "text/plain;charset=UTF-8"]];
    this.outcome = { value: JSON.stringify({ status, headerPairs, streamId: BODY_STREAM }) };
  }

  /** The handler is done: what is left is to drain the body, while the handler's streams go on. */
  proceed() {
    if (this.outcome === null) return super.proceed();
    if (this.#isAnswering) return undefined;
    this.#isAnswering = true;
    let head;
    try {
      head = readHead(valueOf(this.outcome), this.#response);
    } catch (error) {
      this.fail({ message: /** @type {Error} */ (error).message });
      return undefined;
    }
    const { status, headerPairs, body } = head;
    if (this.#streams) this.#send({ type: "responseHead", id: this.id, status, headers: headerPairs });
    this.#drain(body).then(
      () => this.#complete(status, headerPairs),
      (error) => this.enterStep(() => (this.unhandled ??= { reason: error })),
    );
    return undefined;
  }

  get #streams() {
    return this.#request.streamResponse === true;
  }

  /** @param {FromHost} message */
  #send(message) {
    this.host.channel.send(message);
  }

  /** @param {ReadableStream<Uint8Array>|null} body */
  async #drain(body) {
    if (body === null) return;
    for await (const chunk of body) {
      if (this.ended) return;
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      this.#size += bytes.length;
      if (this.#size > limits.responseBytes) {
        this.logs.report(
          "ERROR",
          "error:httpAction",
          `HttpResponseTooLarge: HTTP actions support responses up to ${humanize(limits.responseBytes)}`,
        );
        return;
      }
      if (this.#streams) await this.#sendChunk(bytes);
      else this.#chunks.push(bytes);
    }
  }

  /** @param {Buffer} bytes */
  async #sendChunk(bytes) {
    this.#send({ type: "responseChunk", id: this.id, data: bytes.toString("base64") });
    this.#ahead += bytes.length;
    if (this.#ahead >= limits.bodyAhead) await new Promise((resolve) => (this.#goOn = () => resolve(undefined)));
  }

  /** The client has got a part of the response. @param {{bytes: number}} message */
  responseTaken({ bytes }) {
    this.enterStep(() => {
      this.#ahead -= bytes;
      if (this.#ahead < limits.bodyAhead) this.#goOn();
    });
  }

  /** @param {number} status @param {[string, string][]} headerPairs */
  #complete(status, headerPairs) {
    if (this.ended) return;
    if (this.#streams) {
      this.#send({ type: "responseEnd", id: this.id });
      this.finish("done", '"result":null');
      return;
    }
    const body = this.#chunks.length === 0 ? null : Buffer.concat(this.#chunks).toString("base64");
    this.finish("done", `"result":${writeJson({ status, headerPairs, body })}`);
  }
}

/**
 * Whether a router has a route for a request. Throws CallError where its answer is neither a route nor none.
 * @param {UserValue} router
 * @param {string} path
 * @param {string} method
 */
function hasRoute(router, path, method) {
  if (typeof router.lookup !== "function") throw new CallError("The router of `convex/http.js` has no `lookup`.");
  const found = router.lookup(path, method);
  if (found === null || found === undefined) return false;
  if (Array.isArray(found) && typeof found[1] === "string" && typeof found[2] === "string") return true;
  throw new CallError(
    "`lookup` of the router of `convex/http.js` must return `[handler, method, path]`, or null where there is no " +
      `route, at once. It returned ${kindOf(found)}.`,
  );
}

/** @param {UserValue} value */
function kindOf(value) {
  if (types.isPromise(value)) return "a promise";
  if (Array.isArray(value)) return "a list of something else";
  return `${typeof value === "object" ? "an" : "a"} ${typeof value}`;
}

/**
 * The status, the headers and the body of a response, as the library wrote them, or a router of another kind did.
 * @param {unknown} text
 * @param {Response|null} response  what the library was given last
 */
function readHead(text, response) {
  if (typeof text !== "string") throw new UnsendableValue("The HTTP action's response is not JSON text");
  const { status, headerPairs, streamId = null } = JSON.parse(checkValue(text).text) ?? {};
  /** @param {unknown} pair */
  const isPair = (pair) => Array.isArray(pair) && pair.length === 2 && pair.every((part) => typeof part === "string");
  if (!Number.isInteger(status) || !Array.isArray(headerPairs) || !headerPairs.every(isPair))
    throw new UnsendableValue("The HTTP action's response has no status or no headers");
  if (status < 200 || status > 599)
    throw new UnsendableValue(`The HTTP action's response has the status ${status}: it is from 200 to 599`);
  try {
    new Headers(headerPairs);
  } catch (error) {
    throw new UnsendableValue(
      `The HTTP action's response has headers that cannot be sent: ${/** @type {Error} */ (error).message}`,
    );
  }
  if (streamId === null) return { status, headerPairs, body: null };
  if (streamId !== BODY_STREAM || response === null)
    throw new UnsendableValue("The HTTP action's response names a body that there is not");
  return { status, headerPairs, body: response.body };
}
