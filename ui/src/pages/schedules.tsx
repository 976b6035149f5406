import { useMutation, usePaginatedQuery, useQuery } from "convex/react";
import type { Value } from "convex/values";
import { useState } from "react";
import { type CronJob, type CronRun, system } from "../deployment/system";
import { Button } from "../parts/button";
import { Dialog } from "../parts/dialog";
import { More } from "../parts/more";
import { Empty, Loading, Problem } from "../parts/states";
import { Table } from "../parts/table";
import { msOf, Time } from "../parts/times";
import { useEdit } from "../parts/use_edit";
import { useSession } from "../session/session";
import { useComponent } from "../shell/component";
import { PageHead } from "../shell/shell";

const PAGE = 50;

/** What will run by itself: scheduled functions and cron jobs, and how the last runs went. */
export default function Schedules() {
  return (
    <>
      <PageHead name="Schedules" />
      <Jobs />
      <Crons />
      <Ended />
    </>
  );
}

function Jobs() {
  const { componentId } = useComponent();
  const { readOnly } = useSession();
  const jobs = usePaginatedQuery(system.scheduledJobs, { componentId }, { initialNumItems: PAGE });
  const cancel = useMutation(system.cancelJob);
  const runNow = useMutation(system.runJob);
  const { isRunning, problem, run } = useEdit();
  return (
    <section aria-labelledby="jobs">
      <h2 id="jobs" className="px-5 pt-4 pb-2 font-semibold">
        Scheduled functions
      </h2>
      {problem !== null && <Problem>{problem}</Problem>}
      {jobs.status === "LoadingFirstPage" ? (
        <Loading what="the scheduled functions" />
      ) : jobs.results.length === 0 ? (
        <Empty title="Nothing is scheduled.">
          Functions plan others with <code className="font-mono">ctx.scheduler</code>.
        </Empty>
      ) : (
        <Table heads={["Function", "Due", "State", "Arguments", ""]} label="Scheduled functions">
          {jobs.results.map((job) => (
            <tr key={job._id}>
              <td className="font-mono">{job.udfPath}</td>
              <td>
                <Time ms={msOf(job.nextTs)} />
              </td>
              <td>{job.state.type === "pending" ? "waiting" : "running"}</td>
              <td className="max-w-sm truncate font-mono">{argumentsText(job.udfArgs)}</td>
              <td className="text-right whitespace-nowrap">
                {job.state.type === "pending" && (
                  <Button
                    disabled={readOnly || isRunning}
                    onClick={() => void run(() => runNow({ componentId, id: job._id }))}
                  >
                    Run now
                  </Button>
                )}{" "}
                <Button
                  kind="danger"
                  disabled={readOnly || isRunning}
                  onClick={() => void run(() => cancel({ componentId, id: job._id }))}
                >
                  Cancel
                </Button>
              </td>
            </tr>
          ))}
        </Table>
      )}
      <More status={jobs.status} onMore={() => jobs.loadMore(PAGE)} />
    </section>
  );
}

function Crons() {
  const { componentId } = useComponent();
  const { readOnly } = useSession();
  const jobs = useQuery(system.cronJobs, { componentId });
  const runNow = useMutation(system.runCronJob);
  const [shown, setShown] = useState<string | null>(null);
  const [started, setStarted] = useState<string | null>(null);
  const { isRunning, problem, run } = useEdit();
  return (
    <section aria-labelledby="crons">
      <h2 id="crons" className="px-5 pt-6 pb-2 font-semibold">
        Cron jobs
      </h2>
      {problem !== null && <Problem>{problem}</Problem>}
      {started !== null && (
        <p role="status" className="px-5 pb-2 text-good">
          {started} runs now, beside its own times; how it goes is below.
        </p>
      )}
      {jobs === undefined ? (
        <Loading what="the cron jobs" />
      ) : jobs.length === 0 ? (
        <Empty title="There are no cron jobs.">
          They are declared in <code className="font-mono">crons.py</code> or{" "}
          <code className="font-mono">crons.ts</code>.
        </Empty>
      ) : (
        <Table heads={["Name", "Function", "When", "Next run", "Last run", ""]} label="Cron jobs">
          {jobs.map((job) => (
            <tr key={job._id}>
              <td className="font-medium">{job.name}</td>
              <td className="font-mono">{job.cronSpec.udfPath}</td>
              <td className="min-w-28">{scheduleText(job.cronSpec.cronSchedule)}</td>
              <td>{job.nextRun === null ? "–" : <Time ms={msOf(job.nextRun.nextTs)} />}</td>
              <td>
                <LastRun job={job} />
              </td>
              <td className="text-right whitespace-nowrap">
                <Button onClick={() => setShown(job.name)}>
                  Runs<span className="sr-only"> of {job.name}</span>
                </Button>{" "}
                <Button
                  disabled={readOnly || isRunning}
                  onClick={() =>
                    void run(() => runNow({ componentId, name: job.name })).then((ran) => {
                      if (ran) setStarted(job.name);
                    })
                  }
                >
                  Run now<span className="sr-only"> {job.name}</span>
                </Button>
              </td>
            </tr>
          ))}
        </Table>
      )}
      {shown !== null && <CronRuns name={shown} onClose={() => setShown(null)} />}
    </section>
  );
}

