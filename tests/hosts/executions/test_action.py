"""Actions: many at once, blocking or not, and what is left of them when they return."""

from __future__ import annotations

import asyncio

import pytest

from hosts.driver import HostProcess, Refused

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_async_and_plain_actions_call_other_functions(host: HostProcess) -> None:
    host.database.functions["m:double"] = lambda args: args["args"]["n"] * 2
    await host.serve("""
        @query
        async def double(ctx: QueryCtx, n: int):
            return n * 2
        @action
        async def asynchronous(ctx: ActionCtx, n: int):
            return sum(await asyncio.gather(*(ctx.run_query(double, {"n": i}) for i in range(n))))
        @action
        def plain(ctx: ActionCtx, n: int):
            return sum(ctx.run_query(api.m.double, {"n": i}) for i in range(n))
    """)
    asynchronous = await host.action("m.py:asynchronous", n=4)
    assert asynchronous.result == 12.0
    assert asynchronous.calls[0] == [
        {
            "call": 1,
            "op": "1.0/actions/query",
            "args": {"name": "m:double", "args": {"n": 0.0}, "version": "1.48.0", "requestId": "req-1"},
        }
    ]
    assert (await host.action("m.py:plain", n=4)).result == 12.0


async def test_a_blocking_action_holds_up_nobody(host: HostProcess) -> None:
    await host.serve("""
        import threading
        release = threading.Event()
        @action
        def block(ctx: ActionCtx):
            release.wait()
            return "released"
        @action
        async def block_badly(ctx: ActionCtx):
            release.wait()
            return "released"
        @query
        async def read(ctx: QueryCtx):
            return "read"
        @action
        async def let_go(ctx: ActionCtx):
            release.set()
    """)
    blocked = [host.start(f"m.py:{name}", kind="action") for name in ("block", "block_badly")]
    assert (await host.query("m.py:read")).result == "read"
    await host.action("m.py:let_go")
    assert [outcome.result for outcome in await asyncio.gather(*blocked)] == ["released", "released"]


async def test_errors_of_calls_can_be_caught_and_errors_are_reported(host: HostProcess) -> None:
    def fail(args: object) -> object:
        raise Refused("Uncaught ValueError: no", data="d")

    host.database.functions["m:q"] = fail
    await host.serve("""
        @action
        async def catches(ctx: ActionCtx):
            try:
                await ctx.run_mutation("m:q")
            except ConvexError as error:
                return [str(error), error.data]
        @action
        def fails(ctx: ActionCtx):
            ctx.run_mutation("m:q")
        @action
        async def task(ctx: ActionCtx):
            async def later():
                raise ValueError("in a task")
            asyncio.create_task(later())
            await asyncio.sleep(0)
        @action
        async def leaves(ctx: ActionCtx):
            raise SystemExit(3)
        @action
        def own_loop(ctx: ActionCtx):
            return asyncio.run(asyncio.sleep(0, "ran"))
    """)
    assert (await host.action("m.py:catches")).result == ["Uncaught ValueError: no", "d"]
    fails = await host.action("m.py:fails")
    assert fails.error == "Uncaught ConvexError: Uncaught ValueError: no"
    assert fails.frames == ["fails (convex/m.py:10)"]
    assert (await host.action("m.py:task")).error == "Uncaught ValueError: in a task"
    assert (await host.action("m.py:leaves")).error == "Uncaught SystemExit: 3"
    assert (await host.action("m.py:own_loop")).result == "ran"


async def test_what_an_action_leaves_running_is_cancelled_and_named(host: HostProcess) -> None:
    await host.serve("""
        seen = []
        @action
        async def leave(ctx: ActionCtx):
            async def forever():
                try:
                    await asyncio.sleep(1000)
                finally:
                    seen.append("cancelled")
            asyncio.create_task(forever())
            ctx.run_mutation("m:slow")
            await asyncio.sleep(0)
            return "left"
        @query
        async def look(ctx: QueryCtx):
            return seen
    """)
    host.held = []
    outcome = await host.action("m.py:leave")
    assert outcome.result == "left"
    assert outcome.usage["unawaited"] == ["mutation"]
    host.held = None
    await host.until("m.py:look", ["cancelled"])


