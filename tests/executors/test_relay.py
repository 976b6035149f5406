"""Functions of TypeScript behind a relay, which executes their transactions while there is much to do."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from executors import relayed_backend as relayed
from executors.relayed_backend import reads_of, relayed_backend
from host_pools import pool_of
from host_run_messages import Messages, counted_messages
from parabola.backend import Backend
from parabola.functions.outcomes.results import FunctionResult
from parabola.functions.processes import host_spawners, run_rate
from parabola.functions.processes.host_failures import HostLost
from parabola.functions.processes.host_losses import HostLosses
from parabola.functions.processes.host_spawners import ProcessSpawner
from parabola.functions.processes.relay_process import RelayProcess
from parabola.functions.processes.run_rate import FAST_RUNS

SOURCE = """
import { mutationGeneric as mutation, queryGeneric as query } from "convex/server";

export const open = mutation(async (ctx, { number }) => {
  await ctx.db.insert("accounts", { number, balance: 100 });
});
export const move = mutation(async (ctx, { payer, payee, amount }) => {
  const all = await ctx.db.query("accounts").collect();
  const [source, target] = [payer, payee].map((number) => all.find((account) => account.number === number));
  await ctx.db.patch(source._id, { balance: source.balance - amount });
  await ctx.db.patch(target._id, { balance: target.balance + amount });
});
export const total = query(async (ctx) => {
  let sum = 0;
  for await (const account of ctx.db.query("accounts")) sum += account.balance;
  return sum;
});
export const openThenCount = mutation(async (ctx, { number }) => {
  const inserted = ctx.db.insert("accounts", { number, balance: 100 });
  const count = ctx.runQuery("bank:count", {});
  await ctx.db.insert("accounts", { number: number + 1, balance: 100 });
  await inserted;
  return [await count, (await ctx.db.query("accounts").collect()).length];
});
export const count = query(async (ctx) => (await ctx.db.query("accounts").collect()).length);
export const countBetweenRows = mutation(async (ctx) => {
  const counts = [];
  for await (const account of ctx.db.query("accounts")) {
    counts.push(await ctx.runQuery("bank:count", {}));
    await ctx.db.delete(account._id);
  }
  return counts;
});
export const openMany = mutation(async (ctx, { count }) => {
  for (let number = 1; number <= count; number++) await ctx.db.insert("accounts", { number, balance: 1 });
});
export const compute = query(async (ctx) => {
  const account = await ctx.db.query("accounts").first();
  for (let i = 0; i < 3e8; i++);
  return account.balance;
});
export const nothing = query(async () => null);
export const callMuch = mutation(async (ctx, { count }) => {
  for (let done = 0; done < count; done++) await ctx.runQuery("bank:nothing", {});
});
export const first = query(async (ctx) => {
  for await (const account of ctx.db.query("accounts")) {
    await ctx.runQuery("bank:nothing", {});
    return account.balance;
  }
});
export const fail = mutation(async (ctx) => {
  await ctx.db.insert("accounts", { number: 9, balance: 9 });
  throw new Error("no");
});
"""


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> Messages:
    return counted_messages(monkeypatch)


@pytest_asyncio.fixture
async def backend(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Backend]:
    async with relayed_backend(tmp_path_factory.mktemp("bank"), bank=SOURCE) as backend:
        await value(backend, "open", number=0)
        yield backend


async def much(backend: Backend) -> None:
    """So many calls in so short a time that hosts are to execute."""
    for _ in range(FAST_RUNS // 20 + 1):
        await asyncio.gather(*(call(backend, "fail") for _ in range(40)))


async def until_executed(backend: Backend) -> None:
    """Calls, until hosts execute: on a busy machine so many may take too long at first."""
    async with asyncio.timeout(60):
        while not pool_of(backend).executes:
            await much(backend)


def relay_of(backend: Backend) -> RelayProcess:
    spawner = backend.runner.active.hosts._hosts_of["isolate"].spawner
    assert isinstance(spawner, ProcessSpawner)
    assert spawner._relay is not None
    return spawner._relay


async def call(backend: Backend, function: str, **args: Any) -> FunctionResult:
    return await relayed.call(backend, f"bank:{function}", **args)


async def value(backend: Backend, function: str, **args: Any) -> Any:
    return await relayed.value(backend, f"bank:{function}", **args)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # nothing tells


async def test_calls_within_others_which_a_relay_would_only_pass_on_bring_none(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_rate, "FAST_SECONDS", 3600.0)
    await value(backend, "callMuch", count=3 * FAST_RUNS)
    assert not pool_of(backend)._is_executing
    await until_executed(backend)


async def test_a_transfer_is_one_message_for_the_engine(backend: Backend, messages: Messages) -> None:
    await value(backend, "open", number=1)
    messages.clear()
    await value(backend, "move", payer=0, payee=1, amount=30)
    assert messages["Syscall"] == 3
    await pool_of(backend).execute_transactions()
    messages.clear()
    await value(backend, "move", payer=0, payee=1, amount=30)
    assert messages == {"Done": 1}
    assert await value(backend, "total") == 200


async def test_hosts_execute_while_there_is_much_to_do(backend: Backend) -> None:
    pool = pool_of(backend)
    assert not pool.executes
    await until_executed(backend)
    relay = relay_of(backend)
    assert await value(backend, "total") == 100
    pool._calm_down()
    await until(lambda: not pool.executes)
    assert await value(backend, "total") == 100
    await relay._watch


async def test_what_runs_when_it_gets_calm_is_not_lost(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost: list[HostLost] = []
    monkeypatch.setattr(HostLosses, "count", lambda losses, loss: lost.append(loss))
    pool = pool_of(backend)
    await pool.execute_transactions()
    relay = relay_of(backend)
    running = asyncio.create_task(value(backend, "compute"))
    await until(lambda: any(host.runs for host in pool._hosts))
    pool._calm_down()
    await until(lambda: not pool.executes)
    assert await running == 100
    assert not lost
    await relay._watch


async def test_transfers_lose_nothing_while_hosts_begin_to_execute(backend: Backend) -> None:
    for number in range(1, 4):
        await value(backend, "open", number=number)
    beginning = asyncio.create_task(pool_of(backend).execute_transactions())
    moves = [(n % 4, (n + 1 + n // 4 % 3) % 4) for n in range(60)]
    await asyncio.gather(*(value(backend, "move", payer=a, payee=b, amount=1) for a, b in moves))
    await beginning
    await asyncio.gather(*(value(backend, "move", payer=a, payee=b, amount=1) for a, b in moves))
    assert await value(backend, "total") == 400


async def test_the_engine_goes_on_where_the_relay_cannot(backend: Backend, messages: Messages) -> None:
    await pool_of(backend).execute_transactions()
    messages.clear()
    assert await value(backend, "openThenCount", number=1) == [2, 3]
    assert messages["Again"] == 0
    result = await call(backend, "fail")
    assert result.error is not None
    assert await value(backend, "count") == 3


@pytest.mark.parametrize("count", [2, 119])  # the rows of the query come in one message, or in two
async def test_who_is_in_the_middle_of_a_query_begins_again_with_the_engine(
    backend: Backend, messages: Messages, count: int
) -> None:
    await value(backend, "openMany", count=count)
    await pool_of(backend).execute_transactions()
    messages.clear()
    assert await value(backend, "countBetweenRows") == list(range(count + 1, 0, -1))
    assert messages["Again"] == 1
    assert backend.runner.active.hosts.needs_engine == {"bank.js:countBetweenRows"}


async def test_a_query_that_is_left_early_has_read_what_it_was_given(backend: Backend) -> None:
    await value(backend, "openMany", count=9)
    by_engine = await call(backend, "first", run=1)
    await pool_of(backend).execute_transactions()
    executed = await call(backend, "first", run=2)
    assert (executed.value, by_engine.value) == (100, 100)
    assert executed.read_set is not None
    assert by_engine.read_set is not None
    assert reads_of(executed.read_set) == reads_of(by_engine.read_set)


async def test_functions_are_run_elsewhere_when_a_relay_dies(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_spawners, "RELAY_PAUSE_SECONDS", 3600.0)
    pool = pool_of(backend)
    await pool.execute_transactions()
    running = [asyncio.create_task(value(backend, "count")) for _ in range(20)]
    await asyncio.sleep(0)
    os.kill(relay_of(backend).pid, signal.SIGKILL)
    assert await asyncio.gather(*running) == [1] * 20
    await value(backend, "open", number=1)
    assert await value(backend, "total") == 200
    # Others take its place when there is much to do, though not at once.
    await much(backend)
    assert not pool.executes
    monkeypatch.setattr(host_spawners, "RELAY_PAUSE_SECONDS", 0.0)
    await until_executed(backend)
    assert await value(backend, "total") == 200
