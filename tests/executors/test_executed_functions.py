"""Functions of Python whose transactions run in their hosts: what goes to the engine, and when."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from types import FrameType
from typing import Any

import pytest
import pytest_asyncio

from client_calls import client_call
from host_pools import pool_of
from host_run_messages import Messages, counted_messages
from parabola.backend import Backend, BackendConfig
from parabola.functions.deployed.deployment import Module
from parabola.functions.deployed.identity import Identity
from parabola.functions.outcomes.results import FunctionResult
from parabola.services.deploys.push import Push
from parabola.values.encoding import encode

ADMIN = Identity.admin()
MOST_CALLS = 1000
"""Calls of functions, also of those in C, that a transfer may cost the engine."""

SOURCE = """
import asyncio
from parabola import MutationCtx, QueryCtx, internal, mutation, query

@mutation
async def open(ctx: MutationCtx, number: int) -> None:
    await ctx.db.insert("accounts", {"number": number, "balance": 100})

@mutation
async def move(ctx: MutationCtx, payer: int, payee: int, amount: float) -> None:
    source = await ctx.db.query("accounts").with_index("by_number", lambda q: q.eq("number", payer)).unique()
    target = await ctx.db.query("accounts").with_index("by_number", lambda q: q.eq("number", payee)).unique()
    await ctx.db.patch(source["_id"], {"balance": source["balance"] - amount})
    await ctx.db.patch(target["_id"], {"balance": target["balance"] + amount})

@query
async def total(ctx: QueryCtx) -> float:
    return sum([account["balance"] async for account in ctx.db.query("accounts")])

@query
async def total_or_worse(ctx: QueryCtx, loop: bool) -> float:
    balances = [account["balance"] async for account in ctx.db.query("accounts")]
    if loop:
        while True:
            pass
    raise ValueError(f"{len(balances)} accounts")

@query
async def first_or_never(ctx: QueryCtx, run: int) -> bool:
    first = await ctx.db.query("accounts").with_index("by_number", lambda q: q.eq("number", 1)).unique()
    return sum(range(10**15)) > 0  # within C, where nobody can interrupt it

@query
async def hoards(ctx: QueryCtx) -> int:
    held = []
    while True:
        held.append(bytearray(2**26))
        await ctx.db.query("accounts").first()

@query
async def computes_between_reads(ctx: QueryCtx) -> int:
    while True:
        await ctx.db.query("accounts").first()
        sum(range(100_000))

@mutation
async def open_then_count(ctx: MutationCtx, number: int) -> int:
    await ctx.db.insert("accounts", {"number": number, "balance": 100})
    count = await ctx.run_query("bank:count", {})
    await ctx.db.insert("accounts", {"number": number + 1, "balance": 100})
    return count + len(await ctx.db.query("accounts").collect())

@mutation
async def open_despite(ctx: MutationCtx, texts: list[str]) -> list[str]:
    await ctx.db.insert("accounts", {"number": 1, "balance": 100})
    said = []
    for one in await asyncio.gather(*(ctx.db.get("notes" + text + chr(0xD800), "x") for text in texts),
                                    return_exceptions=True):
        said.append(str(one))
    await ctx.db.insert("accounts", {"number": 2, "balance": 100})
    said.append(str(await ctx.run_query("bank:count", {})))
    return said

@query
async def count(ctx: QueryCtx) -> int:
    return len(await ctx.db.query("accounts").collect())

@mutation
async def count_between_rows(ctx: MutationCtx) -> list[int]:
    counts = []
    async for account in ctx.db.query("accounts"):
        counts.append(await ctx.run_query("bank:count", {}))
        await ctx.db.delete(account["_id"])
    return counts

@mutation
async def note(ctx: MutationCtx, text: str) -> int:
    await ctx.db.insert("notes", {"text": text})
    await ctx.db.insert("notes", {"text": text})
    return len(await ctx.db.query("notes").collect())

@mutation
async def open_many(ctx: MutationCtx, count: int) -> None:
    for number in range(count):
        await ctx.db.insert("accounts", {"number": number, "balance": 1})

