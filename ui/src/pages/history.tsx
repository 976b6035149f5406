import { usePaginatedQuery } from "convex/react";
import { useMemo, useState } from "react";
import { type DeploymentEvent, system } from "../deployment/system";
import { More } from "../parts/more";
import { Empty, Loading } from "../parts/states";
import { Time } from "../parts/times";
import { toText } from "../parts/values";
import { PageHead } from "../shell/shell";

const PAGE = 50;

/** What each action is called by people, where its name alone does not say it. */
const NAMES: Record<string, string> = {
  push_config_with_components: "Push",
  create_environment_variable: "Variable added",
  update_environment_variable: "Variable changed",
  delete_environment_variable: "Variable removed",
  request_export: "Export",
  update_documents: "Update documents",
  cancel_scheduled_function: "Cancel a scheduled function",
  snapshot_import: "Import",
};

/** What was changed on the deployment, by whom and when. */
export default function History() {
  const [action, setAction] = useState("");
  const filters = useMemo(() => (action === "" ? {} : { actions: [action] }), [action]);
  const events = usePaginatedQuery(system.events, { componentId: null, filters }, { initialNumItems: PAGE });
  const [seen, setSeen] = useState<ReadonlySet<string>>(new Set());
  const known = useMemo(
    () => new Set([...seen, ...events.results.map((event) => event.action)]),
    [seen, events.results],
  );
  if (known.size > seen.size) setSeen(known);
  return (
    <>
      <PageHead name="History">
        <label className="flex items-center gap-2">
          <span className="text-quiet">Show</span>
          <select
            value={action}
            onChange={(event) => setAction(event.target.value)}
            className="min-h-8 rounded-md border border-line bg-surface px-2"
          >
            <option value="">everything</option>
            {[...known].sort().map((each) => (
              <option key={each} value={each}>
                {nameOf(each)}
              </option>
            ))}
          </select>
        </label>
      </PageHead>
      {events.status === "LoadingFirstPage" ? (
        <Loading what="the history" />
      ) : events.results.length === 0 ? (
        <Empty title="Nothing has been changed yet.">
          Pushes, variables, imports and edits by hand are written down here.
        </Empty>
      ) : (
        <ol className="divide-y divide-line">
          {events.results.map((event) => (
            <Line key={event._id} event={event} />
          ))}
        </ol>
      )}
      <More status={events.status} onMore={() => events.loadMore(PAGE)} />
    </>
  );
}

function Line({ event }: { event: DeploymentEvent }) {
  return (
    <li className="px-5 py-2">
      <details>
        <summary className="flex flex-wrap items-baseline gap-x-4 gap-y-1">
          <span className="font-medium">{nameOf(event.action)}</span>
          <span className="grow text-quiet">{gist(event)}</span>
          {event.author !== undefined && <span>{event.author}</span>}
          <Time ms={event._creationTime} />
        </summary>
        <pre className="mt-2 overflow-x-auto rounded-md bg-raised p-3 font-mono text-xs">{toText(event.metadata)}</pre>
      </details>
    </li>
  );
}

function nameOf(action: string): string {
  return NAMES[action] ?? action.replaceAll("_", " ").replace(/^./, (first) => first.toUpperCase());
}

/** What an event is about, in a few words. */
function gist({ metadata }: DeploymentEvent): string {
  for (const name of ["message", "variable_name", "table", "name", "id"]) {
    const value = metadata[name];
    if (typeof value === "string") return value;
  }
  return "";
}
