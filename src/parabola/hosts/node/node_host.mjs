/**
 * The runtime of "use node" modules: full Node.js, one action at a time, and module state that lasts as long as the
 * process does.
 */
import { join } from "node:path";
import { describeThrown } from "./failures.mjs";
import { FunctionLocations } from "./function_locations.mjs";
import { CallError } from "./function_path.mjs";
import { describeFunctions, positionOf } from "./module_analysis.mjs";
import { ModuleSet } from "./module_set.mjs";
import { captureConsole, installCommonJs, installConvex, replaceEnvironment } from "./node_globals.mjs";
import { NodeInvocation } from "./node_invocation.mjs";
import { ModulesFolder } from "./node_modules_folder.mjs";
import { StackFrames } from "./stack_frames.mjs";

export class NodeHost {
  /** @type {NodeInvocation|null} */
  #current = null;
  #folder = null;
  #modules = new ModuleSet([]);
  #console;

  constructor({ channel }) {
    this.channel = channel;
    this.stackFrames = new StackFrames((file) => this.#moduleAt(file));
    Error.prepareStackTrace = (error, callSites) => this.stackFrames.format(error, callSites);
    const current = () => this.#current;
    installConvex(current);
    this.#console = captureConsole(current);
    process.on("exit", (code) => this.#onExit(code));
  }

  #moduleAt(file) {
    const path = this.#folder?.pathOf(file) ?? null;
    return path !== null && this.#modules.has(path) ? this.#modules.get(path) : null;
  }

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

  #load({ deployment, modules, env = {}, instance = {}, nodeModules }) {
    this.#folder?.remove();
    this.#folder = new ModulesFolder();
    this.#modules = new ModuleSet(modules);
    try {
      this.#folder.write(modules, nodeModules);
    } catch (error) {
      this.channel.send({ type: "loadFailed", deployment, error: { message: error.message } });
      return;
    }
    replaceEnvironment({ CONVEX_CLOUD_URL: instance.cloudUrl ?? "", CONVEX_SITE_URL: instance.siteUrl ?? "", ...env });
    installCommonJs(join(this.#folder.root, "index.js"), this.#folder.root);
    this.channel.send({ type: "loaded", deployment });
  }

  importModule(path) {
    this.#modules.get(path);
    return import(this.#folder.url(path));
  }

  #run(message) {
    this.#console.reset();
    this.#current = new NodeInvocation(message, this);
    this.#current.run();
  }

  onEnd(invocation) {
    if (this.#current === invocation) this.#current = null;
  }

  // ---- analysis -----------------------------------------------------------------------------------------------

  async #analyze({ id, phase }) {
    if (phase !== "modules") {
      this.channel.send({
        type: "analysis",
        id,
        result: { schema: null, providers: [], definition: null, definitions: {} },
      });
      return;
    }
    const modules = {};
    const locations = new FunctionLocations();
    let current = "";
    try {
      for (const path of this.#modules.paths.filter((one) => !one.includes("_deps/")).sort()) {
        current = path;
        // At once: a module that ends the process, or never comes to an end, cannot be named afterwards.
        this.channel.send({ type: "importing", id, path });
        this.channel.flush();
        modules[path] = await this.#describe(path, locations);
      }
      this.channel.send({ type: "analysis", id, result: { modules, schema: null } });
    } catch (error) {
      this.channel.send({
        type: "failed",
        id,
        kind: "user",
        error: { message: `Failed to analyze ${current}: ${this.#text(error)}` },
      });
    } finally {
      locations.close();
    }
  }

  async #describe(path, locations) {
    const namespace = await this.importModule(path);
    const module = this.#modules.get(path);
    const functions = describeFunctions(namespace, (target) =>
      positionOf(target, module, this.#folder.url(path), locations),
    );
    const refused = functions.find(({ udfType }) => udfType !== "Action");
    if (refused !== undefined) {
      throw new CallError(
        `\`${refused.name}\` defined in \`${path}\` is a ${refused.udfType} function. Only actions can be defined in Node.js. ` +
          "See https://docs.convex.dev/functions/actions for more details.",
      );
    }
    return { functions, httpRoutes: null, cronSpecs: null, sourceMapped: null };
  }

  #text(error) {
    if (error instanceof CallError) return error.message;
    const { message, frames } = describeThrown(error, this.stackFrames);
    return [message, ...frames.map((frame) => `    at ${frame}`), ""].join("\n");
  }

  // ---- what user code leaves to the process ---------------------------------------------------------------------

  onUnhandledRejection(reason) {
    this.#giveUp(reason);
  }

  onUncaughtException(error) {
    this.#giveUp(error);
  }

  /** Fails the running action and ends the process, whose state nobody can vouch for any more. */
  #giveUp(reason) {
    if (this.#current === null) return;
    this.#current.failWith(reason);
    this.channel.end();
    setImmediate(() => process.exit(1));
  }

  #onExit(code) {
    this.#folder?.remove();
    if (this.#current === null) return;
    this.#current.fail({ message: `The action ended its process (exit code ${code}).` });
    this.channel.flushSync();
  }
}
