"""The backend as a whole: a real data directory, real Python host processes."""

from __future__ import annotations

import asyncio
import os
import signal
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from client_calls import client_call
from host_pools import pool_of
from parabola.backend import Backend, BackendConfig
from parabola.functions.deployed.deployment import Module
from parabola.functions.deployed.identity import SYSTEM_IDENTITY, Identity
from parabola.functions.processes.host_failures import LoadFailure
from parabola.host_programs import host_programs
from parabola.services.deploys.push import Push
from parabola.services.sign_in.admin_keys import make_admin_key
from parabola.testing.clock import MovableClock
from parabola.values.errors import Unauthenticated

SECRET = "4361726e697461732c206c69746572616c6c79206d65616e696e6720226c6974"

TASKS = """
from parabola import ActionCtx, Id, MutationCtx, QueryCtx, action, env, internal_mutation, mutation, query, v
import os
import time


@query(args={"limit": v.optional(v.number())})
async def list(ctx: QueryCtx, limit: float | None = None):
    return await ctx.db.query("tasks").order("desc").take(int(limit or 10))


@mutation
async def create(ctx: MutationCtx, text: str) -> Id["tasks"]:
    print("creating", text)
    return await ctx.db.insert("tasks", {"text": text, "completed": False})


@mutation
async def count(ctx: MutationCtx) -> float:
    row = await ctx.db.query("counters").first()
    if row is None:
        await ctx.db.insert("counters", {"n": 1})
        return 1
    await ctx.db.patch(row["_id"], {"n": row["n"] + 1})
    return row["n"] + 1


@query
async def greeting(ctx: QueryCtx) -> str | None:
    return env.get("GREETING")


@query
async def spin(ctx: QueryCtx) -> None:
    while True:
        pass


@query
async def stuck_in_c(ctx: QueryCtx) -> None:
    sum(range(10**12))


@mutation
async def leave(ctx: MutationCtx) -> None:
    os._exit(7)


@query
async def wait_a_little(ctx: QueryCtx, turns: float) -> float:
    for _ in range(int(turns)):
        await ctx.db.query("tasks").first()
    return turns


@internal_mutation
async def reset(ctx: MutationCtx) -> None:
    for task in await ctx.db.query("tasks").collect():
        await ctx.db.delete(task["_id"])


@action
def blocking(ctx: ActionCtx, text: str) -> float:
    time.sleep(0.05)
    ctx.run_mutation("tasks:create", {"text": text})
    return len(ctx.run_query("tasks:list", {}))


@action
async def outer(ctx: ActionCtx) -> float:
    return await ctx.run_action("tasks:blocking", {"text": "from outer"})


@action
async def dies(ctx: ActionCtx) -> None:
    os._exit(9)
"""


def push(source: str = TASKS) -> Push:
    return Push("python", (Module("tasks.py", "python", source),))


def config(directory: Path) -> BackendConfig:
    return BackendConfig(directory, "test-instance", SECRET, hosts=host_programs())


@asynccontextmanager
async def opened(directory: Path, source: str | None = TASKS) -> AsyncIterator[Backend]:
    backend = await Backend.open(config(directory))
    try:
        if source is not None:
            await backend.deploy(push(source))
        yield backend
    finally:
        await backend.close()


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    async with opened(tmp_path) as backend:
        yield backend


async def value(call: Any) -> Any:
    result = await call
    assert result.error is None, result.error
    return result.value


async def test_queries_mutations_and_actions_run_in_processes(backend: Backend) -> None:
    created = await backend.mutation(client_call("tasks:create", {"text": "milk"}))
    assert [str(line) for line in created.log_lines] == ["[LOG] creating milk"]
    (task,) = await value(backend.query(client_call("tasks:list", [{}])))
    assert (task["text"], task["completed"]) == ("milk", False)
    assert await value(backend.action(client_call("tasks:blocking", {"text": "bread"}))) == 2.0
    assert await value(backend.action(client_call("tasks:outer", {}))) == 3.0
    assert (
        await value(backend.query(client_call("tasks:list", {"limit": 1})))
        == (await value(backend.query(client_call("tasks:list", {}))))[:1]
    )


async def test_many_clients_of_a_hot_row_all_succeed(backend: Backend) -> None:
    results = await asyncio.gather(
        *(value(backend.mutation(client_call("tasks:count", {}))) for _ in range(50))
    )
    assert sorted(results) == [float(n) for n in range(1, 51)]


async def test_a_live_query_follows_the_data(backend: Backend) -> None:
    changed = asyncio.Event()
    live = backend.live_query(client_call("tasks:list", {}), on_invalid=changed.set)
    assert await value(live.result_at(backend.durable_ts)) == []
    created = await backend.mutation(client_call("tasks:create", {"text": "milk"}))
    assert changed.is_set()
    assert backend.durable_ts >= created.ts
    assert len(await value(live.result_at(created.ts))) == 1
    live.close()


