import { useQuery } from "convex/react";
import { Pause, Play } from "lucide-react";
import { useState } from "react";
import { request } from "../deployment/requests";
import { system } from "../deployment/system";
import { Button } from "../parts/button";
import { Confirm } from "../parts/dialog";
import { Problem } from "../parts/states";
import { useEdit } from "../parts/use_edit";
import { useSession } from "../session/session";

/** Whether functions run at all: a deployment that is paused refuses calls, and its schedules wait. */
export function PauseSwitch() {
  const { key, readOnly } = useSession();
  const state = useQuery(system.backendState, { componentId: null });
  const [isAsking, setIsAsking] = useState(false);
  const { isRunning, problem, run } = useEdit();
  const isPaused = state?.user === "paused";
  const change = (path: string) => void run(() => request(key, `/api/v1/${path}`, { method: "POST" }));
  return (
    <section aria-labelledby="pause" className="flex flex-col gap-3">
      <h2 id="pause" className="text-base font-semibold">
        Pause
      </h2>
      {problem !== null && <Problem>{problem}</Problem>}
      <div className="flex flex-wrap items-center gap-3">
        <p role="status">{isPaused ? "The deployment is paused: no function runs." : "Functions run."}</p>
        {isPaused ? (
          <Button kind="primary" disabled={readOnly || isRunning} onClick={() => change("unpause_deployment")}>
            <Play size={16} aria-hidden /> Resume
          </Button>
        ) : (
          <Button
            kind="danger"
            disabled={readOnly || isRunning || state === undefined}
            onClick={() => setIsAsking(true)}
          >
            <Pause size={16} aria-hidden /> Pause
          </Button>
        )}
      </div>
      {isAsking && (
        <Confirm
          title="Pause the deployment?"
          verb="Pause"
          onClose={() => setIsAsking(false)}
          onConfirm={() => change("pause_deployment")}
        >
          Calls of clients are refused, scheduled functions and cron jobs wait. The dashboard goes on.
        </Confirm>
      )}
    </section>
  );
}

/** Said on every page while nothing runs. */
export function PausedNotice() {
  const state = useQuery(system.backendState, { componentId: null });
  if (state?.user !== "paused") return null;
  return (
    <p role="status" className="border-b border-line bg-bad-surface px-4 py-2 text-bad">
      This deployment is paused: no function runs until it is resumed, in the settings.
    </p>
  );
}
