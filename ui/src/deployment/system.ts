/**
 * The system functions of a deployment, with what they take and answer: the whole of what the dashboard knows a server
 * by. Each takes the id of a component too; null is the app.
 */
import {
  type FunctionReference,
  makeFunctionReference,
  type PaginationOptions,
  type PaginationResult,
} from "convex/server";
import type { Value } from "convex/values";

type In<Args> = Args & { componentId: string | null };
type Query<Args extends Record<string, unknown>, Result> = FunctionReference<"query", "public", In<Args>, Result>;
type Mutation<Args extends Record<string, unknown>, Result> = FunctionReference<"mutation", "public", In<Args>, Result>;
// eslint-disable-next-line @typescript-eslint/no-empty-object-type
type None = {};

function query<Args extends Record<string, unknown>, Result>(path: string): Query<Args, Result> {
  return makeFunctionReference<"query">(`_system/${path}`) as unknown as Query<Args, Result>;
}

function mutation<Args extends Record<string, unknown>, Result>(path: string): Mutation<Args, Result> {
  return makeFunctionReference<"mutation">(`_system/${path}`) as unknown as Mutation<Args, Result>;
}

export type Document = { _id: string; _creationTime: number } & Record<string, Value>;

export interface DeployedComponent {
  id: string;
  name: string | null;
  path: string;
  state: "active" | "unmounted";
  httpPrefix: string | null;
}

export interface DeployedFunction {
  name: string;
  lineno: number | null;
  udfType: "Query" | "Mutation" | "Action" | "HttpAction";
  visibility: { kind: "public" | "internal" };
  argsValidator: string;
  returnsValidator: string;
}

export interface DeployedModule {
  environment: string;
  functions: DeployedFunction[];
  cronSpecs?: [string, { udfPath: string }][];
}

export interface Edit {
  success: boolean;
  error?: string;
}

export interface StoredFile {
  _id: string;
  _creationTime: number;
  sha256: string;
  size: number;
  contentType: string | null;
  url: string | null;
}

export interface ScheduledJob {
  _id: string;
  _creationTime: number;
  udfPath: string;
  nextTs: bigint;
  state: { type: "pending" | "inProgress" };
  udfArgs: ArrayBuffer | null;
}

export interface EndedJob {
  _id: string;
  udfPath: string;
  component?: string;
  scheduledTs: number;
  completedTs: number | null;
  state: { type: "success" | "failed" | "canceled"; error?: string };
  udfArgs: ArrayBuffer;
}

export interface CronRun {
  _id: string;
  name: string;
  ts: bigint;
  udfPath: string;
  status: { type: "success" | "err" | "canceled"; error?: string };
  logLines: { logLines: string[]; isTruncated: boolean };
  executionTime: number;
}

export interface CronJob {
  _id: string;
  name: string;
  cronSpec: { udfPath: string; udfArgs: ArrayBuffer; cronSchedule: Record<string, Value> };
  lastRun: CronRun | null;
  nextRun: { nextTs: bigint; state: string } | null;
}

export interface DeploymentEvent {
  _id: string;
  _creationTime: number;
  action: string;
  author?: string;
  metadata: Record<string, Value>;
}

export interface DeclaredIndex {
  name: string;
  fields: string[] | Record<string, Value>;
  backfill: { state: string; stats?: { numDocsIndexed: number; totalDocs: number | null } };
  staged?: boolean;
  unique?: boolean;
}

export interface ExportRow {
  _id: string;
  state: "requested" | "in_progress" | "completed" | "failed";
  start_ts?: bigint;
  size?: bigint | number | null;
  progress_message?: string | null;
}

export interface ImportRow {
  _id: string;
  _creationTime: number;
  mode: string;
  state: { state: string; error_message?: string; progress_message?: string; num_rows_written?: bigint | number };
}

