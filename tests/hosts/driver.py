"""The engine's side of the host protocol for tests: a real host process, and a tiny database in a dict."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import os
import socket
import sys
import tempfile
import textwrap
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

Json = dict[str, Any]


class MiniDatabase:
    """Answers syscalls from dicts: enough of an engine to run functions against."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, Json]] = {}
        self.identity: Json | None = None
        self.functions: dict[str, Callable[[Json], Any]] = {}
        """What nested calls answer, by function name."""
        self.streams: dict[int, list[Json]] = {}
        self.consumed: dict[int, int] = {}
        self._ids = itertools.count(1)

    def insert(self, table: str, value: Json) -> str:
        id = f"{table}|{next(self._ids)}"
        document = {**value, "_id": id, "_creationTime": float(len(self.tables.get(table, ())) + 1)}
        self.tables.setdefault(table, {})[id] = document
        return id

    def find(self, id: str) -> Json | None:
        return self.tables.get(id.partition("|")[0], {}).get(id)

    def rows(self, query: Json) -> list[Json]:
        source = query["source"]
        table = source.get("tableName") or source["indexName"].partition(".")[0]
        rows = list(self.tables.get(table, {}).values())
        for condition in source.get("range", ()):
            assert condition["type"] == "Eq"
            rows = [row for row in rows if row.get(condition["fieldPath"]) == condition["value"]]
        if source.get("order") == "desc":
            rows.reverse()
        for operator in query["operators"]:
            if "limit" in operator:
                rows = rows[: operator["limit"]]
        return rows

    def answer(self, op: str, args: Json) -> Any:
        """The result of a syscall; raises `Refused`."""
        name = op.removeprefix("1.0/").replace("/", "_")
        return getattr(self, f"op_{name}")(args)

    def op_insert(self, args: Json) -> Any:
        return {"_id": self.insert(args["table"], args["value"])}

    def op_get(self, args: Json) -> Any:
        if "|" not in args["id"]:
            raise Refused(f"Invalid argument `id` for `db.get`: Unable to decode ID: {args['id']}")
        return self.find(args["id"])

    def op_shallowMerge(self, args: Json) -> Any:
        document = self._existing(args["id"])
        for name, value in args["value"].items():
            if value == {"$undefined": None}:
                document.pop(name, None)
            else:
                document[name] = value
        return document

    def op_replace(self, args: Json) -> Any:
        document = self._existing(args["id"])
        kept = {name: document[name] for name in ("_id", "_creationTime")}
        document.clear()
        document.update(args["value"], **kept)
        return document

    def op_remove(self, args: Json) -> Any:
        document = self._existing(args["id"])
        del self.tables[args["id"].partition("|")[0]][args["id"]]
        return document

    def _existing(self, id: str) -> Json:
        document = self.find(id)
        if document is None:
            raise Refused(f"Update on nonexistent document ID {id}")
        return document

    def op_queryStreamNext(self, args: Json) -> Any:
        query_id = args["queryId"]
        if "query" in args:
            self.streams[query_id] = self.rows(args["query"])
        self.consumed[query_id] = args["consumed"]
        rows = self.streams[query_id][: args["batch"]]
        del self.streams[query_id][: args["batch"]]
        return {"values": rows, "done": not self.streams[query_id]}

    def op_queryCleanup(self, args: Json) -> Any:
        self.consumed[args["queryId"]] = args["consumed"]
        return True

    def op_queryPage(self, args: Json) -> Any:
        rows = self.rows(args["query"])
        start = int(args["cursor"] or 0)
        end = start + args["pageSize"]
        return {"page": rows[start:end], "isDone": end >= len(rows), "continueCursor": str(end)}

    def op_count(self, args: Json) -> Any:
        return len(self.tables.get(args["table"], {}))

    def op_db_normalizeId(self, args: Json) -> Any:
        return {"id": args["idString"] if args["idString"].startswith(args["table"] + "|") else None}

    def op_getUserIdentity(self, args: Json) -> Any:
        return self.identity

    def op_schedule(self, args: Json) -> Any:
        return self.insert(
            "_scheduled_functions", {"name": args["name"], "ts": args["ts"], "args": args["args"]}
        )

    op_actions_schedule = op_schedule

    def op_runUdf(self, args: Json) -> Any:
        return self.functions[args["name"]](args)

    op_actions_query = op_actions_mutation = op_actions_action = op_runUdf

    def op_getTransactionMetrics(self, args: Json) -> Any:
        return {"bytesRead": {"used": 0, "remaining": 1}}


class Refused(Exception):
    """A syscall that fails; `data` makes it a ConvexError."""

    def __init__(self, message: str, **data: Any) -> None:
        super().__init__(message)
        self.error = {"message": message, **data}


