"""Functions that want one document, run one upon the other in a host before anything of them is committed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from client_calls import client_call
from host_pools import pool_of
from host_run_messages import Messages, counted_messages
from hosts_node.driver import bundle_sources, packages_folder
from parabola.backend import Backend, BackendConfig
from parabola.functions.deployed.deployment import Module
from parabola.functions.deployed.identity import Identity
from parabola.functions.deployed.runtimes import RuntimeName
from parabola.functions.outcomes.results import FunctionResult
from parabola.functions.processes.host_connection import HostConnection
from parabola.functions.processes.host_messages import Again, Done, HostMessage
from parabola.functions.processes.host_pool import DeterministicPool
from parabola.functions.processes.host_run import Run, RunRequest
from parabola.services.deploys.push import Push
from parabola.values.encoding import encode

ADMIN = Identity.admin()
AT_ONCE = 40

PYTHON = """
from parabola import MutationCtx, QueryCtx, mutation, query

@mutation
async def open(ctx: MutationCtx) -> None:
    await ctx.db.insert("counters", {"name": "a", "count": 0})
    await ctx.db.insert("kept", {"count": 0})

async def next_count(ctx: MutationCtx) -> int:
    counter = await ctx.db.query("counters").first()
    await ctx.db.patch(counter["_id"], {"count": counter["count"] + 1})
    return counter["count"] + 1

@mutation
async def bump(ctx: MutationCtx) -> int:
    return await next_count(ctx)

@mutation
async def keep(ctx: MutationCtx) -> int:
    count = await next_count(ctx)
    await ctx.db.insert("kept", {"count": count})
    return count

@mutation
async def bump_odd(ctx: MutationCtx, odd: bool) -> int:
    count = await next_count(ctx)
    if odd:
        raise ValueError(f"not {count}")
    return count

@mutation
async def bump_at(ctx: MutationCtx) -> list:
    return [await next_count(ctx), ctx.meta.get_snapshot_ts()]

@mutation
async def mark(ctx: MutationCtx) -> int:
    counter = await ctx.db.query("counters").first()
    await ctx.db.patch(counter["_id"], {"count": counter["count"] + 1, "at": ctx.db.vars.commit_ts})
    return counter["count"] + 1

@mutation
async def bump_with_help(ctx: MutationCtx) -> int:
    count = await next_count(ctx)
    assert await ctx.run_query("counting:current", {}) == count
    return count

@mutation
async def follow(ctx: MutationCtx) -> int:
    count = await next_count(ctx)
    last = await ctx.db.query("kept").order("desc").first()
    await ctx.db.insert("kept", {"count": count, "after": last["_id"]})
    return count

@query
async def dangling(ctx: QueryCtx) -> list:
    kept = await ctx.db.query("kept").collect()
    return [each["count"] for each in kept if "after" in each and not await ctx.db.get(each["after"])]

@mutation
async def fall(ctx: MutationCtx, spoil: bool = False) -> int:
    counter = await ctx.db.query("counters").first()
    if counter["count"] < 0:
        sum(range(10**11))  # nothing but the end of the process ends it
    await ctx.db.patch(counter["_id"], {"count": -1 if spoil else counter["count"] + 1})
    return "no number" if spoil else counter["count"] + 1

@query
async def current(ctx: QueryCtx) -> int:
    return (await ctx.db.query("counters").first())["count"]

@query
async def all_kept(ctx: QueryCtx) -> list:
    return [document["count"] async for document in ctx.db.query("kept")]
"""

TYPESCRIPT = """
import { mutationGeneric as mutation, queryGeneric as query } from "convex/server";

