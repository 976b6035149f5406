"""The host as a process: time, memory, the activity cell, and calls that take the process with them."""

from __future__ import annotations

import asyncio
import struct
from pathlib import Path

import pytest

from hosts.driver import HostProcess, host_process

pytestmark = pytest.mark.asyncio(loop_scope="module")

NEIGHBOUR = """
    @query
    async def fine(ctx: QueryCtx):
        return "fine"
"""


async def test_ready_says_who_it_is(shared_host: HostProcess) -> None:
    ready = await shared_host.ready
    assert ready["type"] == "ready"
    assert (ready["protocol"], ready["language"], ready["pid"]) == (1, "python", shared_host.process.pid)


async def test_a_function_that_loops_for_ever_is_interrupted_where_it_is() -> None:
    async with host_process(limits={"userSeconds": 0.2}) as host:
        await host.serve("""
            @query
            async def spin(ctx: QueryCtx):
                n = 0
                while True:
                    n += 1
            @query
            def swallow(ctx: QueryCtx):
                while True:
                    try:
                        while True:
                            pass
                    except BaseException:
                        return "swallowed"
            @query
            async def subtask(ctx: QueryCtx):
                async def spin():
                    while True:
                        pass
                return await asyncio.gather(spin(), return_exceptions=True)
            @mutation
            async def bit_by_bit(ctx: MutationCtx):
                while True:
                    await ctx.db.insert("t", {})
                    sum(range(300_000))
        """)
        outcome = await host.query("m.py:spin")
        assert outcome.kind == "timeout"
        assert outcome.error == "Function execution timed out (maximum duration: 0.2s)"
        assert outcome.frames[0] in ("spin (convex/m.py:5)", "spin (convex/m.py:6)")
        for path in ("m.py:swallow", "m.py:subtask"):
            outcome = await host.query(path)
            assert (outcome.kind, outcome.error) == (
                "timeout",
                "Function execution timed out (maximum duration: 0.2s)",
            )
        outcome = await host.mutation("m.py:bit_by_bit")
        assert outcome.kind == "timeout"
        assert len(outcome.ops) > 5, "the time of all steps together counts"
        assert 150 < outcome.usage["userMs"] < 1000


async def test_what_the_caller_has_used_of_the_time_counts() -> None:
    async with host_process(limits={"userSeconds": 10}) as host:
        await host.serve("""
            @query
            async def spin(ctx: QueryCtx):
                while True:
                    pass
        """)
        outcome = await host.run("m.py:spin", {}, userMsUsed=9_900.0)
        assert outcome.kind == "timeout"
        assert outcome.usage["userMs"] < 5_000


async def test_the_others_go_on_while_one_waits_and_when_one_is_interrupted() -> None:
    async with host_process(limits={"userSeconds": 0.1}) as host:
        await host.serve("""
            @query
            async def wait(ctx: QueryCtx):
                return await ctx.db.get("t|1")
            @query
            async def spin(ctx: QueryCtx):
                while True:
                    pass
        """)
        host.held = []
        waiting = host.start("m.py:wait")
        assert (await host.query("m.py:spin")).kind == "timeout"
        host.answer(host.held.pop())
        assert (await waiting).result is None


async def test_a_result_does_not_wait_for_a_function_that_computes() -> None:
    async with host_process(limits={"userSeconds": 1}) as host:
        await host.serve("""
            @query
            async def quick(ctx: QueryCtx):
                return 1
            @query
            async def compute(ctx: QueryCtx):
                for _ in range(5_000_000):
                    pass
            @query
            async def spin(ctx: QueryCtx):
                while True:
                    pass
        """)
        computing = host.start("m.py:compute")  # what comes meanwhile is read together
        quick, spinning = host.start("m.py:quick"), host.start("m.py:spin")
        await computing
        assert (await quick).result == 1
        assert not spinning.done()
        assert (await spinning).kind == "timeout"


async def test_memory_that_runs_away_fails_the_call_and_not_the_process() -> None:
    async with host_process(limits={"sharedMemory": 64 * 2**20}) as host:
        await host.serve(
            NEIGHBOUR.rstrip()
            + """
    @query
    async def at_once(ctx: QueryCtx):
        return len(bytearray(10**9))
    @query
    def slowly(ctx: QueryCtx):
        kept = []
        while True:
            kept.append(bytes(10**6))
    @action
    async def act(ctx: ActionCtx):
        return len(bytearray(200 * 10**6))
    """
        )
        for path in ("m.py:at_once", "m.py:slowly", "m.py:slowly"):
            outcome = await host.query(path)
            assert outcome.kind == "memory"
            assert outcome.error == (
                "Function execution ran out of memory (maximum memory usage: 64 MB). "
                "Read and keep less in one call."
            )
            assert (await host.query("m.py:fine")).result == "fine"
        assert (await host.action("m.py:act")).result == 2e8


