/**
 * The runtime of "use node" modules: full Node.js, one action at a time, and module state that lasts as long as the
 * process does.
 */
import { join } from "node:path";
import { ActionCalm } from "./action_calm.mjs";
import { CallContext, MODULES } from "./call_context.mjs";
import { describeThrown } from "./failures.mjs";
import { FunctionLocations } from "./analysis/function_locations.mjs";
import { CallError } from "./function_path.mjs";
import { NEVER_RESOLVES } from "./executions/function_run.mjs";
import { describeFunctions, positionOf } from "./analysis/module_analysis.mjs";
import { holdTo } from "./limits.mjs";
import { ModuleSet } from "./modules/module_set.mjs";
import { captureConsole, installCommonJs, installConvex, replaceEnvironment, traceRequests } from "./node_globals.mjs";
import { NodeRun } from "./executions/node_run.mjs";
import { ModulesFolder } from "./modules/node_modules_folder.mjs";
import { StackFrames } from "./stack_frames.mjs";
import { presentCallSites, USER_SCHEME } from "./user_call_sites.mjs";
/** @import { Channel } from "./channel.mjs" */
/** @import { Analyze, AnalyzedModule, FromEngine, Load, Reads, Run, UserValue } from "./types/protocol" */

const exit = process.exit.bind(process);
const NEVER_EVALUATED = "What the module awaits at its top level can never come: nothing is pending";

export class NodeHost {
  /** @type {NodeRun|null} */
  #current = null;
  /** @type {ModulesFolder|null} */
  #folder = null;
  #modules = new ModuleSet([]);
  #console;
  #context = new CallContext();
  #calm;
  /** Set when something has gone wrong that is no running action's: the process ends when that has ended. */
  #isSpoiled = false;
  #isAnalysing = false;

  /** @param {{channel: Channel}} parts */
  constructor({ channel }) {
    this.channel = channel;
    this.#calm = new ActionCalm(channel);
    this.stackFrames = new StackFrames(
      (file) => this.#moduleAt(file),
      (file) => this.#presentedName(file),
    );
    presentCallSites(this.stackFrames, (file) => this.#presentedName(file));
    const current = () => this.#current;
    installConvex(current);
    this.#console = captureConsole(current);
    this.#guardExit();
    process.on("exit", (code) => this.#onExit(code));
  }

  /** What libraries are told of a user's file, or null. @param {string} file */
  #presentedName(file) {
    if (file.startsWith(USER_SCHEME)) return file;
    const path = this.#folder?.pathOf(file) ?? null;
    return path === null ? null : USER_SCHEME + path;
  }

  /** @param {string} file */
  #moduleAt(file) {
    const path = this.#presentedName(file)?.slice(USER_SCHEME.length) ?? null;
    return path !== null && this.#modules.has(path) ? this.#modules.get(path) : null;
  }

  /** @param {FromEngine} message @returns {void|Promise<void>} */
  receive(message) {
    switch (message.type) {
      case "load":
        return this.#load(message);
      case "analyze":
        return this.#analyze(message);
      case "run":
        return this.#run(message);
      case "reply":
        return this.#current?.id === message.id ? this.#current.receive(message) : undefined;
      case "cancel":
        // Nobody can stop what a Node.js action does: the process goes.
        return this.#current?.id === message.id ? process.exit(0) : undefined;
      default:
        return undefined;
    }
  }

