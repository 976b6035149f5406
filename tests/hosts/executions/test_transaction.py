"""Queries and mutations on a real host process: how they are driven, and how they end."""

from __future__ import annotations

import asyncio

import pytest

from hosts.driver import HostProcess, Refused

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_example_of_the_readme_works(host: HostProcess) -> None:
    await host.serve("""
        task = v.object({"_id": v.id("tasks"), "_creationTime": v.number(), "text": v.string(),
                         "completed": v.boolean()})

        @query(args={"limit": v.optional(v.number())}, returns=v.array(task))
        async def list(ctx: QueryCtx, limit: float | None = None):
            return await ctx.db.query("tasks").order("desc").take(limit or 10)

        @mutation
        async def create(ctx: MutationCtx, text: str) -> Id["tasks"]:
            return await ctx.db.insert("tasks", {"text": text, "completed": False})

        @query
        async def first_three(ctx: QueryCtx):
            return await list(ctx, limit=3)
    """)
    ids = [(await host.mutation("m.py:create", text=text)).result for text in "abcd"]
    assert ids == ["tasks|1", "tasks|2", "tasks|3", "tasks|4"]
    listed = await host.query("m.py:list", limit=1)
    assert listed.result == [{"_id": "tasks|4", "_creationTime": 4.0, "text": "d", "completed": False}]
    assert [task["text"] for task in (await host.query("m.py:first_three")).result] == ["d", "c", "b"]


async def test_a_plain_def_function_gets_results_directly(host: HostProcess) -> None:
    await host.serve("""
        @mutation
        def fill(ctx: MutationCtx, count: int) -> int:
            ids = [ctx.db.insert("t", {"n": n}) for n in range(count)]
            assert ctx.db.get(ids[0])["n"] == 0
            ctx.db.patch(ids[0], {"n": 10})
            ctx.db.delete(ids[1])
            return sum(int(row["n"]) for row in ctx.db.query("t"))

        @query
        def page(ctx: QueryCtx):
            rows = ctx.db.query("t").paginate(num_items=2)
            return {"rows": len(rows["page"]), "first": ctx.db.query("t").first()["n"],
                    "all": len(ctx.db.query("t").collect()), "count": ctx.db.query("t").count()}
    """)
    assert (await host.mutation("m.py:fill", count=5)).result == 10 + 2 + 3 + 4
    assert (await host.query("m.py:page")).result == {"rows": 2, "first": 10, "all": 4, "count": 4}


async def test_plain_def_functions_run_side_by_side_on_one_thread(host: HostProcess) -> None:
    await host.serve("""
        @query
        def read(ctx: QueryCtx, name: str):
            print(name, "before")
            ctx.db.get("t|1")
            print(name, "after")
            return name
    """)
    host.held = []
    first, second = host.start("m.py:read", {"name": "a"}), host.start("m.py:read", {"name": "b"})
    await host.holds(2)
    for message in reversed(host.held):
        host.answer(message)
    outcomes = await asyncio.gather(first, second)
    assert [outcome.result for outcome in outcomes] == ["a", "b"]
    assert outcomes[0].logs == ["[LOG] a before", "[LOG] a after"]


async def test_calls_made_together_travel_together(host: HostProcess) -> None:
    await host.serve("""
        @query
        async def both(ctx: QueryCtx):
            return await asyncio.gather(ctx.db.get("t|1"), ctx.db.get("t|2"), ctx.db.query("t").first())

        @mutation
        async def grouped(ctx: MutationCtx):
            async with asyncio.TaskGroup() as group:
                a = group.create_task(ctx.db.insert("t", {"n": 1}))
                b = group.create_task(ctx.db.insert("t", {"n": 2}))
            return [a.result(), b.result()]
    """)
    host.database.insert("t", {"n": 1.0})
    outcome = await host.query("m.py:both")
    assert [call["op"] for call in outcome.calls[0]] == ["1.0/get", "1.0/get", "1.0/queryStreamNext"]
    assert len(outcome.calls) == 1
    assert [row and row["n"] for row in outcome.result] == [1.0, None, 1.0]
    outcome = await host.mutation("m.py:grouped")
    assert len(outcome.calls) == 1
    assert outcome.result == ["t|2", "t|3"]


