import { Check, Copy, HardDriveDownload } from "lucide-react";
import { type ReactNode, useState } from "react";
import { request } from "../deployment/requests";
import { usePolled } from "../deployment/use_polled";
import { Button } from "../parts/button";
import { Empty, Loading, Problem } from "../parts/states";
import { Table } from "../parts/table";
import { sizeText, Time } from "../parts/times";
import { useEdit } from "../parts/use_edit";
import { useSession } from "../session/session";
import { PageHead } from "../shell/shell";
import { ageText, restoreCommand } from "./backup_words";

interface Failure {
  at: number;
  message: string;
}

interface Backup {
  name: string;
  madeAt: number;
  version: string;
  documents: number;
  bytes: number;
  files: number;
  fileBytes: number;
  hasLog: boolean;
  verified: { isWhole: boolean; at: number; message: string } | null;
}

interface Kept {
  isConfigured: true;
  place: string;
  times: string;
  nextDue: number | null;
  keep: { days: number; weeks: number };
  isKeeper: boolean;
  problem: string | null;
  backups: Backup[];
  making: { since: number; said: string } | null;
  failed: Failure | null;
  verifying: string | null;
  log: { isOn: boolean; reached: number | null; lagSeconds: number; failed: Failure | null };
}

type State = Kept | { isConfigured: false; directory: string };

/** Which backups there are, how far the log of what is committed has come, and how one gets back. */
export default function Backups() {
  const { key, readOnly } = useSession();
  const { answer, problem } = usePolled<State>("/api/parabola/backups", 2_000);
  const { isRunning, problem: refusal, run } = useEdit();
  const post = (path: string, body: unknown) =>
    void run(() =>
      request(key, `/api/parabola/backups/${path}`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
      }),
    );
  const isMaking = answer?.isConfigured === true && answer.making !== null;
  return (
    <>
      <PageHead name="Backups">
        {answer?.isConfigured && (
          <Button kind="primary" disabled={readOnly || isRunning || isMaking} onClick={() => post("make", {})}>
            <HardDriveDownload size={16} aria-hidden /> Back up now
          </Button>
        )}
      </PageHead>
      {problem !== null && <Problem>{problem}</Problem>}
      {refusal !== null && <Problem>{refusal}</Problem>}
      {answer === undefined ? (
        problem === null && <Loading what="the backups" />
      ) : answer.isConfigured ? (
        <KeptBackups state={answer} onVerify={(name) => post("verify", { name })} isBusy={readOnly || isRunning} />
      ) : (
        <Empty title="This server makes no backups of itself.">
          <p>
            Start it with a place to keep them in, a directory or an object store. It makes one each night, and keeps
            every commit in between:
          </p>
          <Command>parabola serve --backup-to s3://bucket/my-app</Command>
          <p className="mt-4">Or make one now, while it runs, from a terminal on this machine:</p>
          <Command>{`parabola backup /backup/my-app --data ${answer.directory}`}</Command>
        </Empty>
      )}
    </>
  );
}