  /** @param {Load} message */
  #load({ deployment, modules, env = {}, instance = {}, nodeModules, limits }) {
    holdTo(limits);
    this.#folder?.remove();
    this.#folder = new ModulesFolder();
    this.#modules = new ModuleSet(modules);
    try {
      this.#folder.write(modules, nodeModules);
    } catch (error) {
      this.channel.send({ type: "loadFailed", deployment, error: { message: /** @type {Error} */ (error).message } });
      return;
    }
    replaceEnvironment({ CONVEX_CLOUD_URL: instance.cloudUrl ?? "", CONVEX_SITE_URL: instance.siteUrl ?? "", ...env });
    installCommonJs(join(this.#folder.root, "index.js"), this.#folder.root);
    this.channel.send({ type: "loaded", deployment });
  }

  /** Where a module is, once modules have been loaded. @param {string} path */
  #url(path) {
    return /** @type {ModulesFolder} */ (this.#folder).url(path);
  }

  /** @param {string} path @returns {Promise<UserValue>} */
  importModule(path) {
    this.#modules.get(path);
    return this.#calm.importing(() => this.#context.run(MODULES, () => import(this.#url(path))));
  }

  /** @param {Run} message */
  #run(message) {
    this.#console.reset();
    if (message.trace !== undefined) traceRequests(() => this.#current);
    const run = (this.#current = new NodeRun(message, this));
    this.#calm.watch(() => run.fail({ message: NEVER_RESOLVES }, "stuck"));
    void this.#context.run(run, () => run.run());
  }

  /** The calls that the engine has to answer are others now. @param {NodeRun} run */
  onCalls(run) {
    if (this.#current === run) this.#calm.expectsAnswers = run.waitsForTheEngine;
  }

  /** @param {NodeRun} run */
  onEnd(run) {
    if (this.#current !== run) return;
    this.#current = null;
    this.#calm.unwatch();
    if (this.#isSpoiled) this.#endProcess();
    else
      this.#calm.whenCalm(
        () => this.channel.send({ type: "free", id: run.id }),
        () => this.#isSpoiled || this.#current !== null,
      );
  }

  // ---- analysis -----------------------------------------------------------------------------------------------

  /** @param {Analyze} message */
  async #analyze({ id, phase, paths }) {
    if (phase !== "modules") {
      this.channel.send({
        type: "analysis",
        id,
        result: { schema: null, providers: [], definition: null, definitions: {} },
      });
      return;
    }
    /** @type {Record<string, AnalyzedModule>} */
    const modules = {};
    /** @type {Record<string, Reads>} */
    const reads = {};
    const locations = new FunctionLocations();
    let current = "";
    this.#isAnalysing = true;
    try {
      const asked = paths ?? this.#modules.paths.filter((one) => !one.includes("_deps/"));
      for (const path of [...asked].sort()) {
        current = path;
        // At once: a module that ends the process, or never comes to an end, cannot be named afterwards.
        this.channel.send({ type: "importing", id, path });
        this.channel.flush();
        modules[path] = await this.#describe(path, locations);
        // What the module has read of the environment, of files and of the network is not known.
        reads[path] = { imports: this.#modules.graph(path, { isNode: true }), variables: ["*"], isFixed: true };
      }
      this.channel.send({ type: "analysis", id, result: { modules, reads, schema: null } });
    } catch (error) {
      this.channel.send({
        type: "failed",
        id,
        kind: "user",
        error: { message: `Failed to analyze ${current}: ${this.#text(error)}` },
      });
    } finally {
      this.#isAnalysing = false;
      locations.close();
    }
  }

  /** @param {string} path @param {FunctionLocations} locations @returns {Promise<AnalyzedModule>} */
  async #describe(path, locations) {
    const namespace = await this.#importToItsEnd(path);
    const module = this.#modules.get(path);
    const functions = describeFunctions(namespace, (target) => positionOf(target, module, this.#url(path), locations));
    const refused = functions.find(({ udfType }) => udfType !== "Action");
    if (refused !== undefined) {
      throw new CallError(
        `\`${refused.name}\` defined in \`${path}\` is a ${refused.udfType} function. Only actions can be defined in Node.js. ` +
          "See https://docs.convex.dev/functions/actions for more details.",
      );
    }
    return { functions, httpRoutes: null, cronSpecs: null, sourceMapped: null };
  }

  /** @param {string} path @returns {Promise<UserValue>} */
  #importToItsEnd(path) {
    return new Promise((resolve, reject) => {
      this.#calm.watch(() => reject(new CallError(NEVER_EVALUATED)));
      this.importModule(path).then(resolve, reject);
    }).finally(() => this.#calm.unwatch());
  }

  /** @param {UserValue} error */
  #text(error) {
    if (error instanceof CallError) return error.message;
    const { message, frames = [] } = describeThrown(error, this.stackFrames);
    return [message, ...frames.map((frame) => `    at ${frame}`), ""].join("\n");
  }

  // ---- what user code leaves to the process ---------------------------------------------------------------------

  /** @param {UserValue} reason */
  onUnhandledRejection(reason) {
    this.#onUncaught(reason);
  }

  /** @param {unknown} error */
  onUncaughtException(error) {
    this.#onUncaught(error);
  }

  /**
   * Nobody can vouch for the state of the process any more: it ends. The running action fails with it, unless the error
   * comes from what an earlier one left behind.
   * @param {UserValue} reason
   */
  #onUncaught(reason) {
    const running = this.#current;
    if (running !== null && !this.#context.isForeignTo(running)) {
      this.#isSpoiled = true;
      running.failWith(reason);
      return;
    }
    const text = `An action that has ended, or a module, left this uncaught: ${this.#text(reason)}`;
    process.stderr.write(`${text}\n`);
    running?.logs.report("WARN", "warning:LeftoverError", text.trimEnd());
    this.#isSpoiled = true;
    if (running === null && !this.#isAnalysing) this.#endProcess();
  }

  #endProcess() {
    this.channel.end();
    setImmediate(() => exit(1));
  }

  /** What an earlier action has left behind must not end the process under the feet of another. */
  #guardExit() {
    process.exit = (/** @type {[code?: number]} */ ...args) => {
      if (this.#current !== null && this.#context.isForeignTo(this.#current)) {
        this.#isSpoiled = true;
        throw new Error("An action that has ended cannot end the process");
      }
      return exit(...args);
    };
  }

  /** @param {number} code */
  #onExit(code) {
    this.#folder?.remove();
    if (this.#current === null) return;
    this.#current.fail({ message: `The action ended its process (exit code ${code}).` });
    this.channel.flushSync();
  }
}
