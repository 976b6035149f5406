"""Drives a Node.js host over its protocol, with a database made of dicts in the place of the engine."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import orjson

from node_packages import PACKAGES
from parabola.functions.deployed.runtimes import host_limits
from parabola.functions.settings import FunctionSettings
from parabola.hosts.node import host_argv, node_executable

FOLDER = Path(__file__).parent
PATIENCE_SECONDS = 60.0
NOW = 1_700_000_000_123.0
SEED = "5a" * 32

Json = dict[str, Any]


def packages_folder() -> Path:
    """The npm packages of the tests."""
    return PACKAGES


def bundle(folder: Path, functions: str) -> list[Json]:
    """The modules of a functions folder, as the Convex CLI uploads them."""
    command = [node_executable(), str(FOLDER / "bundle.mjs"), str(packages_folder()), str(folder), functions]
    output = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    modules: list[Json] = json.loads(output)
    return modules


def bundle_sources(folder: Path, sources: dict[str, str], functions: str = "convex") -> list[Json]:
    """Bundles functions written in a test."""
    (folder / functions).mkdir()
    for name, text in sources.items():
        (folder / functions / name).write_text(text)
    return bundle(folder, functions)


class CallFailed(Exception):
    """An error for the function to catch."""

    def __init__(self, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.data = data


@dataclass
class Database:
    """Tables of documents in insertion order."""

    tables: dict[str, dict[str, Json]] = field(default_factory=dict)
    files: dict[str, Json] = field(default_factory=dict)
    streams: dict[tuple[int, int], Json] = field(default_factory=dict)
    calls: list[tuple[str, Json]] = field(default_factory=list)

    def insert(self, table: str, value: Json) -> str:
        rows = self.tables.setdefault(table, {})
        document_id = f"{table}{len(rows)}"
        rows[document_id] = {**value, "_id": document_id, "_creationTime": float(len(rows))}
        return document_id

    def find(self, document_id: str) -> dict[str, Json]:
        for rows in self.tables.values():
            if document_id in rows:
                return rows
        raise CallFailed(f"Update on nonexistent document ID {document_id}")

    def rows(self, query: Json) -> list[Json]:
        source = query["source"]
        rows = list(self.tables.get(source["tableName"], {}).values())
        if source["order"] == "desc":
            rows.reverse()
        for operator in query["operators"]:
            rows = rows[: int(operator["limit"])]
        return rows

    def answer(self, run_id: int, op: str, args: Json) -> Any:
        """The engine's side of one call."""
        self.calls.append((op, args))
        if op == "1.0/get":
            if args["id"].startswith("missing"):
                raise CallFailed(
                    "Invalid argument `id` for `db.get`: Unable to decode ID: Invalid ID length 7"
                )
            return next((rows[args["id"]] for rows in self.tables.values() if args["id"] in rows), None)
        if op == "1.0/insert":
            return {"_id": self.insert(args["table"], args["value"])}
        if op == "1.0/shallowMerge":
            rows = self.find(args["id"])
            merged = {**rows[args["id"]], **args["value"]}
            rows[args["id"]] = {k: v for k, v in merged.items() if v != {"$undefined": None}}
            return None
        if op == "1.0/replace":
            rows = self.find(args["id"])
            rows[args["id"]] = {**args["value"], "_id": args["id"], "_creationTime": 0}
            return None
        if op == "1.0/remove":
            del self.find(args["id"])[args["id"]]
            return None
        if op == "1.0/queryStreamNext":
            return self.next_rows(run_id, args)
        if op == "1.0/queryCleanup":
            return True
        if op == "1.0/queryPage":
            return {
                "page": [],
                "isDone": True,
                "continueCursor": "end",
                "splitCursor": None,
                "pageStatus": None,
            }
        if op == "1.0/storageStore":
            return self.store(args)
        if op == "1.0/storageGet":
            return self.files.get(args["storageId"])
        return None

    def next_rows(self, run_id: int, args: Json) -> Json:
        """Reads from the live table, so that a batch sees what was written before it was asked for."""
        key = (run_id, args["queryId"])
        stream = self.streams.setdefault(key, {"query": args.get("query"), "sent": 0})
        rows = self.rows(stream["query"])[stream["sent"] :]
        batch = rows[: int(args["batch"])]
        stream["sent"] += len(batch)
        return {"values": batch, "done": len(batch) == len(rows)}

    def store(self, args: Json) -> str | None:
        part = args.get("part")
        storage_id = part["upload"] if part else f"file{len(self.files)}"
        before = base64.b64decode(self.files.get(storage_id, {}).get("blob", ""))
        content = before + base64.b64decode(args["blob"])
        self.files[storage_id] = {
            "blob": base64.b64encode(content).decode(),
            "contentType": args.get("contentType"),
        }
        return storage_id if part is None or part["last"] else None


