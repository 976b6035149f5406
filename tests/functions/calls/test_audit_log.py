"""The audit log: when lines are written, what is filled in, how they are listed and followed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from client_calls import client_call
from parabola.backend import Backend, BackendConfig
from parabola.functions.calls.calling import RequestContext
from parabola.functions.deployed.deployment import Module
from parabola.functions.deployed.identity import SYSTEM_IDENTITY, Identity
from parabola.functions.processes.host_set import HostConfig
from parabola.services.deploys.push import Push
from parabola.testing.in_process_host import InProcessHosts

OPS = """
from parabola import (
    ActionCtx, MutationCtx, QueryCtx, SyncMutationCtx, action, audit_vars, internal, internal_mutation,
    mutation, query,
)

ALL = {
    "request": audit_vars.request_id,
    "ip": audit_vars.ip,
    "agent": audit_vars.user_agent,
    "at": [audit_vars.now],
    "by": {"actor": audit_vars.convex_actor},
}

@query
async def view(ctx: QueryCtx, id: str) -> int:
    await ctx.audit({"action": "viewed", "id": id, **ALL})
    return len(await ctx.db.query("notes").collect())

@mutation
async def change(ctx: MutationCtx, fail: bool = False) -> None:
    await ctx.db.insert("notes", {})
    await ctx.audit({"action": "changed", "numbers": [1, 1.5, float("nan"), True, None], **ALL})
    if fail:
        raise ValueError("changed my mind")

@mutation
def change_plainly(ctx: SyncMutationCtx) -> None:
    ctx.audit({"action": "changed plainly"})

@internal_mutation
async def inner(ctx: MutationCtx) -> None:
    await ctx.audit({"action": "inner"})
    raise ValueError("only this one")

@mutation
async def outer(ctx: MutationCtx) -> None:
    await ctx.audit({"action": "before"})
    try:
        await ctx.run_mutation(internal.ops.inner)
    except Exception:
        pass
    await ctx.audit({"action": "after"})

@action
async def act(ctx: ActionCtx) -> None:
    await ctx.audit({"action": "asked"})
    await ctx.run_query("ops:view", {"id": "from an action"})

@mutation
async def bad(ctx: MutationCtx, which: str) -> str:
    bodies = {
        "dollar": {"$x": 1},
        "set": {"a": {"b": {1}}},
        "deep": None,
    }
    body = bodies[which]
    if which == "deep":
        body = {}
        for _ in range(200):
            body = {"a": body}
    try:
        await ctx.audit(body)
    except Exception as error:
        return str(error)
    return "taken"