export const system = {
  addDocument: mutation<{ table: string; documents: Value[] }, Edit>("frontend/addDocument"),
  authProviders: query<None, Record<string, Value>[]>("frontend/listAuthProviders"),
  backendState: query<None, { user: "none" | "paused" }>("frontend/backendState:backendState"),
  cancelJob: mutation<{ id: string }, null>("frontend/scheduler:cancelJob"),
  clearTablePage: mutation<
    { tableName: string; cursor: string | null },
    { deleted: number; continueCursor: string; hasMore: boolean }
  >("frontend/clearTablePage"),
  cloudUrl: query<None, string>("frontend/convexCloudUrl"),
  components: query<None, DeployedComponent[]>("frontend/components:list"),
  createTable: mutation<{ table: string }, null>("frontend/createTable"),
  cronJobs: query<None, CronJob[]>("frontend/listCronJobs"),
  cronRuns: query<{ name?: string; paginationOpts: PaginationOptions }, PaginationResult<CronRun>>(
    "frontend/listCronJobRuns",
  ),
  endedJobs: query<{ paginationOpts: PaginationOptions }, PaginationResult<EndedJob>>("frontend/paginatedEndedJobs"),
  deleteDocuments: mutation<{ toDelete: { id: string; tableName: string }[] }, Edit>("frontend/deleteDocuments"),
  deleteFiles: mutation<{ storageIds: string[] }, null>("frontend/fileStorageV2:deleteFiles"),
  documents: query<
    { table: string; filters: string | null; paginationOpts: PaginationOptions },
    PaginationResult<Document>
  >("frontend/paginatedTableDocuments"),
  environmentVariables: query<None, { name: string; value: string }[]>("frontend/listEnvironmentVariables"),
  events: query<
    { filters: { minDate?: number; maxDate?: number; actions?: string[] }; paginationOpts: PaginationOptions },
    PaginationResult<DeploymentEvent>
  >("frontend/paginatedDeploymentEvents"),
  files: query<
    { filters: { order?: "asc" | "desc" }; paginationOpts: PaginationOptions },
    PaginationResult<StoredFile>
  >("frontend/fileStorageV2:fileMetadata"),
  imports: query<None, ImportRow[]>("frontend/snapshotImport:list"),
  indexes: query<{ tableName: string; tableNamespace: string | null }, DeclaredIndex[]>("frontend/indexes"),
  latestExport: query<None, ExportRow | null>("frontend/latestExport"),
  lastPush: query<None, DeploymentEvent | null>("frontend/deploymentEvents:lastPushEvent"),
  modules: query<None, [string, DeployedModule][]>("frontend/modules:list"),
  numberOfFiles: query<None, number>("frontend/fileStorageV2:numFiles"),
  patchFields: mutation<{ table: string; fields: Record<string, Value>; unset: string[]; ids: string[] }, Edit>(
    "frontend/patchDocumentsFields",
  ),
  replaceDocument: mutation<{ id: string; document: Record<string, Value> }, Edit>("frontend/replaceDocument"),
  runCronJob: mutation<{ name: string }, null>("frontend/runCronJobNow"),
  runJob: mutation<{ id: string }, null>("frontend/scheduler:runJobNow"),
  scheduledJobs: query<{ paginationOpts: PaginationOptions }, PaginationResult<ScheduledJob>>(
    "frontend/paginatedScheduledJobs",
  ),
  schemas: query<None, { active?: string; inProgress?: string }>("frontend/getSchemas"),
  schemaProgress: query<None, { numDocsValidated: number; totalDocs: number | null } | null>(
    "frontend/getSchemas:schemaValidationProgress",
  ),
  siteUrl: query<None, string>("frontend/convexSiteUrl"),
  tableSize: query<{ tableName: string }, number>("frontend/tableSize"),
  tables: query<None, Record<string, string>>("frontend/getTableMapping"),
  uploadUrl: mutation<None, string>("frontend/fileStorageV2:generateUploadUrl"),
  version: query<None, string>("frontend/getVersion"),
};
