/** What the parts of the host are to each other. Types alone: not in the package. */
import type { Channel } from "../channel.mjs";
import type { FunctionRun } from "../executions/function_run.mjs";
import type { NodeRun } from "../executions/node_run.mjs";
import type { MemoryUse } from "../executions/memory.mjs";
import type { StepQueue } from "../executions/steps.mjs";
import type { Realm } from "../realm.mjs";
import type { RealmPool } from "../realm_pool.mjs";
import type { StackFrames } from "../stack_frames.mjs";
import type { UserValue } from "./protocol";

/** The host as a call of the default runtime sees it. */
export interface RunHost {
  steps: StepQueue;
  channel: Channel;
  realms: RealmPool;
  onEnd(run: FunctionRun): void;
}

/** The host as a "use node" action sees it. */
export interface NodeRunHost {
  channel: Channel;
  stackFrames: StackFrames;
  importModule(path: string): Promise<UserValue>;
  onCalls(run: NodeRun): void;
  onEnd(run: NodeRun): void;
}

/** What runs in steps. */
export interface Stepped {
  id: number;
  /** What it runs; empty for what is no function. */
  name: string;
  /** Nanoseconds of user time in finished steps, and what others have used of the same limit. */
  userTime: bigint;
  othersTime: bigint;
  memory: MemoryUse;
  isOverMemory: boolean;
  ended: boolean;
  isNested: boolean;
  onUnhandledRejection(reason: UserValue): void;
  goOn(): boolean;
  settle(): void;
  abort(error: unknown): void;
}

/** The modules that one execution has instantiated: by our own factories, and by V8's loader. */
export interface ModuleInstances {
  made: Map<string, ModuleInstance>;
  native: Map<string, import("node:vm").SourceTextModule>;
}

export interface ModuleInstance {
  /** Its own exports, by name; null before it has been linked. */
  exports: UserValue;
  isEarly: boolean;
  readonly namespace: object;
}

/** A module evaluated in a realm; pending where V8's loader is needed. */
export type Instantiated = { namespace: UserValue; isPending: boolean };