@dataclass
class Outcome:
    """How a run ended."""

    message: Json
    calls: list[list[Json]] = field(default_factory=list)
    """The calls of each syscall message."""
    lines: list[Json] = field(default_factory=list)
    response: list[Json] = field(default_factory=list)
    """The messages of a streamed HTTP response."""
    taken: list[int] = field(default_factory=list)
    """Bytes of the request's body, as its parts were read."""

    @property
    def ok(self) -> bool:
        return self.message["type"] == "done"

    @property
    def result(self) -> Any:
        assert self.ok, self.message
        return self.message["result"]

    @property
    def error(self) -> str:
        assert not self.ok, self.message
        return self.message["error"]["message"]

    @property
    def frames(self) -> list[str]:
        return self.message["error"].get("frames", [])

    @property
    def kind(self) -> str:
        return self.message["kind"]

    @property
    def usage(self) -> Json:
        return self.message["usage"]

    @property
    def logs(self) -> list[str]:
        return [f"[{line['level']}] {' '.join(line['messages'])}" for line in self.lines]

    @property
    def ops(self) -> list[str]:
        return [call["op"].removeprefix("1.0/") for calls in self.calls for call in calls]


def _canonical(json: Any) -> Any:
    """JSON as the engine writes it: every number is a float."""
    if isinstance(json, dict):
        return {name: _canonical(item) for name, item in json.items()}
    if isinstance(json, list):
        return [_canonical(item) for item in json]
    return float(json) if type(json) is int else json


class EngineSide:
    """Speaks the engine's half of the protocol through `write`; `receive` takes what the host says."""

    def __init__(self, write: Callable[[Json], None], database: MiniDatabase | None = None) -> None:
        self.database = database or MiniDatabase()
        self.ready: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self.runs: dict[int, tuple[asyncio.Future[Outcome], Outcome]] = {}
        self.held: list[Json] | None = None
        """When a list, syscall messages are kept here instead of being answered."""
        self.on_syscall: Callable[[Json], None] = lambda message: None
        self._held = asyncio.Event()
        self._news = asyncio.Event()
        self.takes_responses = True
        """Whether the client reads what is sent to it."""
        self.write = write
        self._ids = itertools.count(1)
        self._loading: asyncio.Future[Json] | None = None
        self._analyses: dict[int, asyncio.Future[Json]] = {}
        self.limits: Mapping[str, float] = {}

    async def load(self, modules: Mapping[str, str], **fields: Any) -> Json:
        """Load sources; the `loaded` or `loadFailed` message."""
        self._loading = asyncio.get_running_loop().create_future()
        sources = [{"path": path, "source": textwrap.dedent(text)} for path, text in modules.items()]
        message = {
            "type": "load",
            "deployment": "d1",
            "environment": "python",
            "modules": sources,
            "env": {},
            "limits": self.limits,
            "instance": {"cloudUrl": "http://127.0.0.1:3210", "siteUrl": "http://127.0.0.1:3211"},
            **fields,
        }
        self.write(message)
        return await self._loading

    async def serve(self, source: str, **fields: Any) -> None:
        """Load one module, `m.py`; its first line has the usual imports, the text begins on the second."""
        imports = "import asyncio; from parabola import *"
        message = await self.load({"m.py": imports + textwrap.dedent(source)}, **fields)
        assert message["type"] == "loaded", message

    async def analyze(self, phase: str = "modules") -> Json:
        """The `analysis` or `failed` message."""
        id = next(self._ids)
        self._analyses[id] = asyncio.get_running_loop().create_future()
        self.write({"type": "analyze", "id": id, "phase": phase})
        return await self._analyses[id]

    def start(
        self, path: str, args: Json | None = None, kind: str = "query", **fields: Any
    ) -> asyncio.Future[Outcome]:
        """Start a run; the future gives its outcome."""
        id = next(self._ids)
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self.runs[id] = (future, Outcome({}))
        self.last_id = id
        message = {
            "type": "run",
            "id": id,
            "kind": kind,
            "path": path,
            "args": _canonical(args or {}),
            "now": 1_700_000_000_123.0,
            "seed": "5eed" * 16,
            "snapshotTs": 1_700_000_000_000_000_000,
            "identity": None,
            "requestId": "req-1",
            **fields,
        }
        self.write(message)
        return future

    async def run(self, path: str, args: Json | None = None, kind: str = "query", **fields: Any) -> Outcome:
        return await self.start(path, args, kind, **fields)

    async def query(self, path: str, **args: Any) -> Outcome:
        return await self.run(path, args)

    async def mutation(self, path: str, **args: Any) -> Outcome:
        return await self.run(path, args, "mutation")

    async def action(self, path: str, **args: Any) -> Outcome:
        return await self.run(path, args, "action")

    def cancel(self, id: int) -> None:
        self.write({"type": "cancel", "id": id})

    def receive(self, message: Json) -> None:
        kind = message["type"]
        if kind == "ready":
            self.ready.set_result(message)
        elif kind in ("loaded", "loadFailed"):
            assert self._loading is not None
            self._loading.set_result(message)
        elif kind == "analysis" or (kind == "failed" and message["id"] in self._analyses):
            self._analyses.pop(message["id"]).set_result(message)
        elif kind == "syscall":
            _, outcome = self.runs[message["id"]]
            outcome.calls.append(message["calls"])
            outcome.lines.extend(message.get("logs", ()))
            self.on_syscall(message)
            if self.held is not None:
                self.held.append(message)
                self._held.set()
            else:
                self.answer(message)
        elif kind == "log":
            self.runs[message["id"]][1].lines.extend(message["lines"])
        elif kind in ("responseHead", "responseChunk", "responseEnd"):
            self.runs[message["id"]][1].response.append(message)
            if kind == "responseChunk" and self.takes_responses:
                self.take(message)
            self._news.set()
        elif kind == "requestTaken":
            self.runs[message["id"]][1].taken.append(message["bytes"])
            self._news.set()
        elif kind in ("done", "failed"):
            future, outcome = self.runs.pop(message["id"])
            outcome.message = message
            outcome.lines.extend(message.get("logs", ()))
            if not future.done():
                future.set_result(outcome)

    def end(self, error: Exception) -> None:
        """The host is gone."""
        waiting = [future for future, _ in self.runs.values()]
        for future in (self.ready, self._loading, *self._analyses.values(), *waiting):
            if future is not None and not future.done():
                future.set_exception(error)
                future.exception()  # a run that nobody awaits may end like that too

    async def holds(self, count: int = 1) -> None:
        """Wait until so many syscall messages are held."""
        assert self.held is not None
        while len(self.held) < count:
            self._held.clear()
            await self._held.wait()

    async def sees(self, holds: Callable[[], bool]) -> None:
        """Wait until messages about bodies have made this true."""
        while not holds():
            self._news.clear()
            await self._news.wait()

    def take(self, chunk: Json) -> None:
        """The client has read a chunk of a response."""
        size = len(base64.b64decode(chunk["data"]))
        self.write({"type": "responseTaken", "id": chunk["id"], "bytes": size})

    async def until(self, path: str, expected: Any) -> None:
        """Ask a query until it gives what is expected: for what happens after a run has ended."""
        while (await self.query(path)).result != expected:
            pass

    def answer(self, message: Json) -> None:
        """Answer a syscall message from the database."""
        replies = []
        for call in message["calls"]:
            try:
                replies.append(
                    {"call": call["call"], "value": self.database.answer(call["op"], call["args"])}
                )
            except Refused as refused:
                replies.append({"call": call["call"], "error": refused.error})
        self.write({"type": "reply", "id": message["id"], "replies": replies})


