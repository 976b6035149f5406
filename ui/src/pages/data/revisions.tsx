import { useMutation } from "convex/react";
import { type JSONValue, jsonToConvex, type Value } from "convex/values";
import { useEffect, useState } from "react";
import { request } from "../../deployment/requests";
import { system } from "../../deployment/system";
import { Button } from "../../parts/button";
import { Dialog } from "../../parts/dialog";
import { Empty, Loading, Problem } from "../../parts/states";
import { msOf, Time } from "../../parts/times";
import { useEdit } from "../../parts/use_edit";
import { withoutSystemFields } from "../../parts/values";
import { useSession } from "../../session/session";
import { useComponent } from "../../shell/component";
import { differences } from "./difference";

interface Revision {
  ts: string;
  document: Record<string, Value> | null;
}

/** What became of a document within the last hour: what each change changed, and a way back. */
export function Revisions({ id, seen, onClose }: { id: string; seen?: number; onClose: () => void }) {
  const { key, readOnly } = useSession();
  const { componentId } = useComponent();
  const [told, setTold] = useState<{ revisions: Revision[]; hasMore: boolean }>();
  const [turn, setTurn] = useState(0);
  const replace = useMutation(system.replaceDocument);
  const { isRunning, problem, run } = useEdit();
  const [failure, setFailure] = useState<string | null>(null);
  useEffect(() => {
    let isCurrent = true;
    const query = new URLSearchParams({ id, componentId: componentId ?? "" });
    if (seen !== undefined) query.set("at", String(seen));
    request<{ revisions: { ts: string; document: JSONValue }[]; hasMore: boolean }>(
      key,
      `/api/parabola/revisions?${query}`,
    )
      .then((answer) => {
        if (!isCurrent) return;
        const revisions = answer.revisions.map(({ ts, document }) => ({
          ts,
          document: document === null ? null : (jsonToConvex(document) as Record<string, Value>),
        }));
        setTold({ revisions, hasMore: answer.hasMore });
      })
      .catch((error: unknown) => isCurrent && setFailure((error as Error).message));
    return () => {
      isCurrent = false;
    };
  }, [id, key, componentId, seen, turn]);
  const revisions = told?.revisions ?? [];
  const isThere = revisions[0]?.document != null;
  return (
    <Dialog title={`The last hour of ${id}`} onClose={onClose} wide>
      {failure !== null && <Problem>{failure}</Problem>}
      {problem !== null && <Problem>{problem}</Problem>}
      {told === undefined ? (
        failure === null && <Loading what="the revisions" />
      ) : revisions.length === 0 ? (
        <Empty title="Nothing is known of this document within the last hour." />
      ) : (
        <ol className="flex flex-col gap-4">
          {revisions.map((revision, place) => {
            const before = revisions[place + 1];
            const { document } = revision;
            return (
              <li key={revision.ts} className="rounded-md border border-line p-3">
                <div className="mb-2 flex flex-wrap items-center gap-3">
                  <Time ms={msOf(BigInt(revision.ts))} />
                  <span className={document === null ? "text-bad" : "text-quiet"}>
                    {document === null ? "deleted" : before === undefined ? "this is how it was" : "changed"}
                    {place === 0 && document !== null && ", and is now"}
                  </span>
                  {place > 0 && document !== null && isThere && (
                    <Button
                      className="ml-auto"
                      disabled={readOnly || isRunning}
                      onClick={() =>
                        void run(() => replace({ componentId, id, document: withoutSystemFields(document) })).then(
                          (done) => done && setTurn(turn + 1),
                        )
                      }
                    >
                      Bring this back
                    </Button>
                  )}
                </div>
                {document !== null && <Changes before={before?.document ?? null} after={document} />}
              </li>
            );
          })}
        </ol>
      )}
      {told?.hasMore === true && <p className="text-quiet">It changed more often; these are the newest.</p>}
    </Dialog>
  );
}

function Changes({ before, after }: { before: Record<string, Value> | null; after: Record<string, Value> }) {
  const changes = differences(before, after);
  if (changes.length === 0) return <p className="text-quiet">Nothing differs.</p>;
  return (
    <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1 font-mono text-xs">
      {changes.map((change) => (
        <div key={change.field} className="contents">
          <dt>{change.field}</dt>
          <dd className="min-w-0 break-words">
            {before !== null && (
              <del className="text-bad no-underline">
                <span className="sr-only">before: </span>− {change.before ?? "not set"}
              </del>
            )}
            <ins className="block text-good no-underline">
              <span className="sr-only">after: </span>+ {change.after ?? "not set"}
            </ins>
          </dd>
        </div>
      ))}
    </dl>
  );
}
