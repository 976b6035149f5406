/** The messages between the engine and the Node.js host (docs/explanation/host-protocol.md). Types alone: not in the package. */

/** A value that user code made: it may be anything, and do anything when it is looked at. */
export type UserValue = any;

// ---- engine to host --------------------------------------------------------------------------------------------

export interface ModuleText {
  source: string;
  sourceMap?: string | null;
}

export interface GivenModule extends ModuleText {
  path: string;
}

export interface Load {
  type: "load";
  /** The deployment's name. */
  deployment: string;
  modules: GivenModule[];
  env?: Record<string, string>;
  instance?: { cloudUrl?: string; siteUrl?: string };
  /** Clock in milliseconds, and any text as the seed. */
  importPhase?: { now?: number; seed?: string };
  /** What functions are held to (limits.mjs), by name. */
  limits?: Record<string, number>;
  /** The folder with external packages. */
  nodeModules?: string;
}

/** Where a component is defined: path "" is the app. */
export interface GivenDefinition {
  path: string;
  module: ModuleText;
}

/** What an analysis is asked about, whatever its phase. */
export interface Question {
  paths?: string[];
  modules?: GivenModule[];
  module?: ModuleText;
  definitions?: GivenDefinition[];
}

export interface Analyze extends Question {
  type: "analyze";
  id: number;
  phase: string;
}

export type FunctionKind = "query" | "mutation" | "action";

/** A component of which functions will be run, with the code of its definition where that is new to the host. */
export interface MeetComponent {
  type: "component";
  component: string;
  definition: string;
  env: Record<string, string>;
  modules?: GivenModule[];
}

export interface Run {
  type: "run";
  id: number;
  kind: FunctionKind | "httpAction";
  path: string;
  args: UserValue;
  /** Milliseconds. */
  now: number;
  /** Hex digits. */
  seed: string;
  /** Nanoseconds, in decimal digits. */
  snapshotTs: string;
  requestId: string;
  tables?: Record<string, number>;
  userMsUsed?: number;
  /** Whose function it is, where it is not the app's. */
  component?: string;
  nested?: boolean;
  trace?: TraceHeaders;
  ahead?: Ahead;
}

/** Answers to calls that a run will probably make. */
export interface Ahead {
  /** Reads, as the host would send them, and the values that they have. */
  calls: string[];
  replies: UserValue[];
  /** How many writes may be answered as if they had succeeded. */
  writes: number;
  /** Those of the next inserts, by table. */
  ids: Record<string, string[]>;
}

/** The headers that name the trace a call belongs to, for whatever it asks others. */
export interface TraceHeaders {
  traceparent: string;
  tracestate?: string;
}

/** The request of an HTTP action, as `args` of its run has it. */
export interface GivenRequest {
  method: string;
  url: string;
  headerPairs?: [string, string][];
  /** The whole in base64, null for none, true where it follows. */
  body: string | true | null;
  streamResponse?: boolean;
  routePath?: string;
}

/** What `Convex.jsSyscall("requestFromConvexJson")` is given: what the host has written, or user code has made up. */
export interface RequestDescription {
  url: string;
  method: string;
  headerPairs: [string, string][];
  streamId: string | null;
}

/** A file to store, as the library describes it. */
export interface StoreArguments {
  requestId: string;
  version: string;
  options?: { sha256?: string };
}

/** A file that is asked for. */
export interface GetArguments {
  requestId: string;
  version: string;
  storageId: string;
}

export interface EngineError {
  message: string;
  data?: UserValue;
}

/** The answer to a call: either a value, or an error. */
export interface EngineAnswer {
  value?: UserValue;
  error?: EngineError;
}

export interface EngineReply extends EngineAnswer {
  call: number;
}

export interface Reply {
  type: "reply";
  id: number;
  replies: EngineReply[];
  tables?: Record<string, number>;
  userMsUsed?: number;
  /** Whether whoever gave answers with the run executes what comes next. */
  ahead?: boolean;
}

export type OfRequest =
  | { type: "requestChunk"; id: number; data: string }
  | { type: "requestEnd"; id: number }
  | { type: "clientGone"; id: number }
  | { type: "responseTaken"; id: number; bytes: number };

export type FromEngine =
  Load | MeetComponent | Analyze | Run | Reply | { type: "cancel"; id: number } | OfRequest | { type: "shutdown" };

// ---- host to engine --------------------------------------------------------------------------------------------

export type Level = "DEBUG" | "LOG" | "INFO" | "WARN" | "ERROR";

export interface LogLine {
  level: Level;
  messages: string[];
  /** Milliseconds. */
  timestamp: number;
  isTruncated: boolean;
  systemMetadata?: { code: string };
}

/** Why an execution has failed. */
export interface Failure {
  message: string;
  /** Without the leading "at". */
  frames?: string[];
  /** JSON text of a ConvexError's data. */
  data?: string;
}

export type FailureKind = "user" | "stuck" | "timeout" | "memory";

/** A failure that is raised inside a realm. */
export interface Raised {
  /** The name of a class of errors: "Error" by default. */
  type?: string;
  message: string;
  /** JSON text. */
  data?: string;
}

export interface Failed {
  type: "failed";
  id: number;
  kind: FailureKind;
  error: { message: string; code?: string };
  logs?: LogLine[];
  usage?: object;
}

export interface Analysis {
  type: "analysis";
  id: number;
  result: object;
}

export type FromHost =
  | {
      type: "ready";
      protocol: number;
      language: string;
      pid: number;
      version: string;
      tellsOfCalm: boolean;
      id?: undefined;
    }
  | { type: "loaded"; deployment: string; id?: undefined }
  | { type: "loadFailed"; deployment: string; error: { message: string }; id?: undefined }
  | Analysis
  | Failed
  | { type: "importing"; id: number; path: string }
  | { type: "log"; id: number; lines: LogLine[] }
  | { type: "free"; id: number }
  | { type: "requestTaken"; id: number; bytes: number }
  | { type: "responseHead"; id: number; status: number; headers: [string, string][] }
  | { type: "responseChunk"; id: number; data: string }
  | { type: "responseEnd"; id: number };

// ---- analysis --------------------------------------------------------------------------------------------------

/** Where a function is written in its author's file, counted from 0. */
export interface Position {
  path: string;
  start_lineno: number;
  start_col: number;
}

export interface AnalyzedFunction {
  name: string;
  pos: Position | null;
  udfType: string;
  visibility: { kind: "public" | "internal" } | null;
  args: string | null;
  returns: string | null;
}

export interface AnalyzedModule {
  functions: AnalyzedFunction[];
  httpRoutes: { route: { path: string; method: string }; pos: Position | null }[] | null;
  cronSpecs: object[] | null;
  sourceMapped: null;
  reuseContext?: true;
  ownLookup?: true;
}

/** What the analysis of a module depends on. */
export interface Reads {
  imports: string[];
  variables: string[];
  isFixed: boolean;
}