export const open = mutation(async (ctx) => {
  await ctx.db.insert("counters", { name: "a", count: 0 });
  await ctx.db.insert("kept", { count: 0 });
});
const nextCount = async (ctx) => {
  const counter = await ctx.db.query("counters").first();
  await ctx.db.patch(counter._id, { count: counter.count + 1 });
  return counter.count + 1;
};
export const bump = mutation(nextCount);
export const keep = mutation(async (ctx) => {
  const count = await nextCount(ctx);
  await ctx.db.insert("kept", { count });
  return count;
});
export const bump_odd = mutation(async (ctx, { odd }) => {
  const count = await nextCount(ctx);
  if (odd) throw new Error(`not ${count}`);
  return count;
});
export const bump_at = mutation(async (ctx) => {
  const at = JSON.parse(Convex.syscall("1.0/getSnapshotTs", "{}"));
  const bytes = Uint8Array.from(atob(at.$integer), (character) => character.charCodeAt(0));
  return [await nextCount(ctx), new DataView(bytes.buffer).getBigInt64(0, true)];
});
export const bump_with_help = mutation(async (ctx) => {
  const count = await nextCount(ctx);
  if ((await ctx.runQuery("counting:current", {})) !== count) throw new Error("another one");
  return count;
});
export const current = query(async (ctx) => (await ctx.db.query("counters").first()).count);
export const all_kept = query(async (ctx) => {
  const kept = await ctx.db.query("kept").collect();
  return kept.map(({ count }) => count);
});
"""


def modules_of(language: str, tmp: pytest.TempPathFactory) -> tuple[Module, ...]:
    if language == "python":
        return (Module("counting.py", "python", PYTHON),)
    if not packages_folder().is_dir():
        pytest.skip("the npm packages of the tests are not installed")
    return tuple(
        Module(one["path"], "isolate", one["source"], one.get("sourceMap"))
        for one in bundle_sources(tmp.mktemp("sources"), {"counting.ts": TYPESCRIPT})
    )


@pytest_asyncio.fixture(params=["python", "typescript"])
async def backend(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Backend]:
    backend = await Backend.open(BackendConfig(tmp_path_factory.mktemp("counting")))
    try:
        await backend.deploy(Push(request.param, modules_of(request.param, tmp_path_factory)))
        runtime: RuntimeName = "python" if request.param == "python" else "isolate"
        await pool_of(backend, runtime).execute_transactions()
        await value(backend, "open")
        yield backend
    finally:
        await backend.close()


class Began:
    """How runs have begun that hosts execute."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.chained = self.others = 0
        run = HostConnection.run

        def counted(host: HostConnection, request: RunRequest) -> Run:
            if request.kind == "mutation":
                self.chained += request.link is not None
                self.others += request.link is None
            return run(host, request)

        monkeypatch.setattr(HostConnection, "run", counted)


@pytest.fixture
def began(monkeypatch: pytest.MonkeyPatch) -> Began:
    return Began(monkeypatch)


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> Messages:
    return counted_messages(monkeypatch)


async def call(backend: Backend, function: str, **args: Any) -> FunctionResult:
    return await backend.run_any(client_call(f"counting:{function}", encode(args), ADMIN))


async def value(backend: Backend, function: str, **args: Any) -> Any:
    result = await call(backend, function, **args)
    assert result.error is None, result.error.text()
    return result.value


async def at_once(backend: Backend, function: str, count: int = AT_ONCE) -> list[Any]:
    return await asyncio.gather(*(value(backend, function) for _ in range(count)))


async def learn(backend: Backend, function: str) -> int:
    """Calls that compete, until they are known to; how many there were."""
    calls, share = 0, 0.0
    while share <= 0.9 and calls < 10 * AT_ONCE:
        await at_once(backend, function)
        calls += AT_ONCE
        known = backend.database.turns.function(f"counting:{function}")
        share = 0.0 if known is None else known.share
    return calls


async def test_those_that_want_one_document_do_not_wait_for_each_other(
    backend: Backend, began: Began
) -> None:
    before = await learn(backend, "bump")
    began.chained = began.others = 0
    assert sorted(await at_once(backend, "bump")) == [before + n + 1 for n in range(AT_ONCE)]
    # Each is run once, and none is lost.
    assert began.chained == AT_ONCE
    assert not began.others
    assert await value(backend, "current") == before + AT_ONCE


async def test_what_comes_after_others_is_younger_than_what_they_have_inserted(backend: Backend) -> None:
    before = await learn(backend, "keep")
    await at_once(backend, "keep")
    assert await value(backend, "all_kept") == list(range(before + AT_ONCE + 1))


async def test_a_function_that_fails_has_seen_what_was_there_and_leaves_nothing(backend: Backend) -> None:
    async def odd(number: int) -> str | int:
        result = await call(backend, "bump_odd", odd=number % 3 == 0)
        if result.error is None:
            return int(result.value)
        return result.error.text().splitlines()[0].rpartition("not ")[2]

    for _ in range(8):
        said = await asyncio.gather(*(odd(number) for number in range(AT_ONCE)))
        counts = [each for each in said if isinstance(each, int)]
        assert len(counts) == len(set(counts)) == AT_ONCE - len(range(0, AT_ONCE, 3))
        for each in said:
            if isinstance(each, str):  # the count that it has made was the next one at some time
                assert min(counts) <= float(each) <= max(counts) + 1
    known = backend.database.turns.function("counting:bump_odd")
    assert known is not None
    assert known.share > 0.5


