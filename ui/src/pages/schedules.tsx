import { useMutation, usePaginatedQuery, useQuery } from "convex/react";
import type { Value } from "convex/values";
import { type CronJob, system } from "../deployment/system";
import { Button } from "../parts/button";
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
    </>
  );
}

function Jobs() {
  const { componentId } = useComponent();
  const { readOnly } = useSession();
  const jobs = usePaginatedQuery(system.scheduledJobs, { componentId }, { initialNumItems: PAGE });
  const cancel = useMutation(system.cancelJob);
  const { problem, run } = useEdit();
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
              <td className="text-right">
                <Button
                  kind="danger"
                  disabled={readOnly}
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
  const jobs = useQuery(system.cronJobs, { componentId });
  return (
    <section aria-labelledby="crons">
      <h2 id="crons" className="px-5 pt-6 pb-2 font-semibold">
        Cron jobs
      </h2>
      {jobs === undefined ? (
        <Loading what="the cron jobs" />
      ) : jobs.length === 0 ? (
        <Empty title="There are no cron jobs.">
          They are declared in <code className="font-mono">crons.py</code> or{" "}
          <code className="font-mono">crons.ts</code>.
        </Empty>
      ) : (
        <Table heads={["Name", "Function", "When", "Next run", "Last run"]} label="Cron jobs">
          {jobs.map((job) => (
            <tr key={job._id}>
              <td className="font-medium">{job.name}</td>
              <td className="font-mono">{job.cronSpec.udfPath}</td>
              <td>{scheduleText(job.cronSpec.cronSchedule)}</td>
              <td>{job.nextRun === null ? "–" : <Time ms={msOf(job.nextRun.nextTs)} />}</td>
              <td>
                <LastRun job={job} />
              </td>
            </tr>
          ))}
        </Table>
      )}
    </section>
  );
}

function LastRun({ job: { lastRun } }: { job: CronJob }) {
  if (lastRun === null) return "–";
  const { status } = lastRun;
  const [word, colour] =
    status.type === "success"
      ? ["ended well", "text-good"]
      : status.type === "err"
        ? ["failed", "text-bad"]
        : ["missed", "text-warm"];
  return (
    <>
      <span className={colour}>{word}</span> <Time ms={msOf(lastRun.ts)} />
      {status.error !== undefined && <p className="max-w-sm truncate text-bad">{status.error}</p>}
    </>
  );
}

/** The arguments of a job as JSON, without the list around them. */
function argumentsText(bytes: ArrayBuffer | null): string {
  return bytes === null ? "" : new TextDecoder().decode(bytes).slice(1, -1);
}

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/** A schedule as a person says it; its times are those of UTC. */
export function scheduleText(schedule: Record<string, Value>): string {
  const two = (name: string) => String(Number(schedule[name] ?? 0)).padStart(2, "0");
  const time = () => `${two("hourUTC")}:${two("minuteUTC")} UTC`;
  switch (schedule.type) {
    case "interval":
      return `every ${Number(schedule.seconds)} s`;
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