async def test_the_order_of_events_does_not_depend_on_how_answers_are_grouped(host: HostProcess) -> None:
    await host.serve("""
        @mutation
        async def race(ctx: MutationCtx):
            order = []
            async def chain(name):
                for step in range(3):
                    await ctx.db.insert("t", {"name": name})
                    order.append(f"{name}{step}")
            await asyncio.gather(chain("a"), chain("b"), chain("c"))
            return order
    """)

    async def run(regroup: bool) -> list[str]:
        host.held = []
        future = host.start("m.py:race", kind="mutation")
        answered = 0
        while answered < 9:
            await host.holds()
            message = host.held.pop(0)
            answered += len(message["calls"])
            groups = [[call] for call in message["calls"]] if regroup else [message["calls"]]
            for calls in groups:
                host.answer({**message, "calls": calls})
        return (await future).result

    assert await run(False) == await run(True) == [f"{name}{step}" for step in range(3) for name in "abc"]


async def test_operations_that_nobody_awaits_still_happen(host: HostProcess) -> None:
    await host.serve("""
        @mutation
        async def forget(ctx: MutationCtx):
            ctx.db.insert("t", {"n": 1})
            asyncio.create_task(later(ctx))
            return "done"

        async def later(ctx):
            await ctx.db.insert("t", {"n": 2})
            await ctx.db.insert("t", {"n": 3})
    """)
    outcome = await host.mutation("m.py:forget")
    assert outcome.result == "done"
    assert [row["n"] for row in host.database.tables["t"].values()] == [1, 2, 3]
    assert outcome.usage["unawaited"] == ["insert", "insert"]


async def test_an_operation_that_nobody_awaits_and_that_fails_fails_the_function(host: HostProcess) -> None:
    await host.serve("""
        @mutation
        async def forget(ctx: MutationCtx):
            ctx.db.delete("t|404")
            return "done"

        @mutation
        async def forget_a_task(ctx: MutationCtx):
            async def later():
                await ctx.db.insert("t", {})
                raise ValueError("in a task")
            asyncio.create_task(later())
            return "done"
    """)
    outcome = await host.mutation("m.py:forget")
    assert outcome.error == "Uncaught Error: Update on nonexistent document ID t|404"
    outcome = await host.mutation("m.py:forget_a_task")
    assert outcome.error == "Uncaught ValueError: in a task"
    assert outcome.frames == ["forget_a_task.later (convex/m.py:11)"]


async def test_a_failure_ends_the_function_at_once(host: HostProcess) -> None:
    await host.serve("""
        @mutation
        async def fail(ctx: MutationCtx):
            ctx.db.insert("t", {})
            raise ValueError("no")
    """)
    outcome = await host.mutation("m.py:fail")
    assert outcome.error == "Uncaught ValueError: no"
    assert outcome.ops == []


async def test_a_function_that_waits_for_nothing_is_told_so(host: HostProcess) -> None:
    await host.serve("""
        @query
        async def stuck(ctx: QueryCtx):
            await asyncio.Event().wait()
    """)
    outcome = await host.query("m.py:stuck")
    assert outcome.kind == "stuck"
    assert outcome.error.startswith("Returned promise will never resolve")


async def test_a_returned_query_is_an_error_that_says_what_to_do(host: HostProcess) -> None:
    await host.serve("""
        @query
        async def lazy(ctx: QueryCtx):
            return ctx.db.query("t")

        @query
        async def forgotten_await(ctx: QueryCtx):
            return ctx.db.get("t|1")

        @query
        async def odd(ctx: QueryCtx):
            return {"a": object}
    """)
    assert "Return value is a Query. Results must be retrieved with" in (await host.query("m.py:lazy")).error
    assert (await host.query("m.py:forgotten_await")).result is None
    assert "is not a supported Convex type (present at path .a)" in (await host.query("m.py:odd")).error


async def test_results_are_encoded_values(host: HostProcess) -> None:
    await host.serve("""
        from dataclasses import dataclass
        @dataclass
        class Point:
            x: int
            y: float
        @query
        async def all(ctx: QueryCtx):
            return {"int": 5, "big": Int64(5), "bytes": b"abc", "point": Point(1, 2.5), "tuple": (1, None),
                    "nan": float("nan")}
        @query
        async def nothing(ctx: QueryCtx):
            pass
    """)
    assert (await host.query("m.py:all")).result == {
        "int": 5.0,
        "big": {"$integer": "BQAAAAAAAAA="},
        "bytes": {"$bytes": "YWJj"},
        "point": {"x": 1.0, "y": 2.5},
        "tuple": [1.0, None],
        "nan": {"$float": "AAAAAAAA+H8="},
    }
    assert (await host.query("m.py:nothing")).result is None