@pytest.mark.parametrize("function", ["bump_with_help", "bump_at", "mark"])
async def test_what_needs_more_than_the_chain_takes_turns_of_its_own(
    backend: Backend, began: Began, function: str
) -> None:
    if function == "mark" and "counting:mark" not in backend.runner.active.deployment.functions:
        pytest.skip("written in Python only")
    before = await learn(backend, function)
    began.chained = 0
    answers = await at_once(backend, function)
    if function == "bump_at":
        # Who has seen a later count has seen a later time.
        assert [ts for _, ts in sorted(answers)] == sorted(ts for _, ts in answers)
        assert len({ts for _, ts in answers}) == AT_ONCE
        answers = [count for count, _ in answers]
    assert sorted(answers) == [before + n + 1 for n in range(AT_ONCE)]
    known = backend.database.turns.function(f"counting:{function}")
    assert known is not None
    assert known.unbroken < 1
    assert began.chained <= 4  # what it takes to learn it


async def test_chains_survive_the_end_of_their_host(backend: Backend) -> None:
    before = await learn(backend, "bump")
    running = asyncio.gather(*(value(backend, "bump") for _ in range(AT_ONCE)))
    while not (hosts := [host for host in hosts_of(backend) if is_running_a_chain(host)]):
        assert not running.done()
        await asyncio.sleep(0)
    hosts[0]._process.kill()  # type: ignore[attr-defined]
    assert sorted(await running) == [before + n + 1 for n in range(AT_ONCE)]


def is_running_a_chain(host: HostConnection) -> bool:
    return any(run.is_executed and run.request.link is not None for run in host.runs.values())


def hosts_of(backend: Backend) -> list[HostConnection]:
    [pool] = [
        hosts.deterministic for hosts in backend.runner.active.hosts._hosts_of.values() if hosts.deterministic
    ]
    assert isinstance(pool, DeterministicPool)
    return pool._all()


async def test_who_gives_up_waiting_is_no_reason_for_others_to_wait(backend: Backend) -> None:
    before = await learn(backend, "bump")
    running = [asyncio.create_task(value(backend, "bump")) for _ in range(AT_ONCE)]
    for _ in range(3):
        await asyncio.sleep(0)
    for task in running[::3]:
        task.cancel()
    answers = await asyncio.gather(*running, return_exceptions=True)
    counts = [each for each in answers if not isinstance(each, BaseException)]
    assert len(counts) >= AT_ONCE * 2 // 3 - 1
    assert len(set(counts)) == len(counts)
    assert await value(backend, "current") <= before + AT_ONCE


async def test_who_was_built_upon_a_run_is_not_committed_upon_another_one_of_that_call(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "counting:follow" not in backend.runner.active.deployment.functions:
        pytest.skip("written in Python only")
    before = await learn(backend, "follow")
    dispatch, ended = HostConnection.dispatch, 0

    def the_first_is_too_much(host: HostConnection, message: HostMessage) -> None:
        nonlocal ended
        if type(message) is Done and host.runs[message.id].request.link is not None:
            ended += 1
            if ended == 1:  # as where what it has done is too much for one message
                message = Again(id=message.id, needs_engine=True)
        dispatch(host, message)

    monkeypatch.setattr(HostConnection, "dispatch", the_first_is_too_much)
    assert sorted(await at_once(backend, "follow")) == [before + n + 1 for n in range(AT_ONCE)]
    assert ended > 1
    assert await value(backend, "dangling") == []


async def test_who_ends_a_host_for_what_was_never_there_is_run_again(backend: Backend) -> None:
    if "counting:fall" not in backend.runner.active.deployment.functions:
        pytest.skip("written in Python only")
    before = await learn(backend, "fall")
    said = await asyncio.gather(*(call(backend, "fall", spoil=number == 3) for number in range(8)))
    refused = said.pop(3)
    assert refused.error is not None
    assert "no number" in refused.error.text()
    assert [each.error for each in said] == [None] * 7
    assert sorted(each.value for each in said) == [before + n + 1 for n in range(7)]
