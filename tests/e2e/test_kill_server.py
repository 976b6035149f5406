"""A server that is killed in the middle of writes: what was acknowledged is there when it is back."""

from __future__ import annotations

import json
import random
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path

import pytest

from server_process import ServerProcess

pytestmark = pytest.mark.e2e

KILLS = 8
WRITERS = 6
WRITES_BEFORE_KILL = 60

FUNCTIONS = """
from parabola import MutationCtx, QueryCtx, mutation, query

@mutation
async def write(ctx: MutationCtx, writer: float, number: float) -> float:
    # Two documents and a counter in one transaction: a crash must never show some of them without the others.
    await ctx.db.insert("entries", {"writer": writer, "number": number})
    await ctx.db.insert("shadows", {"writer": writer, "number": number})
    counters = ctx.db.query("counters").with_index("by_writer", lambda q: q.eq("writer", writer))
    counter = await counters.unique()
    if counter is None:
        await ctx.db.insert("counters", {"writer": writer, "count": 1})
        return 1
    await ctx.db.patch(counter["_id"], {"count": counter["count"] + 1})
    return counter["count"] + 1

@query
async def everything(ctx: QueryCtx):
    entries = await ctx.db.query("entries").collect()
    shadows = await ctx.db.query("shadows").collect()
    counters = await ctx.db.query("counters").collect()
    return {
        "entries": sorted([e["writer"], e["number"]] for e in entries),
        "shadows": sorted([e["writer"], e["number"]] for e in shadows),
        "counts": sorted([c["writer"], c["count"]] for c in counters),
    }
"""
SCHEMA = """
from parabola import define_schema, define_table, v
schema = define_schema({
    "counters": define_table({"writer": v.number(), "count": v.number()}).index("by_writer", ["writer"]),
    "entries": define_table(v.any()),
    "shadows": define_table(v.any()),
})
"""


class Writer(threading.Thread):
    """Calls the mutation again and again until the server is gone; remembers what was acknowledged."""

    def __init__(self, url: str, number: int, numbers: Iterator[int], enough: threading.Semaphore) -> None:
        super().__init__()
        self._url = url
        self._number = number
        self._numbers = numbers
        self._enough = enough
        self.acknowledged: list[list[float]] = []
        self.attempted: list[list[float]] = []

    def run(self) -> None:
        while True:
            entry = [float(self._number), float(next(self._numbers))]
            self.attempted.append(entry)
            args = {"writer": entry[0], "number": entry[1]}
            body = json.dumps({"path": "kill:write", "args": args}).encode()
            headers = {"Content-Type": "application/json"}
            try:
                request = urllib.request.Request(f"{self._url}/api/mutation", body, headers)
                with urllib.request.urlopen(request) as response:
                    answer = json.load(response)
            except (OSError, HTTPException, ValueError):
                return
            assert answer["status"] == "success", answer
            self.acknowledged.append(entry)
            self._enough.release()


def test_no_acknowledged_mutation_is_lost_and_none_is_half_done(tmp_path: Path) -> None:
    functions = tmp_path / "convex"
    functions.mkdir()
    (functions / "kill.py").write_text(FUNCTIONS)
    (functions / "schema.py").write_text(SCHEMA)
    server = ServerProcess(tmp_path, "serve", "--port", "0", "--site-port", "0").start()
    server.cli("deploy")
    acknowledged: list[list[float]] = []
    attempted: list[list[float]] = []
    numbers = [iter(range(10**9)) for _ in range(WRITERS)]
    try:
        for kill in range(KILLS):
            enough = threading.Semaphore(0)
            writers = [Writer(server.url, number, numbers[number], enough) for number in range(WRITERS)]
            for writer in writers:
                writer.start()
            for _ in range(random.Random(kill).randrange(1, WRITES_BEFORE_KILL)):
                assert enough.acquire(timeout=60), "the server takes no more writes"
            server.kill()
            for writer in writers:
                writer.join()
                acknowledged += writer.acknowledged
                attempted += writer.attempted
            server.start()
            stored = server.run("kill:everything")
            entries = stored["entries"]
            assert stored["shadows"] == entries, "a transaction was half done"
            lost = [entry for entry in acknowledged if entry not in entries]
            assert not lost, f"acknowledged and lost: {lost}"
            assert all(entry in attempted for entry in entries), "something was written that nobody wrote"
            assert len(entries) == len({tuple(entry) for entry in entries}), "a mutation took effect twice"
            counts = dict(stored["counts"])
            assert counts == {w: sum(e[0] == w for e in entries) for w in counts}, "an update was lost"
    finally:
        server.close()