async def test_a_cancelled_action_stops(host: HostProcess) -> None:
    await host.serve("""
        seen = []
        @action
        async def wait(ctx: ActionCtx):
            try:
                await ctx.run_query("m:q")
            finally:
                seen.append("async")
        @action
        def wait_sync(ctx: ActionCtx):
            try:
                ctx.run_query("m:q")
            finally:
                seen.append("sync")
        @query
        async def look(ctx: QueryCtx):
            return sorted(seen)
    """)
    host.held = []
    for path in ("m.py:wait", "m.py:wait_sync"):
        host.start(path, kind="action")
        await host.holds()
        host.held.clear()
        host.cancel(host.last_id)
    host.held = None
    await host.until("m.py:look", ["async", "sync"])


async def test_log_lines_are_sent_as_they_appear(host: HostProcess) -> None:
    await host.serve("""
        @action
        async def talk(ctx: ActionCtx):
            print("before")
            await ctx.run_query("m:q")
            print("after", end="")
            import sys; sys.stdout.write("unfinished")
    """)
    host.held = []
    future = host.start("m.py:talk", kind="action")
    await host.holds()
    assert host.runs[host.last_id][1].logs == ["[LOG] before"]
    host.database.functions["m:q"] = lambda args: None
    host.answer(host.held.pop())
    assert (await future).logs == ["[LOG] before", "[LOG] after", "[LOG] unfinished"]


async def test_there_is_no_database_in_actions(host: HostProcess) -> None:
    await host.serve("""
        @action
        async def read(ctx: ActionCtx):
            await ctx.db.get("t|1")
    """)
    assert (await host.action("m.py:read")).error == (
        "Uncaught AttributeError: There is no `ctx.db` in an action. Actions have no database: "
        "read with `ctx.run_query` and write with `ctx.run_mutation`."
    )


async def test_an_action_that_waits_for_what_cannot_come_ends(host: HostProcess) -> None:
    await host.serve("""
        @action
        async def never(ctx: ActionCtx):
            await asyncio.Event().wait()
        @action
        async def after_a_call(ctx: ActionCtx):
            await ctx.run_query(api.m.double, {"n": 1})
            await asyncio.to_thread(sum, [1, 2])
            await asyncio.Event().wait()
        @action
        async def fine(ctx: ActionCtx):
            return "fine"
    """)
    host.database.functions["m:double"] = lambda args: args["args"]["n"] * 2
    for name in ("never", "after_a_call"):
        outcome = await host.action(f"m.py:{name}")
        assert outcome.message["kind"] == "stuck", outcome
        assert outcome.error.startswith("Returned promise will never resolve")
    assert (await host.action("m.py:fine")).result == "fine"


async def test_an_action_may_wait_for_timers_threads_sockets_and_processes(host: HostProcess) -> None:
    await host.serve("""
        import socket
        import sys
        import threading
        @action
        async def timer(ctx: ActionCtx):
            await asyncio.sleep(0.1)
            return "timer"
        @action
        async def pool(ctx: ActionCtx):
            pause = threading.Event()
            await asyncio.to_thread(pause.wait, 0.1)
            return "pool"
        @action
        async def thread(ctx: ActionCtx):
            done = asyncio.Event()
            loop = asyncio.get_running_loop()
            threading.Timer(0.1, lambda: loop.call_soon_threadsafe(done.set)).start()
            await done.wait()
            return "thread"
        @action
        async def sockets(ctx: ActionCtx):
            ours, theirs = socket.socketpair()
            reader, writer = await asyncio.open_connection(sock=ours)
            threading.Timer(0.1, lambda: theirs.sendall(b"x")).start()
            await reader.read(1)
            writer.close()
            return "sockets"
        @action
        async def process(ctx: ActionCtx):
            child = await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", "pass")
            await child.wait()
            return "process"
    """)
    for name in ("timer", "pool", "thread", "sockets", "process"):
        assert (await host.action(f"m.py:{name}")).result == name