async def test_a_timer_that_an_action_leaves_behind_does_not_end_the_next_call(
    shared_host: HostProcess,
) -> None:
    await shared_host.serve("""
        import signal, time
        @action
        def leave(ctx: ActionCtx):
            signal.setitimer(signal.ITIMER_REAL, 0.01)
        @action
        def next(ctx: ActionCtx):
            time.sleep(0.05)
            return "fine"
    """)
    assert (await shared_host.action("m.py:leave")).result is None
    assert (await shared_host.action("m.py:next")).result == "fine"


async def test_the_activity_cell_names_the_run_whose_code_runs() -> None:
    async with host_process() as host:
        await host.serve("""
            import pathlib
            @query
            async def wait(ctx: QueryCtx):
                return await ctx.db.get("t|1")
            @query
            async def leave(ctx: QueryCtx):
                import os
                os._exit(3)
        """)

        def cell() -> tuple[int, int]:
            return struct.unpack("<QQ", Path(host.activity_path).read_bytes())

        host.held = []
        host.start("m.py:wait")
        await host.holds()
        assert cell() == (0, 0), "it waits: no user code runs"
        gone = host.start("m.py:leave")
        with pytest.raises(ConnectionError):
            await gone
        assert cell()[0] == host.last_id
        assert cell()[1] > 0
        assert await host.process.wait() == 3


async def test_sets_have_one_order_on_every_host() -> None:
    source = """
        @query
        async def order(ctx: QueryCtx):
            return list({f"name{n}" for n in range(20)})
    """
    orders = []
    for seed in ("1", "random"):
        async with host_process(PYTHONHASHSEED=seed) as host:
            await host.serve(source)
            orders.append((await host.query("m.py:order")).result)
    assert orders[0] == orders[1]


async def test_a_broken_load_is_reported_and_a_good_one_follows(host: HostProcess) -> None:
    failed = await host.load({"m.py": "def f(:"})
    assert failed["type"] == "loadFailed"
    assert failed["error"]["file"] == "convex/m.py"
    assert failed["error"]["line"] == 1
    assert (await host.query("m.py:fine")).error == "No modules are loaded."
    assert (await host.analyze())["error"]["message"] == "No modules are loaded."
    await host.serve(NEIGHBOUR)
    assert (await host.query("m.py:fine")).result == "fine"
    await host.serve(NEIGHBOUR.replace('"fine"', '"new"'))
    assert (await host.query("m.py:fine")).result == "new"
    assert (await host.analyze())["result"]["modules"]["m.py"]["functions"][0]["name"] == "fine"


async def test_messages_may_arrive_in_any_pieces(host: HostProcess) -> None:
    await host.serve("""
        @query
        async def size(ctx: QueryCtx, text: str):
            print("x")
            return [len(text), text[-1:]]
    """)
    text = "ä" * 3_000_000 + "z"
    assert (await host.query("m.py:size", text=text)).result == [3_000_001.0, "z"]
    many = await asyncio.gather(*(host.query("m.py:size", text=str(n)) for n in range(50)))
    assert [outcome.result[1] for outcome in many] == [str(n)[-1] for n in range(50)]


async def test_the_process_ends_with_the_socket_even_if_threads_do_not() -> None:
    async with host_process() as host:
        await host.serve("""
            import threading
            @action
            async def leave_a_thread(ctx: ActionCtx):
                threading.Thread(target=threading.Event().wait).start()
                return 1
        """)
        assert (await host.action("m.py:leave_a_thread")).result == 1.0
    assert host.process.returncode == 0


@pytest.mark.parametrize("options", [(), ("--zygote",)])
async def test_nothing_is_left_behind_when_the_engine_is_gone(options: tuple[str, ...]) -> None:
    async with host_process(*options) as host:
        host._writer.transport.abort()
        assert await host.process.wait() == 0
        assert not Path(host.activity_path).exists()  # noqa: ASYNC240