@pytest.mark.parametrize("name", ["spin", "stuck_in_c"])
async def test_a_function_that_never_ends_costs_only_its_own_call(backend: Backend, name: str) -> None:
    neighbours = [
        asyncio.create_task(backend.query(client_call("tasks:wait_a_little", {"turns": 20 + i})))
        for i in range(8)
    ]
    result = await backend.query(client_call(f"tasks:{name}", {}))
    assert result.error is not None
    assert "Function execution timed out (maximum duration: 1s)" in result.error.message
    assert [(await task).value for task in neighbours] == [20.0 + i for i in range(8)]
    assert await value(backend.mutation(client_call("tasks:count", {}))) == 1.0


async def test_a_function_that_ends_its_process_costs_only_its_own_call(backend: Backend) -> None:
    calls = [backend.mutation(client_call("tasks:count", {})) for _ in range(10)]
    left, *counted = await asyncio.gather(backend.mutation(client_call("tasks:leave", {})), *calls)
    assert left.error is not None
    assert sorted(result.value for result in counted) == [float(n) for n in range(1, 11)]
    died = await backend.action(client_call("tasks:dies", {}))
    assert died.error is not None
    assert await value(backend.action(client_call("tasks:blocking", {"text": "after"}))) == 1.0


async def test_hosts_killed_from_outside_are_replaced(backend: Backend) -> None:
    pool = pool_of(backend, "python")
    for _ in range(3):
        calls = [asyncio.create_task(backend.mutation(client_call("tasks:count", {}))) for _ in range(5)]
        await asyncio.sleep(0)
        for host in pool.processes():
            os.kill(host.pid, signal.SIGKILL)
        for call in calls:
            assert (await call).error is None
    assert await value(backend.mutation(client_call("tasks:count", {}))) == 16.0


async def test_data_and_code_survive_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as backend:
        await value(backend.mutation(client_call("tasks:create", {"text": "milk"})))
        await backend.change_environment({"GREETING": "hello"})
    async with opened(tmp_path, None) as backend:
        assert [task["text"] for task in await value(backend.query(client_call("tasks:list", {})))] == [
            "milk"
        ]
        assert await value(backend.query(client_call("tasks:greeting", {}))) == "hello"


async def test_a_push_reaches_live_queries_and_a_broken_one_changes_nothing(backend: Backend) -> None:
    changed = asyncio.Event()
    live = backend.live_query(client_call("tasks:greeting", {}), on_invalid=changed.set)
    assert await value(live.result_at(backend.durable_ts)) is None
    with pytest.raises(LoadFailure) as caught:
        await backend.deploy(push(TASKS.replace("import os", "import os; import nonexistent")))
    assert "nonexistent" in caught.value.message
    assert caught.value.line == 3
    assert not changed.is_set()
    await backend.deploy(push(TASKS.replace('env.get("GREETING")', '"new code"')))
    assert changed.is_set()
    assert await value(live.result_at(backend.durable_ts)) == "new code"
    live.close()


async def test_a_changed_variable_is_seen_by_who_reads_it(backend: Backend) -> None:
    changed = asyncio.Event()
    live = backend.live_query(client_call("tasks:greeting", {}), on_invalid=changed.set)
    assert await value(live.result_at(backend.durable_ts)) is None
    await backend.change_environment({"GREETING": "hi"})
    assert changed.is_set()
    assert await value(live.result_at(backend.durable_ts)) == "hi"
    live.close()


async def test_internal_functions_are_for_administrators(backend: Backend) -> None:
    for run in (backend.mutation, backend.run_any):
        refused = await run(client_call("tasks:reset"))
        assert refused.error is not None
        assert "Could not find" in refused.error.message
        assert (await run(client_call("tasks:reset", {}, Identity.admin()))).error is None


async def test_any_function_can_be_run_by_name_alone(backend: Backend) -> None:
    admin = Identity.admin()
    await value(backend.run_any(client_call("tasks:create", {"text": "a"}, admin)))
    assert len(await value(backend.run_any(client_call("tasks:list", {}, admin)))) == 1
    assert await value(backend.run_any(client_call("tasks:blocking", {"text": "b"}, admin))) == 2.0
    missing = await backend.run_any(client_call("tasks:nope", {}, admin))
    assert missing.error is not None
    assert missing.error.message.startswith("Could not find function for 'tasks:nope'. ")


async def test_admin_keys_are_checked(backend: Backend) -> None:
    assert backend.check_admin_key(make_admin_key("test-instance", SECRET)).is_admin
    assert backend.check_admin_key(make_admin_key("test-instance", SECRET, system=True)) == SYSTEM_IDENTITY
    assert backend.check_admin_key(make_admin_key("test-instance", SECRET, read_only=True)).read_only
    with pytest.raises(Unauthenticated) as caught:
        backend.check_admin_key(make_admin_key("other", SECRET))
    assert caught.value.code == "BadAdminKey"