NESTED = {"1.0/runUdf", "1.0/actions/query", "1.0/actions/mutation", "1.0/actions/action"}


class Host:
    """One host process and the engine's end of its socket."""

    def __init__(
        self,
        environment: str = "isolate",
        *,
        node_flags: tuple[str, ...] = (),
        compile_later: bool = False,
    ) -> None:
        ours, theirs = socket.socketpair()
        ours.settimeout(PATIENCE_SECONDS)
        self.socket = ours
        self._folder = tempfile.TemporaryDirectory(prefix="parabola-test-host-")
        self.activity = Path(self._folder.name, "activity")
        self.activity.write_bytes(bytes(24))
        argv = host_argv("node" if environment == "node" else "isolate", compile_later=compile_later)
        self.process = subprocess.Popen(
            [argv[0], *node_flags, *argv[1:], "--fd", str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={
                "PATH": os.environ["PATH"],
                "PARABOLA_ACTIVITY": str(self.activity),
                "PARABOLA_FOLDER": self._folder.name,
            },
        )
        theirs.close()
        self._buffer = b""
        self._ids = iter(range(1, 1_000_000))
        self.database = Database()
        self.messages: list[Json] = []
        self.on_message: Callable[[Json], None] = lambda message: None
        self._kinds: dict[int, str] = {}
        self._parents: dict[int, tuple[int, int, bool]] = {}
        self.environment = environment
        self.info = self.receive("ready")

    # Messages

    def send(self, message: Json) -> None:
        self.socket.sendall(json.dumps(message).encode() + b"\n")

    def messages_in(self) -> Iterator[Json]:
        while True:
            while b"\n" in self._buffer:
                line, _, self._buffer = self._buffer.partition(b"\n")
                message = orjson.loads(line)  # as strict as the engine
                self.messages.append(message)
                self.on_message(message)
                yield message
            chunk = self.socket.recv(1 << 20)
            if not chunk:
                raise EOFError(self.output())
            self._buffer += chunk

    def output(self) -> str:
        assert self.process.stderr is not None
        assert self.process.stdout is not None
        self.process.wait(PATIENCE_SECONDS)
        return self.process.stdout.read().decode() + self.process.stderr.read().decode()

    def receive(self, *kinds: str, run_id: int | None = None) -> Json:
        """The next message of these kinds, while calls of runs are answered."""
        for message in self.messages_in():
            if message["type"] in kinds and (run_id is None or message["id"] == run_id):
                return message
            if message["type"] == "syscall":
                self.serve(message)
            elif message["type"] == "responseChunk":
                self.take(message)
            elif message["type"] in ("done", "failed"):
                self.end_nested(message)
        raise AssertionError

    def take(self, chunk: Json) -> None:
        """The client has read a chunk of a response."""
        size = len(base64.b64decode(chunk["data"]))
        self.send({"type": "responseTaken", "id": chunk["id"], "bytes": size})

    # The engine

    def load(self, modules: list[Json], env: dict[str, str] | None = None, **fields: Any) -> None:
        self.send(
            {
                "type": "load",
                "deployment": "d1",
                "environment": self.environment,
                "modules": modules,
                "env": env or {},
                "limits": msgspec.to_builtins(host_limits(self.environment, FunctionSettings())),
                "instance": {"cloudUrl": "http://cloud", "siteUrl": "http://site"},
                **fields,
            }
        )
        assert self.receive("loaded", "loadFailed")["type"] == "loaded"

    def start(self, kind: str, path: str, args: Any = None, **fields: Any) -> int:
        run_id = next(self._ids)
        self._kinds[run_id] = kind
        self.send(
            {
                "type": "run",
                "id": run_id,
                "kind": kind,
                "path": path,
                "args": {} if args is None else args,
                "now": NOW,
                "seed": SEED,
                "snapshotTs": 1_700_000_000_123_456_789,
                "identity": None,
                "requestId": f"request{run_id}",
                "tables": {"tasks": 10001},
                **fields,
            }
        )
        return run_id

    def run(self, kind: str, path: str, args: Any = None, **fields: Any) -> Json:
        """Runs a function to its last message."""
        run_id = self.start(kind, path, args, **fields)
        return self.receive("done", "failed", run_id=run_id)

    def query(self, path: str, args: Any = None, **fields: Any) -> Any:
        """The result of a query that succeeds."""
        return result(self.run("query", path, args, **fields))

    def mutation(self, path: str, args: Any = None, **fields: Any) -> Any:
        return result(self.run("mutation", path, args, **fields))

    def action(self, path: str, args: Any = None, **fields: Any) -> Any:
        return result(self.run("action", path, args, **fields))

    def serve(self, message: Json) -> None:
        """Answers the calls of a message; a call of another function runs on the same host."""
        replies = []
        for call in message["calls"]:
            if call["op"] in NESTED:
                self.database.calls.append((call["op"], call["args"]))
                self.start_nested(message["id"], call)
                continue
            try:
                replies.append(
                    {
                        "call": call["call"],
                        "value": self.database.answer(message["id"], call["op"], call["args"]),
                    }
                )
            except CallFailed as error:
                data = {} if error.data is None else {"data": error.data}
                replies.append({"call": call["call"], "error": {"message": str(error), **data}})
        if replies:
            self.send({"type": "reply", "id": message["id"], "replies": replies})

    def start_nested(self, parent: int, call: Json) -> None:
        args = call["args"]
        kind = args.get("udfType") or call["op"].rpartition("/")[2]
        if self.environment == "node":
            self.send({"type": "reply", "id": parent, "replies": [{"call": call["call"], "value": []}]})
            return
        run_id = self.start(kind, args["name"], args["args"], nested=True)
        self._parents[run_id] = (parent, call["call"], True)

    def end_nested(self, message: Json) -> None:
        parent = self._parents.pop(message["id"], None)
        if parent is None:
            return
        reply: Json = {"call": parent[1]}
        if message["type"] == "done":
            reply["value"] = message["result"]
        else:
            error = message["error"]
            text = "".join(
                [error["message"], "\n", *(f"    at {frame}\n" for frame in error.get("frames", ()))]
            )
            reply["error"] = {"message": text, **({"data": error["data"]} if "data" in error else {})}
        self.send({"type": "reply", "id": parent[0], "replies": [reply]})

    def analyze(self, phase: str, **fields: Any) -> Json:
        """The answer to an analysis: `analysis` or `failed`."""
        analysis_id = next(self._ids)
        self.send({"type": "analyze", "id": analysis_id, "phase": phase, **fields})
        return self.receive("analysis", "failed", run_id=analysis_id)

    def ops(self) -> list[str]:
        """The operations called so far."""
        return [op.removeprefix("1.0/") for op, _ in self.database.calls]

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        self.socket.close()
        self._folder.cleanup()


def result(message: Json) -> Any:
    """The result of a run that succeeded."""
    assert message["type"] == "done", message
    return message["result"]


def error(message: Json) -> Json:
    """The error of a run that failed."""
    assert message["type"] == "failed", message
    found: Json = message["error"]
    return found


def lines(message: Json) -> list[str]:
    """The log lines of a run, as clients see them."""
    return [f"[{line['level']}] {' '.join(line['messages'])}" for line in message["logs"]]
