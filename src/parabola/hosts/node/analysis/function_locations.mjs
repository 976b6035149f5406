/** Where functions are written, as V8 knows it. */
import inspector from "node:inspector";
/** @import { UserValue } from "../types/protocol" */

const PROBE = Symbol.for("parabola.probe");
const GROUP = "parabola";

/** Asks V8 for the places of functions. Costs milliseconds to open: for analysis only. */
export class FunctionLocations {
  #session = new inspector.Session();
  /** @type {Map<string, string>} */
  #urls = new Map();

  constructor() {
    this.#session.connect();
    this.#session.on("Debugger.scriptParsed", ({ params }) => this.#urls.set(params.scriptId, params.url));
    this.#session.post("Debugger.enable");
  }

  /** @returns {{url: string, line: number, column: number}|null} counted from 0 @param {Function} target */
  find(target) {
    const { result } = this.#ask(
      "Runtime.evaluate",
      { expression: `globalThis[Symbol.for("parabola.probe")]`, objectGroup: GROUP },
      target,
    );
    if (!result?.objectId) return null;
    const { internalProperties = [] } = this.#ask("Runtime.getProperties", {
      objectId: result.objectId,
      ownProperties: true,
    });
    const location = internalProperties.find((/** @type {UserValue} */ one) => one.name === "[[FunctionLocation]]")
      ?.value?.value;
    // Every answer names further objects (the function's scopes, its prototype), and each keeps the realm alive.
    this.#ask("Runtime.releaseObjectGroup", { objectGroup: GROUP });
    const url = location && this.#urls.get(location.scriptId);
    return url ? { url, line: location.lineNumber, column: location.columnNumber } : null;
  }

  /** @param {string} method @param {object} params @param {Function} [probe] @returns {UserValue} */
  #ask(method, params, probe) {
    /** @type {any} */ (globalThis)[PROBE] = probe;
    /** @type {UserValue} */
    let answer = {};
    this.#session.post(method, params, (error, result) => {
      if (!error) answer = result;
    });
    delete (/** @type {any} */ (globalThis)[PROBE]);
    return answer;
  }

  close() {
    this.#session.post("Debugger.disable");
    this.#session.disconnect();
  }
}