async def test_without_a_provider_nobody_can_sign_in(backend: Backend) -> None:
    claims = b64encode(b'{"iss": "https://issuer", "sub": "ann"}').decode()
    with pytest.raises(Unauthenticated) as caught:
        await backend.authenticate(f"{b64encode(b'{}').decode()}.{claims}.signature")
    assert caught.value.code == "NoAuthProvider"


async def test_closing_leaves_no_process_behind(tmp_path: Path) -> None:
    async with opened(tmp_path) as backend:
        await value(backend.action(client_call("tasks:blocking", {"text": "x"})))
        hosts = backend.runner.active.hosts._hosts_of["python"]
        pids = [host.pid for host in (*hosts.deterministic.processes(), *hosts.actions.processes())]  # type: ignore
        assert pids
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


JAVASCRIPT = """
function define(kind, handler) {
  const run = async (args) => JSON.stringify((await handler(...JSON.parse(args))) ?? null);
  const entries = { Query: run, Mutation: run, Action: (requestId, args) => run(args) };
  return Object.assign(async () => {}, {
    [`is${kind}`]: true, isPublic: true, [`invoke${kind}`]: entries[kind],
    exportArgs: () => '{"type":"any"}', exportReturns: () => "null",
  });
}
const call = async (op, args) => JSON.parse(await Convex.asyncSyscall(op, JSON.stringify(args)));
const nested = (udfType, name, args) => call("1.0/runUdf", { udfType, name, args });

export const add = define("Mutation", async ({ text }) => {
  console.log("adding");
  const { _id } = await call("1.0/insert", { table: "tasks", value: { text, completed: true } });
  const args = JSON.stringify({ table: "tasks", idString: _id });
  return JSON.parse(Convex.syscall("1.0/db/normalizeId", args)).id;
});
export const viaPython = define("Mutation", async ({ text }) => {
  console.log("before");
  const id = await nested("mutation", "tasks:create", { text });
  console.log("after");
  return id;
});
export const spin = define("Query", async () => { while (true) {} });
export const count = define("Action", async () => {
  const list = { name: "tasks:list", args: {}, version: "1.48.0", requestId: "" };
  return (await call("1.0/actions/query", list)).length;
});
"""

FROM_PYTHON = """

@mutation
async def via_javascript(ctx: MutationCtx, text: str):
    print("before")
    id = await ctx.run_mutation("js:add", {"text": text})
    print("after")
    return id
"""


async def test_both_languages_work_in_one_transaction(tmp_path: Path) -> None:
    async with opened(tmp_path, TASKS + FROM_PYTHON) as backend:
        await backend.deploy(Push("typescript", (Module("js.js", "isolate", JAVASCRIPT),)))
        assert isinstance(await value(backend.mutation(client_call("js:add", {"text": "a"}))), str)
        one = await backend.mutation(client_call("js:viaPython", {"text": "b"}))
        assert [(line.messages[0], line.udf_path) for line in one.log_lines] == [
            ("'before'", None),
            ("creating b", "tasks:create"),
            ("'after'", None),
        ]
        two = await backend.mutation(client_call("tasks:via_javascript", {"text": "c"}))
        assert [(line.messages[0], line.udf_path) for line in two.log_lines] == [
            ("before", None),
            ("'adding'", "js:add"),
            ("after", None),
        ]
        texts = [task["text"] for task in await value(backend.query(client_call("tasks:list", {})))]
        assert texts == ["c", "b", "a"]
        assert await value(backend.action(client_call("js:count", {}))) == 3.0
        slow = await backend.query(client_call("js:spin", {}))
        assert slow.error is not None
        assert slow.error.message == "Function execution timed out (maximum duration: 1s)"
        assert await value(backend.action(client_call("js:count", {}))) == 3.0


async def test_what_goes_by_the_clock_goes_by_that_of_the_database(tmp_path: Path) -> None:
    clock = MovableClock()
    backend = await Backend.open(BackendConfig(tmp_path, instance_secret=SECRET, clock=clock))
    try:
        token = backend.files._tokens.issue()
        assert backend.files.check_upload_token(token)
        clock.move_to(clock() + 30 * 86_400_000_000_000)
        with pytest.raises(Unauthenticated, match="expired"):
            backend.files.check_upload_token(token)
        backend.check_admin_key(make_admin_key("parabola", SECRET))
        [(_, used)] = backend.admin_keys.seen
        for shown in (used, backend.log.head()):
            assert shown is not None
            assert shown * 1e9 == pytest.approx(clock(), abs=60e9)
    finally:
        await backend.close()