function KeptBackups(props: { state: Kept; onVerify: (name: string) => void; isBusy: boolean }) {
  const { state } = props;
  const newest = state.backups[0];
  const now = Date.now() / 1000;
  return (
    <div className="flex flex-col gap-6 py-5">
      {(state.problem ?? state.failed ?? state.log.failed) !== null && (
        <div className="flex flex-col gap-2 px-5">
          {state.problem !== null && <Problem>{state.problem}</Problem>}
          {state.failed !== null && (
            <Problem>
              The last backup failed, {ageText(now - state.failed.at)} ago: {state.failed.message}
            </Problem>
          )}
          {state.log.failed !== null && (
            <Problem>
              Nothing is kept since {ageText(now - state.log.failed.at)}: {state.log.failed.message}
            </Problem>
          )}
        </div>
      )}
      {state.making !== null && (
        <p role="status" className="mx-5 rounded-md bg-raised px-3 py-2">
          A backup is being made, for {ageText(now - state.making.since)}: {state.making.said}…
        </p>
      )}
      <dl className="grid gap-x-8 gap-y-3 px-5 sm:grid-cols-2 xl:grid-cols-4">
        <Fact name="Place">
          <span className="font-mono break-all">{state.place}</span>
        </Fact>
        <Fact name="When">
          {state.times}
          {state.nextDue !== null && (
            <span className="block text-quiet">
              next: <Time ms={state.nextDue * 1000} />
            </span>
          )}
        </Fact>
        <Fact name="Kept">
          the last of each of {state.keep.days} days
          {state.keep.weeks > 0 && ` and ${state.keep.weeks} weeks`}
        </Fact>
        <Fact name="Log of commits">
          <Log state={state} />
        </Fact>
      </dl>
      <section aria-labelledby="kept">
        <h2 id="kept" className="px-5 pb-1 font-semibold">
          {newest === undefined ? "Backups" : `Backups: the newest is ${ageText(now - newest.madeAt)} old`}
        </h2>
        {newest === undefined ? (
          <Empty title="There is no backup yet.">The first one is made when the server starts.</Empty>
        ) : (
          <Table heads={["Made", "Database", "Documents", "Stored files", "Goes on", "Whole", ""]} label="Backups">
            {state.backups.map((each) => (
              <tr key={each.name}>
                <td>
                  <Time ms={each.madeAt * 1000} />
                  <span className="block font-mono text-xs text-quiet">{each.name}</span>
                </td>
                <td className="tabular-nums whitespace-nowrap">{sizeText(each.bytes)}</td>
                <td className="tabular-nums">{each.documents.toLocaleString()}</td>
                <td className="tabular-nums whitespace-nowrap">
                  {each.files === 0 ? "–" : `${each.files.toLocaleString()}, ${sizeText(each.fileBytes)}`}
                </td>
                <td>{each.hasLog ? "with the log" : "–"}</td>
                <td>
                  <Whole backup={each} isLookedAt={state.verifying === each.name} />
                </td>
                <td className="text-right">
                  <Button
                    disabled={props.isBusy || state.verifying !== null}
                    onClick={() => props.onVerify(each.name)}
                    aria-label={`Verify ${each.name}`}
                  >
                    Verify
                  </Button>
                </td>
              </tr>
            ))}
          </Table>
        )}
      </section>
      {newest !== undefined && <Restore state={state} />}
    </div>
  );
}

function Log({ state: { log, isKeeper } }: { state: Kept }) {
  if (!log.isOn) return <>none: a loss is what came since the last backup</>;
  if (!isKeeper) return <>another node keeps it</>;
  if (log.reached === null) return <>begins with the first backup</>;
  if (log.lagSeconds > 5) return <span className="text-bad">{ageText(log.lagSeconds)} behind</span>;
  return (
    <>
      <span className="text-good">up to date</span>
      <span className="block text-quiet">
        newest: <Time ms={log.reached * 1000} />
      </span>
    </>
  );
}

function Whole({ backup, isLookedAt }: { backup: Backup; isLookedAt: boolean }) {
  const { verified } = backup;
  if (isLookedAt) return <span role="status">is being read…</span>;
  if (verified === null) return <span className="text-quiet">not looked at</span>;
  if (!verified.isWhole) return <span className="text-bad">{verified.message}</span>;
  return (
    <span className="text-good">
      whole
      <span className="block whitespace-nowrap text-quiet">
        <Time ms={verified.at * 1000} />
      </span>
    </span>
  );
}

/** The command that brings the newest state back, or a moment that somebody chooses. */
function Restore({ state }: { state: Kept }) {
  const [at, setAt] = useState("");
  return (
    <section aria-labelledby="restore" className="flex flex-col gap-2 px-5">
      <h2 id="restore" className="font-semibold">
        Restore
      </h2>
      <p className="max-w-prose text-quiet">
        On any machine, into a directory that is not there yet; then a server is started on it. Everything is checked
        first. The instance’s secret is in no backup.
      </p>
      {state.log.isOn && (
        <label className="flex flex-wrap items-center gap-2">
          As of
          <input
            type="datetime-local"
            step="1"
            value={at}
            onChange={(event) => setAt(event.target.value)}
            className="min-h-8 rounded-md border border-line bg-surface px-2"
          />
          <span className="text-quiet">{at === "" ? "the newest commit" : "in your own time"}</span>
        </label>
      )}
      <Command>{restoreCommand(state.place, at)}</Command>
    </section>
  );
}

function Command({ children }: { children: string }) {
  const [isCopied, setIsCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(children);
    setIsCopied(true);
  };
  return (
    <div className="flex max-w-full items-start gap-2 rounded-md bg-raised p-2 text-left">
      <code className="min-w-0 grow py-1 font-mono break-words text-ink whitespace-pre-wrap">{children}</code>
      <Button kind="quiet" onClick={() => void copy()} aria-label="Copy the command">
        {isCopied ? <Check size={16} aria-hidden /> : <Copy size={16} aria-hidden />}
      </Button>
    </div>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt className="text-quiet">{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
