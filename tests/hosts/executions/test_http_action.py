"""HTTP actions on a host: requests and responses, whole and in pieces (docs/explanation/host-protocol.md)."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import pytest_asyncio

from hosts.driver import HostProcess, Outcome

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_http_actions_turn_requests_into_responses(host: HostProcess) -> None:
    await host.load(
        {
            "http.py": """
                from parabola import *
                http = http_router()
                @http.route(path="/echo", method="POST")
                async def echo(ctx: ActionCtx, request: Request) -> Response:
                    return Response.json({"body": await request.json(), "query": request.query,
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
    assert echo["headerPairs"] == [
        ["content-type", "application/json"],
        ["content-length", str(len(base64.b64decode(echo["body"])))],
    ]
    assert json.loads(base64.b64decode(echo["body"])) == {
        "body": {"x": 1},
        "query": {"a": "1"},
        "agent": "t",
        "path": "/echo",
    }
    plain = (await call("HEAD", "http://h/any/x", "/any/*")).result
    assert plain["headerPairs"][:2] == [["x-a", "b"], ["content-type", "text/plain;charset=UTF-8"]]
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
                            yield f"{await request.text()}{n} ".encode()
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


STREAMS = """
import asyncio
from parabola import *

http = http_router()
seen = []
produced = []

@http.route(path="/shout", method="POST")
async def shout(ctx, request):
    async def loud():
        async for piece in request.stream():
            yield piece.upper()
    return Response(loud())

@http.route(path="/quiet", method="POST")
def quiet(ctx: SyncActionCtx, request: SyncRequest):
    return Response(piece.lower() for piece in request.stream())

@http.route(path="/wait", method="POST")
async def wait(ctx, request):
    try:
        await request.json()
    except ConnectionError as error:
        seen.append([type(error).__name__, await request.is_disconnected()])
        raise

@http.route(path="/block", method="POST")
def block(ctx, request):
    try:
        request.body()
    finally:
        seen.append(["blocked", request.is_disconnected()])

@http.route(path="/many", method="POST")
async def many(ctx, request):
    def pieces():
        for n in range(100):
            produced.append(n)
            yield bytes(64 * 1024)
    return Response(pieces())

@http.route(path="/half", method="POST")
async def half(ctx, request):
    async def pieces():
        yield b"half"
        raise ValueError("no more")
    return Response(pieces())

@http.route(path="/endless", method="POST")
async def endless(ctx, request):
    async def pieces():
        try:
            while True:
                yield bytes(1024 * 1024)
        finally:
            seen.append(await ctx.run_query("m:closing"))
    return Response(pieces())

@http.route(path="/read", method="POST")
def read(ctx, request):
    body = request.json()
    return Response.json([body, request.text(), request.body().decode(), list(request.stream())[0].decode()])

@http.route(path="/twice", method="POST")
async def twice(ctx, request):
    async for piece in request.stream():
        pass
    return Response(await request.body())

@query
def looks(ctx):
    return {"seen": seen, "produced": len(produced)}
"""


class Post:
    """A request under way, as the engine tells of it."""

    def __init__(self, host: HostProcess, path: str) -> None:
        request = {"method": "POST", "url": f"http://h{path}", "headerPairs": [], "body": True}
        args = {"request": {**request, "streamResponse": True}, "route": path}
        self.host = host
        self.done = host.start("http.py:default", args, "httpAction")
        self.id = host.last_id
        self.outcome = host.runs[self.id][1]

    def say(self, kind: str, **fields: Any) -> None:
        self.host.write({"type": kind, "id": self.id, **fields})

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.say("requestChunk", data=base64.b64encode(piece).decode())

    async def end(self) -> Outcome:
        self.say("requestEnd")
        return await self.done

    @property
    def pieces(self) -> list[bytes]:
        """What has come of the response's body."""
        return [
            base64.b64decode(message["data"])
            for message in self.outcome.response
            if message["type"] == "responseChunk"
        ]


@pytest_asyncio.fixture(loop_scope="module")
async def streams(host: HostProcess) -> HostProcess:
    await host.load({"http.py": STREAMS})
    return host


@pytest.mark.parametrize(("path", "answers"), [("/shout", [b"AB", b"CD"]), ("/quiet", [b"ab", b"cd"])])
async def test_a_response_can_answer_each_piece_of_its_request(
    streams: HostProcess, path: str, answers: list[bytes]
) -> None:
    post = Post(streams, path)
    post.send(b"Ab")
    await streams.sees(lambda: post.pieces == answers[:1])
    post.send(b"Cd")
    await streams.sees(lambda: post.pieces == answers)
    assert (await post.end()).ok
    assert post.outcome.taken == [2, 2]


async def test_the_engine_hears_what_has_been_read_and_nothing_of_the_rest(streams: HostProcess) -> None:
    post = Post(streams, "/half")
    post.send(b"never read")
    assert (await post.end()).taken == []


async def test_bodies_are_read_whole_in_plain_functions_as_often_as_one_likes(streams: HostProcess) -> None:
    post = Post(streams, "/read")
    post.send(b'{"x"', b": 1}")
    await post.end()
    body = '{"x": 1}'
    assert json.loads(b"".join(post.pieces)) == [{"x": 1}, body, body, body]


async def test_a_stream_that_was_read_is_not_there_any_more(streams: HostProcess) -> None:
    post = Post(streams, "/twice")
    post.send(b"gone")
    assert "The body of this request has been read already" in (await post.end()).error


async def test_a_client_that_goes_away_is_told_to_whoever_reads(streams: HostProcess) -> None:
    for path in ("/wait", "/block"):
        post = Post(streams, path)
        post.send(b"{")
        post.say("clientGone")
        assert (await post.done).error == (
            "Uncaught ConnectionResetError: "
            "The client disconnected before the body of its request was complete."
        )
    told = (await streams.query("http.py:looks")).result["seen"]
    assert told == [["ConnectionResetError", True], ["blocked", True]]


async def test_a_cancelled_action_reads_no_longer(streams: HostProcess) -> None:
    post = Post(streams, "/block")
    post.send(b"{")
    await streams.sees(lambda: post.outcome.taken == [1])
    streams.cancel(post.id)
    await streams.until("http.py:looks", {"produced": 0, "seen": [["blocked", False]]})


async def test_a_response_waits_for_its_client(streams: HostProcess) -> None:
    streams.takes_responses = False
    try:
        post = Post(streams, "/many")
        await streams.sees(lambda: len(post.pieces) == 4)
        assert (await streams.query("http.py:looks")).result["produced"] == 4
        streams.take(post.outcome.response[1])
        await streams.sees(lambda: len(post.pieces) == 5)
        assert (await streams.query("http.py:looks")).result["produced"] == 5
    finally:
        streams.takes_responses = True
    for chunk in post.outcome.response[2:]:
        streams.take(chunk)
    await post.done
    assert len(post.pieces) == 100


async def test_a_generator_that_is_cut_off_is_closed_while_its_action_runs(streams: HostProcess) -> None:
    streams.database.functions = {"m:closing": lambda args: "closed"}
    outcome = await Post(streams, "/endless").end()
    assert outcome.logs == ["[ERROR] HttpResponseTooLarge: HTTP actions support responses up to 20 MiB"]
    assert (await streams.query("http.py:looks")).result["seen"] == ["closed"]


async def test_a_failure_after_the_head_is_a_failure(streams: HostProcess) -> None:
    post = Post(streams, "/half")
    assert (await post.end()).error == "Uncaught ValueError: no more"
    assert post.pieces == [b"half"]
    assert post.outcome.response[-1]["type"] == "responseChunk"
