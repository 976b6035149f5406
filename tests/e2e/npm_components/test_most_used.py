"""The ten components that apps use most, beyond what `make test` asks of them: callers at once, restarts,
cancellation, dry runs and failures.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from e2e.convex_cli import ConvexProject
from server_process import ServerProcess

pytestmark = pytest.mark.e2e

FUNCTIONS = """
import { v } from "convex/values";
import { TableAggregate } from "@convex-dev/aggregate";
import { RateLimiter, MINUTE } from "@convex-dev/rate-limiter";
import { Workpool, vOnCompleteArgs } from "@convex-dev/workpool";
import { WorkflowManager } from "@convex-dev/workflow";
import { ActionRetrier } from "@convex-dev/action-retrier";
import { ShardedCounter } from "@convex-dev/sharded-counter";
import { components, internal } from "./_generated/api";
import { internalAction, internalMutation, mutation, query } from "./_generated/server";
import type { DataModel } from "./_generated/dataModel";
import { migrations } from "./app";

const limiter = new RateLimiter(components.rateLimiter, {
  five: { kind: "fixed window", rate: 5, period: MINUTE },
});
const pool = new Workpool(components.workpool, { maxParallelism: 10 });
const flow = new WorkflowManager(components.workflow);
const retrier = new ActionRetrier(components.actionRetrier, { initialBackoffMs: 60_000 });
const counter = new ShardedCounter(components.shardedCounter);
const scores = new TableAggregate<{ Key: number; DataModel: DataModel; TableName: "scores" }>(
  components.aggregate,
  { sortKey: (d) => d.score, sumValue: (d) => d.score },
);

export const five = mutation({ args: {}, handler: async (ctx) => (await limiter.limit(ctx, "five")).ok });
export const count = mutation({ args: {}, handler: async (ctx) => await counter.inc(ctx, "parallel") });
export const counted = query({ args: {}, handler: async (ctx) => await counter.count(ctx, "parallel") });

export const work = internalAction({
  args: { n: v.number() },
  handler: async (_ctx, { n }) => {
    await new Promise((resolve) => setTimeout(resolve, 100));
    return n;
  },
});
export const ended = internalMutation({
  args: vOnCompleteArgs(v.number()),
  handler: async (ctx, { context, result }) => {
    await ctx.db.insert("events", { text: `ended ${context} ${result.kind}` });
  },
});
export const enqueue = mutation({
  args: { count: v.number() },
  handler: async (ctx, { count }) => {
    const onComplete = internal.load.ended;
    for (let n = 0; n < count; n++)
      await pool.enqueueAction(ctx, internal.load.work, { n }, { onComplete, context: n });
  },
});
export const enqueueLater = mutation({
  args: {},
  handler: async (ctx): Promise<string> =>
    await pool.enqueueAction(ctx, internal.load.work, { n: 0 }, {
      runAfter: 3_600_000, onComplete: internal.load.ended, context: -1,
    }),
});
export const cancelWork = mutation({
  args: { id: v.string() },
  handler: async (ctx, { id }) => await pool.cancel(ctx, id as any),
});

export const sleeping = flow.define({
  args: {},
  handler: async (step): Promise<void> => {
    await step.runMutation(internal.app.note, { text: "asleep" });
    await step.runMutation(internal.app.note, { text: "awake" }, { runAfter: 3_600_000 });
  },
});
export const sleep = mutation({
  args: {},
  handler: async (ctx): Promise<string> => await flow.start(ctx, internal.load.sleeping, {}),
});
export const cancelFlow = mutation({
  args: { id: v.string() },
  handler: async (ctx, { id }) => await flow.cancel(ctx, id as any),
});

export const failing = internalAction({ args: {}, handler: async () => { throw new Error("never"); } });
export const retry = mutation({
  args: {},
  handler: async (ctx): Promise<string> => await retrier.run(ctx, internal.load.failing, {}),
});
export const cancelRetry = mutation({
  args: { id: v.string() },
  handler: async (ctx, { id }) => await retrier.cancel(ctx, id as any),
});

export const score = mutation({
  args: { score: v.number() },
  handler: async (ctx, { score }) => {
    const id = await ctx.db.insert("scores", { name: `${score}`, score });
    await scores.insert(ctx, (await ctx.db.get(id))!);
  },
});
export const stats = query({
  args: {},
  handler: async (ctx) => ({
    count: await scores.count(ctx),
    sum: await scores.sum(ctx),
    at: await Promise.all([0, 7, 123, 299].map(async (n) => (await scores.at(ctx, n)).key)),
  }),
});

