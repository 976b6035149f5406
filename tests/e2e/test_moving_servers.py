"""A server that serves becomes the first node of a shared log, gets company, and is alone again."""

from __future__ import annotations

import json
import subprocess
import threading
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest

from node_servers import SECRET, NodeServers
from server_process import ServerProcess

pytestmark = pytest.mark.e2e

FUNCTIONS = """
from parabola import MutationCtx, QueryCtx, mutation, query

@mutation
async def add(ctx: MutationCtx, n: float) -> None:
    await ctx.db.insert("numbers", {"n": n})

@query
async def numbers(ctx: QueryCtx) -> list[float]:
    return [row["n"] for row in await ctx.db.query("numbers").collect()]
"""


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[NodeServers]:
    with NodeServers(tmp_path) as nodes:
        yield nodes


@pytest.fixture
def single(nodes: NodeServers) -> Iterator[ServerProcess]:
    directory = nodes.directory / "single"
    (directory / "convex").mkdir(parents=True)
    (directory / "convex" / "app.py").write_text(FUNCTIONS)
    files = (nodes.directory / "files").as_uri()
    options = ("--port", "0", "--site-port", "0", "--instance-name", "nodes", "--file-storage", files)
    server = ServerProcess(directory, "serve", *options)
    server.start(INSTANCE_SECRET=SECRET)
    server.cli("deploy")
    yield server
    server.close()


class Writer(threading.Thread):
    """Writes one number after another; those that were acknowledged are in `written`."""

    def __init__(self, server: ServerProcess) -> None:
        super().__init__()
        self.written: list[float] = []
        self.unknown: list[float] = []
        self._server = server
        self._stopped = threading.Event()

    def run(self) -> None:
        number = 0.0
        while not self._stopped.is_set():
            number += 1
            try:
                self._server.call("mutation", "app:add", n=number)
                self.written.append(number)
            except (urllib.error.URLError, ConnectionError):
                self.unknown.append(number)

    def stop(self) -> None:
        self._stopped.set()
        self.join()


def test_a_server_becomes_a_node_while_clients_write_and_is_alone_again(
    nodes: NodeServers, single: ServerProcess
) -> None:
    writer = Writer(single)
    writer.start()
    single.wait_for(lambda: len(writer.written) > 20, "some writes")
    single.cli("promote", nodes.database, "--node", "a")
    before = len(writer.written)
    single.wait_for(lambda: len(writer.written) > before + 20, "writes after it")
    writer.stop()
    b = nodes.start("b")
    for server in (single, b):
        numbers = server.call("query", "app:numbers")
        assert set(writer.written) <= set(numbers)
        assert len(numbers) == len(set(numbers))
        assert set(numbers) <= {*writer.written, *writer.unknown}
    b.wait_for(lambda: all(node["ready"] for node in listed(b)), "both to be heard")
    assert [(node["name"], node["isThis"]) for node in listed(b)] == [("a", False), ("b", True)]
    lines = b.cli("nodes").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["node", "a", "*"]
    assert all(len(line) <= 80 for line in lines)

    refused = single.cli("promote", nodes.database, "--node", "a", check=False)
    assert "a node of a shared log already" in refused.stderr
    b.cli("demote")
    b.call("mutation", "app:add", n=-1)
    assert -1 in b.call("query", "app:numbers")
    with pytest.raises(urllib.error.HTTPError) as cut_off:
        single.call("query", "app:numbers")
    assert cut_off.value.code == 503
    assert "moved to a server that is alone" in json.load(cut_off.value)["message"]
    b.terminate()
    alone = ServerProcess(b.directory, "serve", "--port", "0", "--site-port", "0", "--instance-name", "nodes")
    alone.start(INSTANCE_SECRET=SECRET)
    assert -1 in alone.call("query", "app:numbers")
    alone.terminate()


def test_a_node_is_not_started_as_a_server_that_is_alone(nodes: NodeServers) -> None:
    a = nodes.start("a")
    a.terminate()
    done = subprocess.run(
        [*a._program, "serve", "--port", "0", "--site-port", "0"],
        cwd=a.directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "a copy of a log that several servers share" in " ".join(done.stderr.split())


def listed(server: ServerProcess) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(server.cli("nodes", "--json").stdout)
    return found