@query
async def owners_of(ctx: QueryCtx, balance: int) -> list[float]:
    rich = ctx.db.query("accounts").filter(lambda q: q.eq(q.field("balance"), balance))
    return [account["number"] for account in await rich.collect()]

@query
async def writes(ctx: QueryCtx) -> None:
    await ctx._syscalls.call("1.0/insert", {"table": "accounts", "value": {}})
"""

SCHEMA = """
from parabola import define_schema, define_table, v

schema = define_schema({
    "accounts": define_table({"number": v.number(), "balance": v.number()}).index("by_number", ["number"]),
}, schema_validation=False)
"""


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> Messages:
    return counted_messages(monkeypatch)


@pytest_asyncio.fixture
async def backend(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Backend]:
    backend = await Backend.open(BackendConfig(tmp_path_factory.mktemp("bank")))
    modules = (Module("bank.py", "python", SOURCE), Module("schema.py", "python", SCHEMA))
    try:
        await backend.deploy(Push("python", modules))
        yield backend
    finally:
        await backend.close()


async def call(backend: Backend, function: str, **args: Any) -> FunctionResult:
    return await backend.run_any(client_call(f"bank:{function}", encode(args), ADMIN))


async def value(backend: Backend, function: str, **args: Any) -> Any:
    result = await call(backend, function, **args)
    assert result.error is None, result.error.text()
    return result.value


async def test_a_transfer_is_one_message_of_the_host(backend: Backend, messages: Messages) -> None:
    for number in (1, 2):
        await value(backend, "open", number=number)
    messages.clear()
    await value(backend, "move", payer=1, payee=2, amount=30)
    assert messages == {"Done": 1}
    assert await value(backend, "total") == 200
    assert messages == {"Done": 2}


async def test_transfers_at_once_lose_nothing(backend: Backend) -> None:
    for number in range(4):
        await value(backend, "open", number=number)
    moves = [(n % 4, (n + 1 + n // 4 % 3) % 4) for n in range(60)]
    await asyncio.gather(*(value(backend, "move", payer=a, payee=b, amount=1) for a, b in moves))
    assert await value(backend, "total") == 400


async def test_a_wide_read_is_told_at_the_end_and_no_reason_to_begin_again(
    backend: Backend, messages: Messages
) -> None:
    await value(backend, "open_many", count=150)
    messages.clear()
    assert await value(backend, "owners_of", balance=7) == []
    assert messages == {"Done": 1}
    [(reading, counts)] = backend.runner.around.wide_reads.items()
    assert (reading.function, reading.table, reading.equal) == ("bank:owners_of", "accounts", ("balance",))
    assert (counts.times, counts.read, counts.returned) == (1, 150, 0)


async def test_the_engine_goes_on_where_a_host_cannot(backend: Backend, messages: Messages) -> None:
    await value(backend, "open", number=0)
    messages.clear()
    assert await value(backend, "open_then_count", number=1) == 2 + 3
    assert messages["Again"] == 0
    assert await value(backend, "count") == 3
    # The first document of a table, which only the engine can make.
    assert await value(backend, "note", text="a") == 2
    assert messages["Again"] == 0


async def test_a_function_in_the_middle_of_a_query_begins_again_with_the_engine(
    backend: Backend, messages: Messages
) -> None:
    await value(backend, "open_many", count=3)
    messages.clear()
    assert await value(backend, "count_between_rows") == [3, 2, 1]
    assert messages["Again"] == 1
    assert backend.runner.active.hosts.needs_engine == {"bank.py:count_between_rows"}
    await value(backend, "open_many", count=2)
    messages.clear()
    assert await value(backend, "count_between_rows") == [2, 1]
    assert messages["Again"] == 0


@pytest.mark.parametrize("loop", [False, True], ids=["raises", "never ends"])
async def test_a_failure_depends_on_what_was_read(backend: Backend, loop: bool) -> None:
    await value(backend, "open", number=1)
    result = await call(backend, "total_or_worse", loop=loop)
    assert result.error is not None
    assert result.read_set is not None
    [table] = [table for table in backend.database.registry.tables("") if table.name == "accounts"]
    indexes = {index.index_id for index in backend.database.registry.indexes(table.tablet_id)}
    assert indexes & result.read_set.by_index.keys()


async def test_a_query_that_ends_its_host_depends_on_what_it_has_read_and_nothing_else(
    backend: Backend, messages: Messages
) -> None:
    await value(backend, "open", number=1)
    results = [await call(backend, "first_or_never", run=run) for run in (1, 2)]
    assert messages["Again"] == 0
    for result in results:
        assert result.error is not None
        assert "timed out" in result.error.text()
        assert result.read_set is not None
    first, second = ({**result.read_set.by_index} for result in results if result.read_set is not None)
    [table] = [table for table in backend.database.registry.tables("") if table.name == "accounts"]
    by_id, *_, by_number = (index.index_id for index in backend.database.registry.indexes(table.tablet_id))
    for reads in (first, second):
        assert by_id not in reads
        assert [interval for interval in reads[by_number] if interval.end is not None]
    assert backend.runner.active.hosts.needs_engine == {"bank.py:first_or_never"}


async def test_a_call_that_is_alone_in_its_host_is_run_by_the_engine(backend: Backend) -> None:
    await value(backend, "open", number=1)
    pool = pool_of(backend, "python")
    running = asyncio.create_task(call(backend, "first_or_never", run=1))
    for _ in range(2):  # hosts, which somebody kills
        async with asyncio.timeout(60):
            while not (hosts := [host for host in pool._all() if host.runs]):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            os.kill(hosts[0].info.pid, signal.SIGKILL)
            while not hosts[0].closed:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    result = await running
    assert result.error is not None
    assert "also when it ran there alone" in result.error.text()
    assert result.read_set is not None
    [table] = [table for table in backend.database.registry.tables("") if table.name == "accounts"]
    assert table.tablet_id not in result.read_set.by_index


async def test_memory_is_limited_between_answers_that_come_at_once(backend: Backend) -> None:
    await value(backend, "open", number=1)
    hosts = {host.info.pid for host in pool_of(backend, "python")._all()}
    result = await call(backend, "hoards")
    assert result.error is not None
    assert "ran out of memory" in result.error.text()
    assert await value(backend, "count") == 1
    assert hosts <= {host.info.pid for host in pool_of(backend, "python")._all()}


async def test_time_is_limited_where_answers_come_at_once(backend: Backend) -> None:
    await value(backend, "open", number=1)
    result = await call(backend, "computes_between_reads")
    assert result.error is not None
    assert "timed out" in result.error.text()


async def test_many_operations_leave_others_their_turns(backend: Backend) -> None:
    many = asyncio.create_task(value(backend, "open_many", count=4000))
    await asyncio.gather(*(value(backend, "count") for _ in range(4)))
    await many
    assert await value(backend, "count") == 4000


@pytest.mark.parametrize("number", [1, 2])
async def test_what_cannot_be_asked_of_anybody_leaves_the_rest_as_it_was(
    backend: Backend, number: int
) -> None:
    said = await value(backend, "open_despite", texts=[str(n) for n in range(number)])
    assert len(said) == number + 1
    assert said[-1] == "2"
    assert await value(backend, "count") == 2


async def test_limits_are_those_of_the_engine(backend: Backend) -> None:
    result = await call(backend, "open_many", count=16_001)
    assert result.error is not None
    assert "Too many writes in a single function execution (limit: 16000)" in result.error.text()
    assert await value(backend, "count") == 0


async def test_a_query_that_writes_is_refused_as_by_the_engine(backend: Backend) -> None:
    result = await call(backend, "writes")
    assert result.error is not None
    assert "A query cannot write" in result.error.text()


async def test_a_transfer_is_little_work_for_the_engine(backend: Backend) -> None:
    for number in (1, 2):
        await value(backend, "open", number=number)
    calls = 0

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    for _ in range(3):  # what is made once is made now
        await value(backend, "move", payer=1, payee=2, amount=1)
    sys.setprofile(count)
    try:
        for _ in range(10):
            await value(backend, "move", payer=1, payee=2, amount=1)
    finally:
        sys.setprofile(None)
    assert calls / 10 < MOST_CALLS
