"""HTTP actions as their clients meet them, in both languages: streams, ends, disconnects, headers, paths."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio

from client_calls import client_call
from hosts_node.driver import bundle_sources, packages_folder
from parabola.backend import Backend, BackendConfig
from parabola.functions.deployed.deployment import Module
from parabola.server.app import Server
from parabola.server.http.rules import ServerRules
from parabola.services.deploys.push import Push

pytestmark = pytest.mark.asyncio(loop_scope="module")

PYTHON = {
    "http.py": """
import asyncio
from parabola import *

http = http_router()

@http.route(path="/shout", method="POST")
async def shout(ctx: ActionCtx, request: Request) -> Response:
    async def loud():
        async for piece in request.stream():
            yield piece.upper()
    return Response(loud(), headers={"x-made": "here"})

@http.route(path="/measure", method="PUT")
async def measure(ctx: ActionCtx, request: Request) -> Response:
    size = 0
    async for piece in request.stream():
        size += len(piece)
    return Response(str(size))

@http.route(path="/half", method="GET")
async def half(ctx: ActionCtx, request: Request) -> Response:
    async def pieces():
        yield b"half"
        raise ValueError("no more")
    return Response(pieces())

@http.route(path="/upload", method="POST")
async def upload(ctx: ActionCtx, request: Request) -> Response:
    try:
        await request.body()
    except ConnectionError:
        await ctx.run_mutation(internal.notes.add, {"text": "upload was cut"})
        raise

@http.route(path="/patient", method="GET")
async def patient(ctx: ActionCtx, request: Request) -> Response:
    await ctx.run_mutation(internal.notes.add, {"text": "waits"})
    while not await request.is_disconnected():
        await asyncio.sleep(0.01)
    await ctx.run_mutation(internal.notes.add, {"text": "is left alone"})
    return Response()

@http.route(path="/headers", method="POST")
async def headers(ctx: ActionCtx, request: Request) -> Response:
    told = [request.headers.get(name, "null") for name in ("content-encoding", "content-length")]
    return Response(" ".join(told))

@http.route(path="/boom", method="POST")
async def boom(ctx: ActionCtx, request: Request) -> Response:
    if await request.body():
        raise ConvexError({"why": "told"})
    raise ValueError("boom")

@http.route(path="/boom", method="PUT")
async def wrong(ctx: ActionCtx, request: Request) -> str:
    return "no response"

@http.route(path="/stalled", method="POST")
async def stalled(ctx: ActionCtx, request: Request) -> Response:
    try:
        await request.body()
    except ConnectionError:
        await ctx.run_mutation(internal.notes.add, {"text": "nobody sends"})
    return Response("late")

@http.route(path="/flood", method="GET")
async def flood(ctx: ActionCtx, request: Request) -> Response:
    async def pieces():
        for _ in range(19):
            yield bytes(1024 * 1024)
        if await request.is_disconnected():
            await ctx.run_mutation(internal.notes.add, {"text": "nobody reads"})
    return Response(pieces())

@http_action
async def any_method(ctx: ActionCtx, request: Request) -> Response:
    return Response(f"{request.method} {await request.text()}")

for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
    http.route(path="/any", method=method, handler=any_method)

@http.route(path="/careless", method="POST")
async def careless(ctx: ActionCtx, request: Request) -> Response:
    return Response("did not read", status=403)

@http.route(path_prefix="/http-like/", method="GET")
async def like(ctx: ActionCtx, request: Request) -> Response:
    return Response(request.url)

@http.route(path="/raw", method="GET")
async def raw(ctx: ActionCtx, request: Request) -> Response:
    async def pieces():
        yield bytes(3)
    return Response(pieces(), headers=[("x-long", "x" * 20000), ("set-cookie", "a=1"), ("set-cookie", "b=2")])

@http.route(path="/text", method="GET")
async def text(ctx: ActionCtx, request: Request) -> Response:
    return Response("hello")

@http.route(path="/text", method="OPTIONS")
async def preflight(ctx: ActionCtx, request: Request) -> Response:
    return Response(status=204, headers={"access-control-allow-origin": "https://mine"})
""",
    "notes.py": """
from parabola import *