async def test_arguments_become_what_the_hints_say(host: HostProcess) -> None:
    await host.serve("""
        from dataclasses import dataclass
        @dataclass
        class Point:
            x: int
            y: float = 0
        @query
        async def types(ctx: QueryCtx, n: int, p: Point, b: bytes, i: Int64, rest: list[int] | None = None):
            return [type(n).__name__, type(p).__name__, type(p.x).__name__, b.decode(), int(i), rest]
        @query(args={"from": v.string(), "class": v.optional(v.number())})
        async def keywords(ctx: QueryCtx, from_, class_=None):
            return [from_, class_]
        @query
        async def anything(ctx: QueryCtx, **arguments):
            return arguments
    """)
    args = {"n": 3.0, "p": {"x": 1.0}, "b": {"$bytes": "YWJj"}, "i": {"$integer": "BQAAAAAAAAA="}}
    assert (await host.run("m.py:types", args)).result == ["int", "Point", "int", "abc", 5.0, None]
    assert (await host.run("m.py:keywords", {"from": "a"})).result == ["a", None]
    assert (await host.run("m.py:anything", {"x": 1.0})).result == {"x": 1.0}


async def test_async_for_reads_rows_as_they_are_wanted(host: HostProcess) -> None:
    await host.serve("""
        @query
        async def find(ctx: QueryCtx, n: int):
            async for row in ctx.db.query("t"):
                if row["n"] == n:
                    return row["n"]

        @query
        async def total(ctx: QueryCtx):
            return sum([row["n"] async for row in ctx.db.query("t")])
    """)
    for n in range(100):
        host.database.insert("t", {"n": n})
    outcome = await host.query("m.py:find", n=3)
    assert outcome.result == 3.0
    assert outcome.ops == ["queryStreamNext", "queryCleanup"]
    assert host.database.consumed[0] == 4
    outcome = await host.query("m.py:total")
    assert outcome.result == 4950.0
    assert outcome.ops == ["queryStreamNext"] * 3
    assert [calls[0]["args"]["consumed"] for calls in outcome.calls] == [0, 16, 80]


async def test_what_was_logged_before_a_nested_call_travels_before_it(host: HostProcess) -> None:
    host.database.functions["m:child"] = lambda args: None
    await host.serve("""
        @query
        async def parent(ctx):
            print("before")
            await ctx.db.get("t|1")
            await ctx.run_query("m:child")
            print("after")
    """)
    seen: list[list[str]] = []
    host.on_syscall = lambda message: seen.append([line["messages"][0] for line in message.get("logs", ())])
    assert (await host.query("m.py:parent")).logs == ["[LOG] before", "[LOG] after"]
    assert seen == [[], ["before"]]


async def test_a_mutation_fetches_in_smaller_batches(host: HostProcess) -> None:
    await host.serve("""
        @mutation
        async def read(ctx):
            return len(await ctx.db.query("t").collect())
        @query
        async def read_more(ctx):
            return len(await ctx.db.query("t").collect())
    """)
    for _ in range(150):
        host.database.insert("t", {})
    outcome = await host.mutation("m.py:read")
    assert (outcome.result, [calls[0]["args"]["batch"] for calls in outcome.calls]) == (150.0, [100, 100])
    assert len((await host.query("m.py:read_more")).calls) == 1


async def test_there_is_one_unanswered_message_at_most(host: HostProcess) -> None:
    await host.serve("""
        @query
        async def chains(ctx):
            async def chain(id):
                await ctx.db.get(id)
                await ctx.db.get(id)
            await asyncio.gather(chain("t|1"), chain("t|2"))
    """)
    host.held = []
    future = host.start("m.py:chains")
    await host.holds()
    first = host.held.pop()
    host.answer({**first, "calls": first["calls"][:1]})
    host.answer({**first, "calls": first["calls"][1:]})
    await host.holds()
    assert [call["call"] for call in host.held[0]["calls"]] == [3, 4]
    host.answer(host.held.pop())
    assert (await future).result is None


