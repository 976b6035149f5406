/** The kinds of log streams, with what is asked of each. */

export const TOPICS: readonly { topic: string; text: string }[] = [
  { topic: "function_execution", text: "how every function ended" },
  { topic: "console", text: "lines that functions write" },
  { topic: "audit_log", text: "what administrators did" },
  { topic: "scheduler_stats", text: "scheduled functions, once a minute" },
  { topic: "scheduled_job_lag", text: "how late they are" },
  { topic: "concurrency_stats", text: "how much runs, once a minute" },
  { topic: "current_storage_usage", text: "what is stored, once an hour" },
  { topic: "storage_api_bandwidth", text: "downloads of files" },
  { topic: "log_stream_egress", text: "bytes sent to log streams" },
  { topic: "custom_audit", text: "what functions write into the audit log" },
];

/** One thing that is asked. `pairs` are lines of `name: value`, `list` is words with commas between. */
export interface Field {
  name: string;
  label: string;
  kind: "text" | "secret" | "choice" | "list" | "pairs" | "secretPairs" | "record" | "number";
  choices?: readonly string[];
  hint?: string;
  isOptional?: boolean;
  initial?: string;
}

export interface Kind {
  title: string;
  about: string;
  hasTopics: boolean;
  fields: readonly Field[];
}

export const KINDS: Readonly<Record<string, Kind>> = {
  webhook: {
    title: "Webhook",
    about: "Any server of yours. Requests are signed with a secret.",
    hasTopics: true,
    fields: [
      { name: "url", label: "Address", kind: "text", hint: "https://logs.example.com/in" },
      { name: "format", label: "Format", kind: "choice", choices: ["json", "jsonl"], initial: "json" },
    ],
  },
  otlp: {
    title: "OpenTelemetry",
    about: "Whatever takes logs by OTLP over HTTP, such as its Collector.",
    hasTopics: true,
    fields: [
      { name: "endpoint", label: "Address", kind: "text", hint: "http://collector:4318/v1/logs" },
      { name: "format", label: "Format", kind: "choice", choices: ["json", "protobuf"], initial: "json" },
      { name: "headers", label: "Headers", kind: "secretPairs", hint: "name: value", isOptional: true },
      { name: "serviceName", label: "Name of the service", kind: "text", isOptional: true },
    ],
  },
  file: {
    title: "Files",
    about: "Files on the server, in a folder that its operator has chosen.",
    hasTopics: true,
    fields: [
      { name: "maxMegabytes", label: "Megabytes of a file", kind: "number", initial: "64" },
      { name: "maxFiles", label: "Files that are kept", kind: "number", initial: "8" },
    ],
  },
  axiom: {
    title: "Axiom",
    about: "A dataset of Axiom.",
    hasTopics: true,
    fields: [
      { name: "datasetName", label: "Dataset", kind: "text" },
      { name: "apiKey", label: "API key", kind: "secret" },
      { name: "attributes", label: "Attributes of every event", kind: "pairs", hint: "name: value", isOptional: true },
      {
        name: "ingestUrl",
        label: "Where to",
        kind: "choice",
        choices: ["", "https://us-east-1.aws.edge.axiom.co", "https://eu-central-1.aws.edge.axiom.co"],
        isOptional: true,
      },
    ],
  },
  datadog: {
    title: "Datadog",
    about: "The logs of Datadog.",
    hasTopics: true,
    fields: [
      {
        name: "siteLocation",
        label: "Site",
        kind: "choice",
        choices: ["US1", "US3", "US5", "EU", "US1_FED", "AP1"],
        initial: "US1",
      },
      { name: "ddApiKey", label: "API key", kind: "secret" },
      { name: "ddTags", label: "Tags", kind: "list", hint: "env:prod, team:shop", isOptional: true },
      { name: "service", label: "Service", kind: "text", isOptional: true },
    ],
  },
  sentry: {
    title: "Sentry",
    about: "It gets failures of functions, and nothing else.",
    hasTopics: false,
    fields: [
      { name: "dsn", label: "DSN", kind: "secret" },
      { name: "tags", label: "Tags", kind: "record", hint: "name: value", isOptional: true },
    ],
  },
  postHogLogs: {
    title: "PostHog logs",
    about: "The logs of a project of PostHog.",
    hasTopics: true,
    fields: [
      { name: "apiKey", label: "Project token", kind: "secret" },
      { name: "host", label: "Host", kind: "text", hint: "https://us.i.posthog.com", isOptional: true },
      { name: "serviceName", label: "Name of the service", kind: "text", isOptional: true },
    ],
  },
  postHogErrorTracking: {
    title: "PostHog error tracking",
    about: "It gets failures of functions, and nothing else.",
    hasTopics: false,
    fields: [
      { name: "apiKey", label: "Project token", kind: "secret" },
      { name: "host", label: "Host", kind: "text", hint: "https://us.i.posthog.com", isOptional: true },
    ],
  },
};

/** A stream as the server tells of it. */
export interface LogStream extends Record<string, unknown> {
  id: string;
  logStreamType: string;
  status: { type: "pending" | "active" | "deleting" } | { type: "failed"; reason: string };
  topics?: readonly string[] | null;
  hmacSecret?: string;
  /** How it goes on the node that answers. */
  delivery?: { sent: number; dropped: number; failure: string | null };
}

export function titleOf(type: string): string {
  return KINDS[type]?.title ?? type;
}

export function isSecret(field: Field): boolean {
  return field.kind === "secret" || field.kind === "secretPairs";
}

/** What stands in a field before somebody types: what the stream has, or what is usual. */
export function textOf(field: Field, stream: LogStream | null): string {
  const value = stream === null ? undefined : stream[field.name];
  if (value === undefined || value === null) return stream === null ? (field.initial ?? "") : "";
  switch (field.kind) {
    case "list":
      return (value as string[]).join(", ");
    case "pairs":
      return (value as { key: string; value: string }[]).map((each) => `${each.key}: ${each.value}`).join("\n");
    case "record":
      return Object.entries(value as Record<string, string>)
        .map(([name, text]) => `${name}: ${text}`)
        .join("\n");
    default:
      return String(value);
  }
}

/** What the server is sent. A secret that is left empty stays what it is, anything else that is left empty goes. */
export function bodyOf(
  type: string,
  texts: Readonly<Record<string, string>>,
  topics: readonly string[] | null,
  isNew: boolean,
): Record<string, unknown> {
  const kind = KINDS[type];
  const body: Record<string, unknown> = { logStreamType: type };
  for (const field of kind?.fields ?? []) {
    const text = (texts[field.name] ?? "").trim();
    if (text === "" && isSecret(field)) continue;
    const value = valueOf(field, text);
    if (value !== null || !isNew) body[field.name] = value;
  }
  if (kind?.hasTopics === true && (topics !== null || !isNew)) body.topics = topics;
  return body;
}

function valueOf(field: Field, text: string): unknown {
  switch (field.kind) {
    case "list":
      return text
        .split(",")
        .map((each) => each.trim())
        .filter((each) => each !== "");
    case "pairs":
    case "secretPairs":
      return pairsOf(text).map(([key, value]) => ({ key, value }));
    case "record":
      return text === "" ? null : Object.fromEntries(pairsOf(text));
    case "number":
      return text === "" ? null : Number(text);
    default:
      return text === "" ? null : text;
  }
}

function pairsOf(text: string): [string, string][] {
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const colon = line.indexOf(":");
      return colon < 0 ? [line.trim(), ""] : [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
    });
}
