/** One action of a "use node" module. */
import { CallError, findFunction, parseFunctionPath } from "../function_path.mjs";
import { describeThrown } from "../failures.mjs";
import { MessageTooLong } from "../channel.mjs";
import { failureFields, resultText } from "./function_run.mjs";
import { limits } from "../limits.mjs";
import { LogLines } from "../log_lines.mjs";
import { ownTimer } from "../open_resources.mjs";
import { humanize, UnsendableValue } from "../outgoing_values.mjs";
import { writeJson, writeText } from "../plain_json.mjs";
/** @import { NodeRunHost } from "../types/host" */
/** @import { Failure, FailureKind, Reply, Run, UserValue } from "../types/protocol" */

const TOO_MANY =
  "Too many concurrent operations. See https://docs.convex.dev/functions/actions#limits for more information.";

export class NodeRun {
  /**
   * @type {Map<number, {op: string, resolve: (value: UserValue) => void, reject: (error: Error) => void}>}
   */
  #calls = new Map();
  #callNumbers = 0;
  #startedAt = performance.now();
  /** @type {NodeRunHost} */
  #host;
  #deadline;
  ended = false;

  /** @param {Run} message @param {NodeRunHost} host */
  constructor(message, host) {
    this.id = message.id;
    this.message = message;
    this.requestId = message.requestId;
    this.path = parseFunctionPath(message.path);
    this.#host = host;
    this.logs = new LogLines((line) => host.channel.send({ type: "log", id: this.id, lines: [line] }));
    const seconds = limits.actionSeconds;
    const text = `Action \`${this.path.name}\` execution timed out (maximum duration ${seconds}s)`;
    this.#deadline = ownTimer(() => this.fail({ message: text }, "timeout"), seconds * 1000);
  }

  /** Whether the engine has calls to answer. */
  get waitsForTheEngine() {
    return this.#calls.size > 0;
  }

  async run() {
    try {
      const args = JSON.stringify([this.message.args]);
      if (Buffer.byteLength(args) > limits.argumentBytes) {
        throw new CallError(
          `Node actions arguments size is too large. The maximum size is ${humanize(limits.argumentBytes)}, and ${this.message.path} was called with ` +
            `${(Buffer.byteLength(args) / 1024 / 1024).toFixed(2)} MiB.`,
        );
      }
      const namespace = await this.#host.importModule(this.path.module);
      const { target, method } = findFunction(namespace, this.path, "action");
      const result = await target[method](this.requestId, args);
      this.#finish("done", `"result":${resultText(result, this.message.path)}`);
    } catch (error) {
      if (error instanceof UnsendableValue) this.fail({ message: error.message });
      else if (error instanceof MessageTooLong)
        this.fail({ message: `Function ${this.message.path} return value is too large to be sent: ${error.message}.` });
      else this.failWith(error);
    }
  }

  /** @param {UserValue} error */
  failWith(error) {
    if (error instanceof CallError) this.fail({ message: error.message });
    else this.fail(describeThrown(error, this.#host.stackFrames));
  }

  /** @param {Failure} failure @param {FailureKind} kind */
  fail(failure, kind = "user") {
    this.#finish("failed", failureFields(failure, kind));
  }

  /** @param {"done"|"failed"} type @param {string} fields */
  #finish(type, fields) {
    if (this.ended) return;
    const usage = {
      userMs: Math.round(performance.now() - this.#startedAt),
      unawaited: [...this.#calls.values()].map((call) => call.op),
    };
    this.#host.channel.sendText(`{"type":"${type}","id":${this.id},${fields},"logs":[],"usage":${writeJson(usage)}}`);
    this.end();
  }

  end() {
    if (this.ended) return;
    this.ended = true;
    clearTimeout(this.#deadline);
    this.#calls.clear();
    this.#host.onEnd(this);
  }

  // ---- calls to the engine ------------------------------------------------------------------------------------

  /** @param {string} op @param {string} args @returns {Promise<UserValue>} the parsed answer */
  call(op, args) {
    if (this.#calls.size >= limits.operationsPending) return Promise.reject(new Error(TOO_MANY));
    return new Promise((resolve, reject) => {
      const number = ++this.#callNumbers;
      this.#calls.set(number, { op, resolve, reject });
      this.#host.onCalls(this);
      this.#host.channel.sendText(
        `{"type":"syscall","id":${this.id},"calls":[{"call":${number},"op":${writeText(op)},"args":${args}}]}`,
      );
    });
  }

  /** @param {Reply} message */
  receive({ replies }) {
    for (const { call: number, value, error } of replies) {
      const call = this.#calls.get(number);
      this.#calls.delete(number);
      this.#host.onCalls(this);
      if (error === undefined) call?.resolve(value ?? null);
      else call?.reject(Object.assign(new Error(error.message), error.data === undefined ? {} : { data: error.data }));
    }
  }
}
