import { Plus } from "lucide-react";
import { useState } from "react";
import { request } from "../../deployment/requests";
import { usePolled } from "../../deployment/use_polled";
import { Button } from "../../parts/button";
import { Confirm, Dialog } from "../../parts/dialog";
import { Empty, Loading, Problem } from "../../parts/states";
import { Table } from "../../parts/table";
import { useEdit } from "../../parts/use_edit";
import { useSession } from "../../session/session";
import { KINDS, type LogStream, titleOf } from "./kinds";
import { StreamForm } from "./stream_form";

const LOOK_MS = 2000;

type Doing = { what: "add" } | { what: "edit" | "delete" | "secret"; stream: LogStream };

/** Where what happens is sent, and how that goes. */
export function LogStreams() {
  const { key, readOnly } = useSession();
  const [turn, setTurn] = useState(0);
  const { answer: streams, problem } = usePolled<LogStream[]>(`/api/v1/list_log_streams?turn=${turn}`, LOOK_MS);
  const [doing, setDoing] = useState<Doing | null>(null);
  const removal = useEdit();
  const close = () => setDoing(null);
  const done = () => {
    setDoing(null);
    setTurn(turn + 1);
  };
  const taken = new Set(streams?.map((stream) => stream.logStreamType));
  const free = Object.keys(KINDS).filter((type) => !taken.has(type));
  return (
    <section aria-labelledby="log-streams" className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center gap-3">
        <h2 id="log-streams" className="mr-auto text-base font-semibold">
          Log streams
        </h2>
        <Button
          disabled={readOnly || streams === undefined || free.length === 0}
          onClick={() => setDoing({ what: "add" })}
        >
          <Plus size={16} aria-hidden /> New log stream
        </Button>
      </div>
      {problem !== null && <Problem>{problem}</Problem>}
      {removal.problem !== null && <Problem>{removal.problem}</Problem>}
      {streams === undefined ? (
        problem === null && <Loading what="the log streams" />
      ) : streams.length === 0 ? (
        <Empty title="Nothing is sent elsewhere.">
          A log stream sends what functions log, and how they end, to a service or into files. There may be one of each
          kind.
        </Empty>
      ) : (
        <Table heads={["Where to", "State", "Sent", "Dropped", "What", ""]} label="Log streams">
          {streams.map((stream) => (
            <tr key={stream.id}>
              <td>
                {titleOf(stream.logStreamType)}
                <span className="block font-mono text-xs break-all text-quiet">{addressOf(stream)}</span>
              </td>
              <td className="min-w-24">
                <State stream={stream} />
              </td>
              <td className="tabular-nums">{stream.delivery?.sent ?? "–"}</td>
              <td className={`tabular-nums ${(stream.delivery?.dropped ?? 0) > 0 ? "text-bad" : ""}`}>
                {stream.delivery?.dropped ?? "–"}
              </td>
              <td className="min-w-40">{contentsOf(stream)}</td>
              <td>
                <div className="flex justify-end gap-2">
                  {stream.hmacSecret !== undefined && (
                    <Button disabled={readOnly} onClick={() => setDoing({ what: "secret", stream })}>
                      Secret
                    </Button>
                  )}
                  <Button disabled={readOnly} onClick={() => setDoing({ what: "edit", stream })}>
                    Edit<span className="sr-only"> {titleOf(stream.logStreamType)}</span>
                  </Button>
                  <Button kind="danger" disabled={readOnly} onClick={() => setDoing({ what: "delete", stream })}>
                    Delete<span className="sr-only"> {titleOf(stream.logStreamType)}</span>
                  </Button>
                </div>
              </td>
            </tr>
          ))}
        </Table>
      )}
      {doing?.what === "add" && <StreamForm stream={null} kinds={free} onDone={done} onClose={close} />}
      {doing?.what === "edit" && <StreamForm stream={doing.stream} kinds={[]} onDone={done} onClose={close} />}
      {doing?.what === "secret" && (
        <Secret
          stream={streams?.find((each) => each.id === doing.stream.id) ?? doing.stream}
          onRotated={() => setTurn(turn + 1)}
          onClose={close}
        />
      )}
      {doing?.what === "delete" && (
        <Confirm
          title={`Delete the log stream to ${titleOf(doing.stream.logStreamType)}?`}
          verb="Delete"
          onClose={close}
          onConfirm={() =>
            void removal
              .run(() => request(key, `/api/v1/delete_log_stream/${doing.stream.id}`, { method: "POST" }))
              .then(() => setTurn(turn + 1))
          }
        >
          It is sent nothing more. What has arrived stays there.
        </Confirm>
      )}
    </section>
  );
}

function State({ stream }: { stream: LogStream }) {
  const { status, delivery } = stream;
  if (status.type === "failed")
    return (
      <>
        <span className="text-bad">failed</span>
        <span className="block text-xs text-quiet">{status.reason}</span>
      </>
    );
  if (status.type !== "active") return <>{status.type === "pending" ? "is being asked…" : "is going…"}</>;
  if (delivery?.failure)
    return (
      <>
        <span className="text-warm">is not taken</span>
        <span className="block text-xs text-quiet">{delivery.failure}</span>
      </>
    );
  return <span className="text-good">active</span>;
}

/** The secret by which a webhook knows that a request is this server's. */
function Secret(props: { stream: LogStream; onRotated: () => void; onClose: () => void }) {
  const { key } = useSession();
  const { isRunning, problem, run } = useEdit();
  const [secret, setSecret] = useState(props.stream.hmacSecret ?? "");
  const rotate = () =>
    run(async () => {
      const path = `/api/v1/rotate_webhook_secret/${props.stream.id}`;
      const answer = await request<{ hmacSecret: string }>(key, path, { method: "POST" });
      setSecret(answer.hmacSecret);
      props.onRotated();
    });
  return (
    <Dialog title="The secret of the webhook" onClose={props.onClose}>
      <p>
        Every request has a header <code className="font-mono">x-webhook-signature</code>: the HMAC-SHA-256 of its body
        by this secret.
      </p>
      <label className="flex flex-col gap-1">
        Secret
        <input
          readOnly
          value={secret}
          onFocus={(event) => event.target.select()}
          className="min-h-8 rounded-md border border-line bg-page px-2 font-mono"
        />
      </label>
      {problem !== null && <Problem>{problem}</Problem>}
      <div className="flex justify-end gap-2">
        <Button kind="danger" disabled={isRunning} onClick={() => void rotate()}>
          Make another one
        </Button>
        <Button kind="primary" onClick={() => void navigator.clipboard.writeText(secret)}>
          Copy it
        </Button>
      </div>
    </Dialog>
  );
}

function addressOf(stream: LogStream): string {
  const known = ["url", "endpoint", "datasetName", "siteLocation", "host"].map((name) => stream[name]);
  return String(known.find((each) => typeof each === "string" && each !== "") ?? "");
}

function contentsOf(stream: LogStream): string {
  if (KINDS[stream.logStreamType]?.hasTopics === false) return "failures";
  return stream.topics == null ? "everything" : stream.topics.join(", ");
}