async def test_a_nested_failure_can_be_caught_and_keeps_its_data(host: HostProcess) -> None:
    def fail(args: object) -> object:
        raise Refused("Uncaught ConvexError: full\n    at f (convex/x.py:1)\n", data={"code": "full"})

    host.database.functions["m:child"] = fail
    await host.serve("""
        @mutation
        async def child(ctx: MutationCtx):
            pass
        @mutation
        async def caught(ctx: MutationCtx):
            try:
                await ctx.run_mutation(child)
            except ConvexError as error:
                return error.data
        @mutation
        async def passed_on(ctx: MutationCtx):
            await ctx.run_mutation("m:child")
        @query
        async def refused(ctx: QueryCtx):
            try:
                await ctx.db.get("nonsense")
            except Exception as error:
                return str(error)
    """)
    assert (await host.mutation("m.py:caught")).result == {"code": "full"}
    outcome = await host.mutation("m.py:passed_on")
    assert outcome.error == "Uncaught ConvexError: Uncaught ConvexError: full\n    at f (convex/x.py:1)\n"
    assert outcome.message["error"]["data"] == {"code": "full"}
    assert outcome.frames == ["passed_on (convex/m.py:13)"]
    outcome = await host.query("m.py:refused")
    assert outcome.result == "Invalid argument `id` for `db.get`: Unable to decode ID: nonsense"


async def test_a_cancelled_run_says_nothing_more_and_cleans_up(host: HostProcess) -> None:
    await host.serve("""
        closed = []
        @query
        async def wait(ctx: QueryCtx):
            try:
                await ctx.db.get("t|1")
            finally:
                closed.append("async")
        @query
        def wait_sync(ctx: QueryCtx):
            try:
                ctx.db.get("t|1")
            finally:
                closed.append("sync")
        @query
        async def seen(ctx: QueryCtx):
            return closed
    """)
    host.held = []
    for path in ("m.py:wait", "m.py:wait_sync"):
        host.start(path)
        await host.holds()
        host.cancel(host.last_id)
        host.answer(host.held.pop())
        host.runs.pop(host.last_id)
    host.held = None
    assert (await host.query("m.py:seen")).result == ["async", "sync"]


async def test_a_context_is_of_no_use_after_its_function(host: HostProcess) -> None:
    await host.serve("""
        kept = []
        @mutation
        async def keep(ctx: MutationCtx):
            kept.append(ctx)
        @mutation
        async def use(ctx: MutationCtx):
            await kept[0].db.insert("t", {})
    """)
    await host.mutation("m.py:keep")
    outcome = await host.mutation("m.py:use")
    assert outcome.error == "Uncaught RuntimeError: This `ctx` belongs to a function that has ended."


async def test_exit_and_interrupt_fail_the_call_and_not_the_host(host: HostProcess) -> None:
    await host.serve("""
        import sys
        @query
        async def leave(ctx: QueryCtx):
            sys.exit("bye")
        @query
        def leave_sync(ctx: QueryCtx):
            raise KeyboardInterrupt
        @query
        async def recurse(ctx: QueryCtx):
            return await recurse(ctx)
        @query
        async def after(ctx: QueryCtx):
            try:
                await recurse(ctx)
            except RecursionError:
                return "alive"
    """)
    assert (await host.query("m.py:leave")).error == "Uncaught SystemExit: bye"
    assert (await host.query("m.py:leave_sync")).error == "Uncaught KeyboardInterrupt"
    assert (await host.query("m.py:recurse")).error.startswith("Uncaught RecursionError: maximum recursion")
    assert (await host.query("m.py:after")).result == "alive"


async def test_what_cannot_be_run_is_refused_in_words(host: HostProcess) -> None:
    await host.serve("""
        @query
        async def read(ctx: QueryCtx):
            return 1
        not_a_function = 3
    """)
    assert (await host.query("m:read")).result == 1.0
    assert (await host.query("n.py:read")).error == (
        "Couldn't find Python module 'n'. Did you forget to push it?"
    )
    assert (await host.query("m.py:nope")).error == 'Couldn\'t find "nope" in module "m.py".'
    assert "not_a_function" in (await host.query("m.py:not_a_function")).error
    assert (await host.mutation("m.py:read")).error == (
        "Function m.py:read is registered as a query but is being run as a mutation."
    )


async def test_unfinished_tasks_and_generators_do_not_outlive_the_function(host: HostProcess) -> None:
    await host.serve("""
        closed = []
        @query
        async def start(ctx: QueryCtx):
            async def forever():
                try:
                    await asyncio.Event().wait()
                finally:
                    closed.append("task")
            asyncio.create_task(forever())
            async def numbers():
                try:
                    for n in range(10):
                        yield n
                finally:
                    closed.append("generator")
            async for n in numbers():
                break
            await asyncio.sleep(0)
            return list(closed)
        @query
        async def seen(ctx: QueryCtx):
            return closed
    """)
    assert (await host.query("m.py:start")).result == ["generator"]
    assert (await host.query("m.py:seen")).result == ["generator", "task"]