/** How a cron job went lately, with what it logged. */
function CronRuns({ name, onClose }: { name: string; onClose: () => void }) {
  const { componentId } = useComponent();
  const runs = usePaginatedQuery(system.cronRuns, { componentId, name }, { initialNumItems: PAGE });
  return (
    <Dialog title={`Runs of ${name}`} onClose={onClose} wide>
      {runs.status === "LoadingFirstPage" ? (
        <Loading what="the runs" />
      ) : runs.results.length === 0 ? (
        <Empty title="It has not run yet." />
      ) : (
        <ol className="divide-y divide-line">
          {runs.results.map((each) => (
            <li key={each._id} className="py-2">
              <p className="flex flex-wrap gap-x-3">
                <Time ms={msOf(each.ts)} />
                <Outcome status={each.status} />
                <span className="text-quiet tabular-nums">{(each.executionTime * 1000).toFixed(0)} ms</span>
              </p>
              {each.status.error !== undefined && (
                <pre className="overflow-auto font-mono text-xs whitespace-pre-wrap text-bad">{each.status.error}</pre>
              )}
              {each.logLines.logLines.length > 0 && (
                <pre className="mt-1 max-h-48 overflow-auto rounded-md bg-raised p-2 font-mono text-xs" tabIndex={0}>
                  {each.logLines.logLines.join("\n")}
                </pre>
              )}
            </li>
          ))}
        </ol>
      )}
      <More status={runs.status} onMore={() => runs.loadMore(PAGE)} />
    </Dialog>
  );
}

const ENDS = { success: "ended well", failed: "failed", canceled: "cancelled" } as const;
const COLOURS = { success: "text-good", failed: "text-bad", canceled: "text-warm" } as const;

/** Scheduled functions that have ended, the newest first, for as long as they are remembered. */
function Ended() {
  const { componentId } = useComponent();
  const jobs = usePaginatedQuery(system.endedJobs, { componentId }, { initialNumItems: PAGE });
  return (
    <section aria-labelledby="ended">
      <h2 id="ended" className="px-5 pt-6 pb-2 font-semibold">
        What has run
      </h2>
      {jobs.status === "LoadingFirstPage" ? (
        <Loading what="what has run" />
      ) : jobs.results.length === 0 ? (
        <Empty title="No scheduled function has ended yet." />
      ) : (
        <Table heads={["Function", "Ended", "How", "Arguments"]} label="Scheduled functions that have ended">
          {jobs.results.map((job) => (
            <tr key={job._id}>
              <td className="font-mono">
                {job.udfPath}
                {job.component !== undefined && <span className="text-quiet"> of {job.component}</span>}
              </td>
              <td>{job.completedTs === null ? "–" : <Time ms={job.completedTs} />}</td>
              <td>
                <span className={COLOURS[job.state.type]}>{ENDS[job.state.type]}</span>
                {job.state.error !== undefined && (
                  <details>
                    <summary className="max-w-sm truncate text-bad">{job.state.error.split("\n")[0]}</summary>
                    <pre className="max-w-lg overflow-auto font-mono text-xs whitespace-pre-wrap">
                      {job.state.error}
                    </pre>
                  </details>
                )}
              </td>
              <td className="max-w-sm truncate font-mono">{argumentsText(job.udfArgs)}</td>
            </tr>
          ))}
        </Table>
      )}
      <More status={jobs.status} onMore={() => jobs.loadMore(PAGE)} />
    </section>
  );
}

function LastRun({ job: { lastRun } }: { job: CronJob }) {
  if (lastRun === null) return "–";
  const { status } = lastRun;
  return (
    <>
      <Outcome status={status} /> <Time ms={msOf(lastRun.ts)} />
      {status.error !== undefined && <p className="max-w-56 truncate text-bad">{status.error}</p>}
    </>
  );
}

function Outcome({ status }: { status: CronRun["status"] }) {
  const [word, colour] =
    status.type === "success"
      ? ["ended well", "text-good"]
      : status.type === "err"
        ? ["failed", "text-bad"]
        : ["missed", "text-warm"];
  return <span className={colour}>{word}</span>;
}

/** The arguments of a job as JSON, without the list around them. */
function argumentsText(bytes: ArrayBuffer | null): string {
  return bytes === null ? "" : new TextDecoder().decode(bytes).slice(1, -1);
}

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

function intervalText(seconds: number): string {
  if (seconds % 3600 === 0) return `${seconds / 3600} h`;
  return seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`;
}

/** A schedule as a person says it; its times are those of UTC. */
export function scheduleText(schedule: Record<string, Value>): string {
  const two = (name: string) => String(Number(schedule[name] ?? 0)).padStart(2, "0");
  const time = () => `${two("hourUTC")}:${two("minuteUTC")} UTC`;
  switch (schedule.type) {
    case "interval":
      return `every ${intervalText(Number(schedule.seconds))}`;
    case "hourly":
      return `each hour at :${two("minuteUTC")}`;
    case "daily":
      return `each day at ${time()}`;
    case "weekly":
      return `each ${DAYS[Number(schedule.dayOfWeek) % 7]} at ${time()}`;
    case "monthly":
      return `day ${Number(schedule.day)} of each month at ${time()}`;
    default:
      return String(schedule.cronExpr ?? schedule.type);
  }
}