export const mark = migrations.define({
  table: "scores",
  batchSize: 50,
  migrateOne: async (ctx, score) => {
    const repaired = await ctx.db.query("events").filter((q) => q.eq(q.field("text"), "repaired")).first();
    if (score.score === 220 && repaired === null) throw new Error("stumbled over 220");
    return { seen: true };
  },
});
export const seen = query({
  args: {},
  handler: async (ctx) => (await ctx.db.query("scores").collect()).filter((s) => s.seen).length,
});
"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, npm_packages: Path) -> Iterator[ConvexProject]:
    """The app with ten components that `make test` uses, and more functions."""
    directory = tmp_path_factory.mktemp("most-used")
    server = ServerProcess(directory, "serve", "--port", "0", "--site-port", "0").start()
    project = ConvexProject(directory / "project", server, "npm_components")
    project.write("load.ts", FUNCTIONS)
    project.push()
    yield project
    server.close()


def events(app: ConvexProject, text: str) -> list[str]:
    return [each for each in app.call("app:events") if text in each]


def at_once(app: ConvexProject, function: str, calls: list[dict[str, Any]]) -> list[Any]:
    """What these calls return, eight of them at a time."""
    with ThreadPoolExecutor(8) as clients:
        return list(clients.map(lambda args: app.call(function, args), calls))


def test_a_limit_holds_among_callers_at_once(app: ConvexProject) -> None:
    assert at_once(app, "load:five", [{}] * 16).count(True) == 5


def test_a_counter_counts_callers_at_once(app: ConvexProject) -> None:
    at_once(app, "load:count", [{}] * 60)
    assert app.call("load:counted") == 60


def test_a_hundred_pieces_of_work_are_done_once_each_across_a_restart(app: ConvexProject) -> None:
    """The server is asked to end, and lets actions finish. Those that a power cut ends are looked for by the
    package itself, five minutes after they began.
    """
    app.call("load:enqueue", {"count": 100})
    app.server.wait_for(lambda: len(events(app, "ended")) >= 20)
    app.server.terminate()
    app.server.start()
    app.server.wait_for(lambda: len(events(app, "ended")) >= 100)
    told = [each.split(" ")[1:] for each in events(app, "ended")]
    assert sorted(int(number) for number, _ in told) == list(range(100))
    assert sum(kind == "failed" for _, kind in told) <= 10
    assert {kind for _, kind in told} <= {"success", "failed"}


def test_work_that_is_cancelled_is_told_and_never_done(app: ConvexProject) -> None:
    work = app.call("load:enqueueLater")
    app.call("load:cancelWork", {"id": work})
    app.server.wait_for(lambda: events(app, "ended -1") == ["ended -1 canceled"])


def test_a_workflow_is_cancelled_between_its_steps(app: ConvexProject) -> None:
    workflow = app.call("load:sleep")
    app.server.wait_for(lambda: events(app, "asleep") == ["asleep"])
    assert app.call("app:flowStatus", {"id": workflow})["type"] == "inProgress"
    app.call("load:cancelFlow", {"id": workflow})
    app.server.wait_for(lambda: app.call("app:flowStatus", {"id": workflow})["type"] == "canceled")
    assert events(app, "awake") == []


def test_an_action_is_retried_no_more_once_it_is_cancelled(app: ConvexProject) -> None:
    run = app.call("load:retry")
    app.call("load:cancelRetry", {"id": run})
    app.server.wait_for(lambda: app.call("app:retryStatus", {"id": run})["type"] == "completed")
    assert app.call("app:retryStatus", {"id": run})["result"] == {"type": "canceled"}


def test_an_aggregate_is_exact_among_writers_at_once(app: ConvexProject) -> None:
    at_once(app, "load:score", [{"score": n} for n in range(300)])
    assert app.call("load:stats") == {"count": 300, "sum": 299 * 150, "at": [0, 7, 123, 299]}


def test_a_migration_is_tried_dry_and_goes_on_after_a_failure(app: ConvexProject) -> None:
    dry = app.convex("run", "app:run", '{"fn": "load:mark", "dryRun": true}')
    assert "DRY RUN" in dry.told
    assert app.call("load:seen") == 0
    app.call("app:run", {"fn": "load:mark"})
    status = ("run", "--component", "migrations", "lib:getStatus")
    app.server.wait_for(lambda: "stumbled over 220" in app.ok(*status).output)
    assert app.call("load:seen") == 200
    app.call("app:note", {"text": "repaired"})
    app.call("app:run", {"fn": "load:mark"})
    app.server.wait_for(lambda: app.call("load:seen") == 300)