@internal_mutation
async def add(ctx: MutationCtx, text: str) -> None:
    await ctx.db.insert("notes", {"text": text})

@query
async def all(ctx: QueryCtx) -> list[str]:
    return [note["text"] for note in await ctx.db.query("notes").collect()]
""",
}
TYPESCRIPT = {
    "http.ts": """
import { anyApi, httpActionGeneric as httpAction, httpRouter } from "convex/server";
import { ConvexError } from "convex/values";
const http = httpRouter();
const internal = anyApi;
const encoder = new TextEncoder();

http.route({ path: "/shout", method: "POST", handler: httpAction(async (_ctx, request) => {
  const loud = new TransformStream({
    transform: (chunk, controller) =>
      controller.enqueue(encoder.encode(new TextDecoder().decode(chunk).toUpperCase())),
  });
  return new Response(request.body!.pipeThrough(loud), { headers: { "x-made": "here" } });
}) });
http.route({ path: "/measure", method: "PUT", handler: httpAction(async (_ctx, request) => {
  let size = 0;
  for await (const piece of request.body as any) size += piece.length;
  return new Response(String(size));
}) });
http.route({ path: "/half", method: "GET", handler: httpAction(async () => {
  let pulls = 0;
  const body = new ReadableStream({
    pull(controller) {
      pulls += 1;
      if (pulls > 1) throw new Error("no more");
      controller.enqueue(encoder.encode("half"));
    },
  });
  return new Response(body);
}) });
http.route({ path: "/upload", method: "POST", handler: httpAction(async (ctx, request) => {
  try {
    await request.text();
  } catch (error) {
    await ctx.runMutation(internal.notes.add, { text: "upload was cut" });
    throw error;
  }
  return new Response();
}) });
http.route({ path: "/patient", method: "GET", handler: httpAction(async (ctx, request) => {
  const gone = new Promise((resolve) => request.signal.addEventListener("abort", resolve));
  await ctx.runMutation(internal.notes.add, { text: "waits" });
  await gone;
  await ctx.runMutation(internal.notes.add, { text: "is left alone" });
  return new Response();
}) });
http.route({ path: "/headers", method: "POST", handler: httpAction(async (_ctx, request) =>
  new Response(`${request.headers.get("content-encoding")} ${request.headers.get("content-length")}`)) });
http.route({ path: "/boom", method: "POST", handler: httpAction(async function boom(_ctx, request) {
  if (await request.text()) throw new ConvexError({ why: "told" });
  throw new Error("boom");
}) });
http.route({ path: "/boom", method: "PUT", handler: httpAction(async () => "no response" as any) });
http.route({ path: "/stalled", method: "POST", handler: httpAction(async (ctx, request) => {
  await request.text().catch(() => ctx.runMutation(internal.notes.add, { text: "nobody sends" }));
  return new Response("late");
}) });
http.route({ path: "/flood", method: "GET", handler: httpAction(async (ctx, request) => {
  let pieces = 0;
  const body = new ReadableStream({
    async pull(controller) {
      pieces += 1;
      if (pieces < 20) return controller.enqueue(new Uint8Array(1024 * 1024));
      if (request.signal.aborted) await ctx.runMutation(internal.notes.add, { text: "nobody reads" });
      controller.close();
    },
  });
  return new Response(body);
}) });
for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const) {
  http.route({ path: "/any", method, handler: httpAction(async (_ctx, request) =>
    new Response(`${request.method} ${await request.text()}`)) });
}
http.route({ path: "/careless", method: "POST", handler: httpAction(async () =>
  new Response("did not read", { status: 403 })) });
http.route({ pathPrefix: "/http-like/", method: "GET", handler: httpAction(async (_ctx, request) =>
  new Response(request.url)) });
http.route({ path: "/raw", method: "GET", handler: httpAction(async () => {
  const headers = new Headers({ "x-long": "x".repeat(20000) });
  headers.append("set-cookie", "a=1");
  headers.append("set-cookie", "b=2");
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(new Uint8Array(3));
      controller.close();
    },
  });
  return new Response(body, { headers });
}) });
http.route({ path: "/text", method: "GET", handler: httpAction(async () => new Response("hello")) });
http.route({ path: "/text", method: "OPTIONS", handler: httpAction(async () =>
  new Response(null, { status: 204, headers: { "access-control-allow-origin": "https://mine" } })) });
