"""Actions: many at once, blocking or not, and what is left of them when they return."""

from __future__ import annotations

import asyncio
import base64
import json

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


async def test_http_actions_turn_requests_into_responses(host: HostProcess) -> None:
    await host.load(
        {
            "http.py": """
                from parabola import *
                http = http_router()
                @http.route(path="/echo", method="POST")
                async def echo(ctx: ActionCtx, request: Request) -> Response:
                    return Response.json({"body": request.json(), "query": request.query,
                                          "agent": request.headers["user-agent"], "path": request.path},
                                         status=201)
                @http.route(path_prefix="/any/", method="GET")
                def plain(ctx, request):
                    return Response("hällo", headers={"x-a": "b"})
                @http.route(path="/wrong", method="GET")
                def wrong(ctx, request):
                    return "text"
            """
        }
    )

    async def call(method: str, url: str, route: str | None, body: str | None = None) -> object:
        request = {"method": method, "url": url, "headerPairs": [["User-Agent", "t"]], "body": body}
        args = {"request": request} if route is None else {"request": request, "route": route}
        return await host.run("http.py:default", args, "httpAction")

    echo = (await call("POST", "http://h/echo?a=1", "/echo", "eyJ4IjoxfQ==")).result
    assert echo["status"] == 201
    assert echo["headerPairs"] == [["content-type", "application/json"]]
    assert json.loads(base64.b64decode(echo["body"])) == {
        "body": {"x": 1},
        "query": {"a": "1"},
        "agent": "t",
        "path": "/echo",
    }
    plain = (await call("HEAD", "http://h/any/x", "/any/*")).result
    assert plain["headerPairs"] == [["x-a", "b"], ["content-type", "text/plain;charset=UTF-8"]]
    assert (await call("GET", "http://h/wrong", "/wrong")).error == (
        "Uncaught TypeError: HTTP actions must return a Response. Received str."
    )
    assert (await call("GET", "http://h/no", "/no")).error == "No HttpAction routed for /no"
    missing = (await call("GET", "http://h/no", None)).result
    assert (missing["status"], base64.b64decode(missing["body"])) == (404, b"No matching routes found")
    assert (await call("GET", "http://h/any/thing", None)).result["status"] == 200


async def test_bodies_of_http_actions_travel_in_pieces(host: HostProcess) -> None:
    await host.load(
        {
            "http.py": """
                import asyncio
                from parabola import *
                http = http_router()
                @http.route(path="/count", method="POST")
                async def count(ctx, request):
                    async def pieces():
                        for n in range(3):
                            await asyncio.sleep(0)
                            yield f"{request.text()}{n} ".encode()
                    return Response(pieces(), status=202, headers={"x-a": "b"})
                @http.route(path="/flood", method="GET")
                def flood(ctx, request):
                    return Response(bytes(2**20) for _ in range(30))
            """
        }
    )
    request = {
        "method": "POST",
        "url": "http://h/count",
        "headerPairs": [],
        "body": True,
        "streamResponse": True,
    }
    future = host.start("http.py:default", {"request": request, "route": "/count"}, "httpAction")
    for data in ("aGVs", "bG8="):
        host.write({"type": "requestChunk", "id": host.last_id, "data": data})
    host.write({"type": "requestEnd", "id": host.last_id})
    outcome = await future
    assert outcome.result is None
    head, *chunks, end = outcome.response
    assert (head["status"], head["headers"]) == (202, [["x-a", "b"]])
    assert b"".join(base64.b64decode(chunk["data"]) for chunk in chunks) == b"hello0 hello1 hello2 "
    assert (len(chunks), end["type"]) == (3, "responseEnd")
    flood = {**request, "method": "GET", "url": "http://h/flood", "body": None}
    outcome = await host.run("http.py:default", {"request": flood}, "httpAction")
    assert len(outcome.response) == 22
    assert outcome.logs == ["[ERROR] HttpResponseTooLarge: HTTP actions support responses up to 20 MiB"]
