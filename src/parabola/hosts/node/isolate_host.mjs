/** The default runtime: each call in a realm of its own, many calls in flight in one process. */
import { ActionExecution } from "./executions/action_execution.mjs";
import { Deployment } from "./deployment.mjs";
import { ModuleSet } from "./modules/module_set.mjs";
import { HttpActionExecution } from "./executions/http_action_execution.mjs";
import { holdTo } from "./limits.mjs";
import { realmOfPromise } from "./realm.mjs";
import { MAX_PREPARED_TEXT, RealmPool } from "./realm_pool.mjs";
import { TransactionalExecution } from "./executions/transactional_execution.mjs";
import { unoptimized } from "./unoptimized.mjs";
/** @import { Channel } from "./channel.mjs" */
/** @import { FunctionRun } from "./executions/function_run.mjs" */
/** @import { StepQueue } from "./executions/steps.mjs" */
/** @import { Analyze, FromEngine, GivenModule, Load, MeetComponent, Run, UserValue } from "./types/protocol" */

const EXECUTIONS = {
  query: TransactionalExecution,
  mutation: TransactionalExecution,
  action: ActionExecution,
  httpAction: HttpActionExecution,
};

/** Realms kept ready where many calls run. */
const SPARE_REALMS = 4;

/** Characters of modules: more are read sooner when the reading is optimized. */
const LITTLE_TEXT = 256 * 1024;

export class IsolateHost {
  /** @type {Map<number, FunctionRun>} */
  #running = new Map();
  #deployment = new Deployment({ deployment: "", modules: [] });
  /** The code of components, by the paths of their definitions. @type {Map<string, ModuleSet>} */
  #definitions = new Map();
  /** The components that have been told of, by their ids. @type {Map<string, Deployment>} */
  #components = new Map();
  #hasCompiled = false;

  /** @param {{channel: Channel, steps: StepQueue, compilesLater: boolean}} parts */
  constructor({ channel, steps, compilesLater }) {
    this.channel = channel;
    this.steps = steps;
    this.compilesLater = compilesLater;
    // A host that compiles later runs one call at a time.
    const [spares, maxText] = compilesLater ? [1, MAX_PREPARED_TEXT / 4] : [SPARE_REALMS, MAX_PREPARED_TEXT];
    this.realms = new RealmPool(spares, (work) => steps.onTheHouse(work), maxText);
    this.onEnd = (/** @type {FunctionRun} */ run) => {
      this.#running.delete(run.id);
      steps.ended(run);
    };
    steps.onIdle = () => this.#useIdleTime();
    steps.memory.inFlight = () => this.#running.values();
  }

  /**
   * Answers a message of the engine; unknown ones belong to later versions of the protocol.
   * @param {FromEngine} message
   * @returns {void|Promise<void>}
   */
  receive(message) {
    switch (message.type) {
      case "load":
        return this.#load(message);
      case "component":
        return this.#meetComponent(message);
      case "analyze":
        return this.#analyze(message);
      case "run":
        return this.#run(message);
      case "reply":
        return this.#running.get(message.id)?.receive(message);
      case "cancel":
        return this.#running.get(message.id)?.cancel();
      case "requestChunk":
      case "requestEnd":
      case "clientGone":
      case "responseTaken":
        return /** @type {any} */ (this.#running.get(message.id))?.[message.type]?.(message);
      default:
        return undefined;
    }
  }

  /** @param {Load} message */
  #load(message) {
    holdTo(message.limits);
    this.#deployment = new Deployment(message);
    if (!this.compilesLater) this.#compileAll(message.modules);
    this.#definitions.clear();
    this.#components.clear();
    this.realms.forget((deployment) => this.#isLoaded(deployment));
    this.channel.send({ type: "loaded", deployment: message.deployment });
    this.#useIdleTime();
  }

  /** @param {GivenModule[]} modules  the deployment's */
  #compileAll(modules) {
    const compile = () => {
      while (this.#deployment.modules.compileNext());
    };
    const isLittle = modules.reduce((length, { source }) => length + source.length, 0) <= LITTLE_TEXT;
    if (isLittle && !this.#hasCompiled) unoptimized(compile);
    else compile();
    this.#hasCompiled = true;
  }

  /** A component of which functions will be run; the code of its definition comes with the first one. @param {MeetComponent} message */
  #meetComponent({ component, definition, env, modules }) {
    if (modules !== undefined) this.#definitions.set(definition, new ModuleSet(modules));
    const code = /** @type {ModuleSet} */ (this.#definitions.get(definition));
    this.#components.set(component, this.#deployment.withModules(code, env));
  }

  /** @param {Deployment} deployment */
  #isLoaded(deployment) {
    return deployment === this.#deployment || [...this.#components.values()].includes(deployment);
  }

  /** @param {Run} message */
  #run(message) {
    const deployment = message.component === undefined ? this.#deployment : this.#components.get(message.component);
    const execution = new EXECUTIONS[message.kind](/** @type {Deployment} */ (deployment), message, this);
    this.#running.set(message.id, execution);
    execution.start();
  }

  /** @param {Analyze} message */
  async #analyze(message) {
    const { analyze } = await import("./analysis/analysis.mjs");
    // At once: a module that ends the process, or never comes to an end, cannot be named afterwards.
    const onModule = (/** @type {string} */ path) => {
      this.channel.send({ type: "importing", id: message.id, path });
      this.channel.flush();
    };
    this.channel.send(await analyze(this.#deployment, message, onModule));
  }

  /**
   * A promise was rejected, and nobody handled it by the time the microtasks had drained.
   * @param {UserValue} reason
   * @param {Promise<unknown>} promise
   */
  onUnhandledRejection(reason, promise) {
    const realm = realmOfPromise(promise);
    const execution = realm === null ? this.steps.active : realm.execution;
    execution?.onUnhandledRejection(reason);
  }

  /**
   * An exception that user code threw where nobody could catch it, such as in an event listener.
   * @param {unknown} error
   */
  onUncaughtException(error) {
    if (this.steps.active === null) throw error;
    this.steps.active.onUnhandledRejection(error);
  }

  /** Compiles and evaluates modules ahead of calls while nothing else is to be done: one at a time, so that a call waits for one at most. */
  #useIdleTime() {
    const more = () => {
      if (this.steps.isBusy) return;
      const isCurrent = (/** @type {Deployment} */ deployment) =>
        this.#isLoaded(deployment) && this.steps.memory.hasPlenty();
      if (this.#deployment.modules.compileNext() || this.realms.prepareOne(isCurrent)) setImmediate(more);
    };
    setImmediate(more);
  }
}