export default http;
""",
    "notes.ts": """
import { internalMutationGeneric as internalMutation, queryGeneric as query } from "convex/server";
export const add = internalMutation({ handler: async (ctx, { text }: { text: string }) => {
  await ctx.db.insert("notes", { text });
} });
export const all = query({ handler: async (ctx) =>
  (await ctx.db.query("notes").collect()).map((note) => note.text) });
""",
}


def push_of(language: str, folder: Path) -> Push:
    if language == "python":
        return Push("python", tuple(Module(name, "python", source) for name, source in PYTHON.items()))
    if not packages_folder().is_dir():
        pytest.skip("the npm packages of the tests are not installed")
    modules = bundle_sources(folder, TYPESCRIPT)
    return Push(
        "typescript",
        tuple(Module(one["path"], "isolate", one["source"], one.get("sourceMap")) for one in modules),
    )


class Connection:
    """One connection of a client that counts bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, *lines: str, body: bytes = b"") -> None:
        """A request's head, and the beginning of its body."""
        self.writer.write("\r\n".join([*lines, "host: h.example", "", ""]).encode() + body)
        await self.writer.drain()

    async def send_chunk(self, data: bytes) -> None:
        self.writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        await self.writer.drain()

    async def head(self) -> tuple[int, list[str]]:
        """The status of the response, and its header lines without their dates."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        return int(head[0].split()[1]), [line for line in head[1:] if line and not line.startswith("Date:")]

    async def chunk(self) -> bytes:
        size = int(await self.reader.readuntil(b"\r\n"), 16)
        return (await self.reader.readexactly(size + 2))[:-2]

    async def rest(self) -> bytes:
        """Everything up to the end of the connection."""
        return await self.reader.read()


class Site:
    """A server with both doors."""

    def __init__(self, backend: Backend, server: Server) -> None:
        self.backend = backend
        self.doors = {"site": (server.site_port, ""), "main": (server.port, "/http")}
        self.connections: list[Connection] = []

    async def connect(self, door: str = "site") -> Connection:
        client = socket.socket()
        client.setblocking(False)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)  # so that not reading is felt
        await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", self.doors[door][0]))
        connection = Connection(*await asyncio.open_connection(sock=client, limit=1 << 20))
        self.connections.append(connection)
        return connection

    async def ask(self, *lines: str, body: bytes = b"", door: str = "site") -> tuple[int, list[str], bytes]:
        """One request on a connection of its own: status, headers and what follows them."""
        connection = await self.connect(door)
        await connection.send(*lines, "connection: close", body=body)
        status, headers = await connection.head()
        return status, headers, await connection.rest()

    async def until_noted(self, text: str) -> None:
        """Wait until an action has noted it."""
        committed = asyncio.Event()
        stop = self.backend.on_commit(lambda written, ts: committed.set())
        try:
            while True:
                committed.clear()  # before the look, so that no commit during it is missed
                if text in (await self.backend.query(client_call("notes:all", {}))).value:
                    return
                await committed.wait()
        finally:
            stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["python", "typescript"])
async def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp(request.param)
    push = push_of(request.param, folder)
    backend = await Backend.open(BackendConfig(folder / "data"))
    server = Server(backend, port=0, site_port=0)
    try:
        await backend.deploy(push)
        await server.start()
        site = Site(backend, server)
        yield site
        for connection in site.connections:
            connection.writer.close()
    finally:
        await server.stop()
        await backend.close()


@pytest.mark.parametrize("door", ["site", "main"])
async def test_a_response_begins_while_its_request_still_comes(site: Site, door: str) -> None:
    connection = await site.connect(door)
    await connection.send(f"POST {site.doors[door][1]}/shout HTTP/1.1", "transfer-encoding: chunked")
    await connection.send_chunk(b"ab")
    status, headers = await connection.head()
    assert (status, headers) == (200, ["x-made: here", "Transfer-Encoding: chunked"])
    assert await connection.chunk() == b"AB"
    await connection.send_chunk(b"cd")
    assert await connection.chunk() == b"CD"
    await connection.send_chunk(b"")
    assert await connection.chunk() == b""


async def test_a_large_upload_is_read_in_pieces(site: Site) -> None:
    size = 24 << 20
    connection = await site.connect()
    await connection.send("PUT /measure HTTP/1.1", f"content-length: {size}", body=bytes(size))
    assert await connection.head() == (
        200,
        ["content-type: text/plain;charset=UTF-8", f"content-length: {len(str(size))}"],
    )
    assert await connection.reader.readexactly(len(str(size))) == str(size).encode()


async def test_a_failure_after_the_head_cuts_the_response(site: Site) -> None:
    connection = await site.connect()
    await connection.send("GET /half HTTP/1.1")
    assert (await connection.head())[0] == 200
    assert await connection.rest() == b"4\r\nhalf\r\n"
    (logged,) = (entry for entry in site.backend.log.after(0) if entry.identifier == "GET /half")
    assert logged.error is not None
    assert "no more" in logged.error.message


async def test_a_failure_before_the_head_is_told(site: Site) -> None:
    asked = "convex-request-id: r1"
    status, headers, body = await site.ask("POST /boom HTTP/1.1", asked, "content-length: 0")
    answer = json.loads(body)
    assert status == 500
    assert "Content-Type: application/json" in headers
    assert re.fullmatch(r"\[Request ID: r1\] Server Error: Uncaught (Value)?Error: boom", answer["code"])
    assert re.match(r"Uncaught (Value)?Error: boom\n    at .*boom", answer["trace"])
    assert set(answer) == {"code", "trace"}
    _, _, body = await site.ask("POST /boom HTTP/1.1", "content-length: 1", body=b"x")
    assert json.loads(body)["data"] == {"why": "told"}
    status, _, body = await site.ask("PUT /boom HTTP/1.1", "content-length: 0")
    assert status == 500
    assert "HTTP actions must return a Response" in json.loads(body)["code"]


async def test_an_upload_that_is_cut_fails_whoever_reads_it(site: Site) -> None:
    connection = await site.connect()
    await connection.send("POST /upload HTTP/1.1", "content-length: 10", body=b"begun")
    connection.writer.close()
    await site.until_noted("upload was cut")


async def test_an_action_hears_that_its_client_has_gone_and_goes_on(site: Site) -> None:
    connection = await site.connect()
    await connection.send("GET /patient HTTP/1.1")
    await site.until_noted("waits")
    connection.writer.close()
    await site.until_noted("is left alone")
    lines = [str(line) for entry in site.backend.log.after(0) for line in entry.log_lines]
    assert "[INFO] The client disconnected." in lines


async def test_a_client_that_stalls_counts_as_gone(site: Site) -> None:
    server = Server(site.backend, port=0, site_port=0, rules=ServerRules(stall_seconds=0.2))
    await server.start()
    try:
        hurried = Site(site.backend, server)
        connection = await hurried.connect()
        await connection.send("POST /stalled HTTP/1.1", "content-length: 10", body=b"begun")
        await site.until_noted("nobody sends")
        assert (await connection.head())[0] == 408
        connection = await hurried.connect()
        connection.writer.transport.pause_reading()
        await connection.send("GET /flood HTTP/1.1")
        await site.until_noted("nobody reads")
        connection.writer.close()
    finally:
        await server.stop()


async def test_a_body_that_is_no_body_fails_its_request_alone(site: Site) -> None:
    connection = await site.connect()
    await connection.send("POST /measure HTTP/1.1", "transfer-encoding: chunked", body=b"zz\r\n")
    await connection.rest()
    assert (await site.ask("GET /text HTTP/1.1"))[0] == 200


async def test_a_compressed_body_arrives_as_it_was(site: Site) -> None:
    body = gzip.compress(b"packed")
    lines = ("content-encoding: gzip", f"content-length: {len(body)}")
    _, _, answer = await site.ask("POST /shout HTTP/1.1", *lines, body=body)
    assert answer == b"6\r\nPACKED\r\n0\r\n\r\n"
    _, _, answer = await site.ask("POST /headers HTTP/1.1", *lines, body=body)
    assert answer == b"null null"


async def test_a_request_may_be_refused_unread(site: Site) -> None:
    connection = await site.connect()
    await connection.send("POST /careless HTTP/1.1", "content-length: 5", body=b"12")
    assert (await connection.head())[0] == 403
    assert await connection.reader.readexactly(12) == b"did not read"
    connection.writer.write(b"345")  # the rest of the body, and then the connection is good for another
    await connection.send("GET /text HTTP/1.1")
    assert (await connection.head())[0] == 200


async def test_head_gives_the_headers_of_get(site: Site) -> None:
    connection = await site.connect()
    for method, body in (("HEAD", b""), ("GET", b"hello"), ("HEAD", b"")):
        await connection.send(f"{method} /text HTTP/1.1")
        assert await connection.head() == (
            200,
            ["content-type: text/plain;charset=UTF-8", "content-length: 5"],
        )
        assert await connection.reader.readexactly(len(body)) == body


@pytest.mark.parametrize("door", ["site", "main"])
async def test_every_method_has_routes_and_some_have_bodies(site: Site, door: str) -> None:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        line = f"{method} {site.doors[door][1]}/any HTTP/1.1"
        status, _, body = await site.ask(line, "content-length: 4", body=b"body", door=door)
        read = "" if method in ("GET", "OPTIONS") else "body"
        assert (status, body.decode()) == (200, f"{method} {read}")


async def test_an_old_client_gets_its_response_until_the_end_of_the_connection(site: Site) -> None:
    connection = await site.connect()
    await connection.send("GET /raw HTTP/1.0")
    status, headers = await connection.head()
    assert status == 200
    assert not [line for line in headers if line.lower().startswith("transfer-encoding")]
    assert await connection.rest() == bytes(3)


async def test_headers_are_those_that_the_action_sets(site: Site) -> None:
    status, headers, body = await site.ask("GET /raw HTTP/1.1", "origin: https://page")
    assert (status, body) == (200, b"3\r\n\0\0\0\r\n0\r\n\r\n")
    assert sorted(headers) == [
        "Connection: close",
        "Transfer-Encoding: chunked",
        "set-cookie: a=1",
        "set-cookie: b=2",
        "x-long: " + "x" * 20000,
    ]


@pytest.mark.parametrize("door", ["site", "main"])
async def test_preflights_are_the_affair_of_the_action(site: Site, door: str) -> None:
    path = site.doors[door][1] + "/text"
    asks = ("origin: https://page", "access-control-request-method: GET")
    status, headers, _ = await site.ask(f"OPTIONS {path} HTTP/1.1", *asks, door=door)
    assert (status, headers) == (204, ["access-control-allow-origin: https://mine", "Connection: close"])
    status, headers, _ = await site.ask(f"OPTIONS {path}x HTTP/1.1", *asks, door=door)
    assert status == 404
    assert not [line for line in headers if line.lower().startswith("access-control")]


@pytest.mark.parametrize("door", ["site", "main"])
async def test_the_url_has_the_path_as_it_was_asked_for(site: Site, door: str) -> None:
    path = "/http-like/a%2Fb/%C3%A4?x=%20"
    _, _, body = await site.ask(f"GET {site.doors[door][1]}{path} HTTP/1.1", door=door)
    assert body == f"http://h.example{path}".encode()


@pytest.mark.parametrize("door", ["site", "main"])
async def test_what_nobody_answers(site: Site, door: str) -> None:
    prefix = site.doors[door][1]
    text = (404, b"No matching routes found")
    for line in ("GET /nowhere", "PUT /text", "GET /text/", "GET /http-like"):
        method, path = line.split()
        status, _, body = await site.ask(f"{method} {prefix}{path} HTTP/1.1", door=door)
        assert (status, body) == text, line
    status, _, _ = await site.ask(f"PROPFIND {prefix}/text HTTP/1.1", door=door)
    assert status == 405


async def test_headers_without_end_are_refused(site: Site) -> None:
    with suppress(ConnectionError):  # the server may close before it has read them all
        assert (await site.ask("GET /text HTTP/1.1", "x: " + "x" * 100_000))[0] == 400
    assert (await site.ask("GET /text HTTP/1.1"))[0] == 200