"""


@asynccontextmanager
async def opened(directory: Path) -> AsyncIterator[Backend]:
    hosts = HostConfig(in_process=InProcessHosts(directory))
    backend = await Backend.open(BackendConfig(directory, hosts=hosts))
    try:
        yield backend
    finally:
        await backend.close()


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    async with opened(tmp_path) as backend:
        await backend.deploy(Push("python", (Module("ops.py", "python", OPS),)))
        yield backend


def asked_by(name: str, args: dict[str, Any], ip: str, identity: Identity | None = None) -> Any:
    call = client_call(name, args) if identity is None else client_call(name, args, identity)
    request = RequestContext(request_id=f"req-{ip}", ip=ip, user_agent="a browser")
    return structs.replace(call, request=request)


async def lines(backend: Backend, count: int) -> list[dict[str, Any]]:
    """The newest lines, once there are so many."""
    async with asyncio.timeout(30):
        while len(found := await backend.audit.newest(100)) < count:
            await backend.audit.wait_after(int(found[-1].ts) if found else 0, 30)
    assert len(found) == count
    return [row.to_json() for row in found]


async def test_a_line_of_a_mutation_is_there_with_its_commit(backend: Backend) -> None:
    result = await backend.mutation(asked_by("ops:change", {}, "1.2.3.4"))
    (line,) = await lines(backend, 1)
    assert line["ts"] == str(result.ts), "one commit"
    assert line == {
        "timestamp": line["timestamp"],
        "ts": line["ts"],
        "function": "ops:change",
        "udfType": "Mutation",
        "requestId": "req-1.2.3.4",
        "status": "success",
        "body": {
            "action": "changed",
            "numbers": [1, 1.5, None, True, None],
            "request": "req-1.2.3.4",
            "ip": "1.2.3.4",
            "agent": "a browser",
            "at": [line["timestamp"]],
            "by": {"actor": None},
        },
    }


async def test_a_mutation_that_failed_says_so(backend: Backend) -> None:
    assert (await backend.mutation(client_call("ops:change", {"fail": True}))).error is not None
    (line,) = await lines(backend, 1)
    assert (line["body"]["action"], line["status"]) == ("changed", "failure")
    assert (await backend.query(client_call("ops:view", {"id": "x"}))).value == 0.0


async def test_lines_of_what_was_rolled_back_stay_in_their_order(backend: Backend) -> None:
    await backend.mutation(client_call("ops:outer", {}))
    found = await lines(backend, 3)
    assert [line["body"]["action"] for line in found] == ["before", "inner", "after"]
    assert [line["function"] for line in found] == ["ops:outer", "ops:inner", "ops:outer"]
    assert {line["status"] for line in found} == {"success"}


async def test_plain_functions_write_too(backend: Backend) -> None:
    await backend.mutation(client_call("ops:change_plainly", {}))
    assert (await lines(backend, 1))[0]["body"] == {"action": "changed plainly"}


async def test_a_kept_result_of_a_query_writes_its_lines_for_everyone(backend: Backend) -> None:
    for ip in ("1.1.1.1", "2.2.2.2"):
        await backend.query(asked_by("ops:view", {"id": "n"}, ip))
    assert backend.query_cache.executions == 1
    found = await lines(backend, 2)
    assert [line["body"]["ip"] for line in found] == ["1.1.1.1", "2.2.2.2"]
    assert [line["requestId"] for line in found] == ["req-1.1.1.1", "req-2.2.2.2"]


async def test_a_live_query_writes_once_for_each_new_result(backend: Backend) -> None:
    live = backend.live_query(asked_by("ops:view", {"id": "n"}, "1.1.1.1"))
    result = await live.result_at(backend.durable_ts)
    await live.result_at(result.ts)
    await lines(backend, 1)
    changed = await backend.mutation(client_call("ops:change_plainly", {}))
    await lines(backend, 2)
    await live.result_at(changed.ts)
    await backend.mutation(client_call("ops:change", {}))
    await live.result_at(backend.durable_ts)
    assert [line["body"]["action"] for line in await lines(backend, 4)].count("viewed") == 2
    live.close()


async def test_actions_write_at_once_and_what_they_ask_writes_for_them(backend: Backend) -> None:
    await backend.action(asked_by("ops:act", {}, "3.3.3.3"))
    found = await lines(backend, 2)
    ends = [(line["udfType"], line["status"]) for line in found]
    assert ends == [("Action", "running"), ("Query", "success")]
    assert {line["requestId"] for line in found} == {"req-3.3.3.3"}


async def test_administrators_are_named_as_such(backend: Backend) -> None:
    await backend.mutation(asked_by("ops:change", {}, "1.1.1.1", Identity.admin({"tokenIdentifier": "a|b"})))
    assert (await lines(backend, 1))[0]["body"]["by"] == {"actor": {"type": "admin"}}


@pytest.mark.parametrize(
    ("which", "text"),
    [
        ("dollar", "do not begin with `$`, not '$x' in body"),
        ("set", "body.a.b is a set"),
        ("deep", "nested too deeply"),
    ],
)
async def test_what_is_no_line_is_an_error_that_the_function_may_catch(
    backend: Backend, which: str, text: str
) -> None:
    assert text in (await backend.mutation(client_call("ops:bad", {"which": which}))).value
    assert await backend.audit.newest(10) == []


async def test_lines_are_listed_by_pages_newest_first(backend: Backend) -> None:
    for _ in range(3):
        await backend.mutation(client_call("ops:outer", {}))
    cursor, found = None, []
    while True:
        options = {"numItems": 4.0, "cursor": cursor}
        page = await backend.query(
            client_call("_system/frontend/paginatedAuditLines", {"paginationOpts": options}, SYSTEM_IDENTITY)
        )
        found += [line["body"]["action"] for line in page.value["page"]]
        cursor = page.value["continueCursor"]
        if page.value["isDone"]:
            break
    assert found == ["after", "inner", "before"] * 3


async def test_those_who_follow_get_whole_commits_once(backend: Backend) -> None:
    waiting = asyncio.create_task(backend.audit.wait_after(0, 30))
    await backend.mutation(client_call("ops:outer", {}))
    first = await waiting
    assert len(first) == 3
    await backend.mutation(client_call("ops:outer", {}))
    start = int(first[-1].ts)
    assert [row.position for row in await backend.audit.after(start, limit=2)] == [0.0, 1.0, 2.0]
    assert await backend.audit.wait_after(int((await backend.audit.newest(1))[0].ts), 0.01) == []


async def test_lines_outlive_the_server(tmp_path: Path) -> None:
    async with opened(tmp_path) as backend:
        await backend.deploy(Push("python", (Module("ops.py", "python", OPS),)))
        await backend.mutation(client_call("ops:change", {}))
        for _ in range(5):
            await backend.query(client_call("ops:view", {"id": "at the last moment"}))
    async with opened(tmp_path) as backend:
        assert len(await lines(backend, 6)) == 6