class HostProcess(EngineSide):
    """A host in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, ours: socket.socket) -> None:
        self.process = process
        self._loop = asyncio.get_running_loop()
        self._socket = ours
        super().__init__(self._send)
        self._reader_task = self._loop.create_task(self._read())
        self.activity_path = ""

    def _send(self, message: Json) -> None:
        self._writer.write(orjson.dumps(message) + b"\n")

    async def _read(self) -> None:
        reader, self._writer = await asyncio.open_connection(sock=self._socket, limit=2**26)
        while line := await reader.readline():
            self.receive(orjson.loads(line))
        self.end(ConnectionError("the host is gone"))

    async def close(self) -> None:
        self._writer.close()
        self._reader_task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reader_task
        async with asyncio.timeout(20):
            await self.process.wait()


@contextlib.asynccontextmanager
async def host_process(
    *options: str, limits: Mapping[str, float] | None = None, **env: str
) -> AsyncIterator[HostProcess]:
    """A running host; its process ends with the block. `limits` differ from the usual ones."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with theirs, tempfile.NamedTemporaryFile(delete=False) as activity:
        activity.truncate(16)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "parabola.hosts.python",
            *options,
            env={
                **os.environ,
                "PARABOLA_HOST_FD": str(theirs.fileno()),
                "PARABOLA_ACTIVITY": activity.name,
                "PYTHONHASHSEED": "0",
                **env,
            },
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        host = HostProcess(process, ours)
        host.activity_path = activity.name
        host.limits = limits or {}
        try:
            await host.ready
            yield host
        finally:
            with contextlib.suppress(ProcessLookupError):
                if host._reader_task.done():
                    process.kill()
            await host.close()
            Path(activity.name).unlink(missing_ok=True)  # noqa: ASYNC240
