/** Queries and mutations: many in flight in one process, each in a realm of its own. */
import { Deployment } from "./deployment.mjs";
import { RealmPool } from "./realm_pool.mjs";
import { TransactionalExecution } from "./transactional_execution.mjs";

export class TransactionalHost {
  #running = new Map();
  #deployment = null;

  /** @param {{channel: object, steps: import("./steps.mjs").StepQueue}} parts */
  constructor({ channel, steps }) {
    this.channel = channel;
    this.steps = steps;
    this.realms = new RealmPool();
    this.onEnd = (id) => this.#running.delete(id);
    steps.onIdle = () => this.#useIdleTime();
  }

  load(message) {
    this.#deployment = new Deployment(message);
    this.realms.forget((deployment) => deployment === this.#deployment);
  }

  get deployment() {
    return this.#deployment;
  }

  run(message) {
    const execution = new TransactionalExecution(this.#deployment, message, this);
    this.#running.set(message.id, execution);
    execution.start();
  }

  reply(message) {
    this.#running.get(message.id)?.receive(message);
  }

  cancel({ id }) {
    this.#running.get(id)?.cancel();
  }

  /** Evaluates modules ahead of calls while nothing else is to be done: one at a time, so that a call waits for one at most. */
  #useIdleTime() {
    const more = () => {
      if (this.steps.isBusy) return;
      if (this.realms.prepareOne((deployment) => deployment === this.#deployment)) setImmediate(more);
    };
    setImmediate(more);
  }
}
