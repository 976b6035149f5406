"""Files stream: what the server holds in memory does not grow with them."""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from server_process import ServerProcess

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(sys.platform != "linux", reason="peaks of memory are read from /proc"),
]

MEGABYTE = 1024 * 1024
SIZE = 64 * MEGABYTE
PASSING_THROUGH = 24 * MEGABYTE
"""What a transfer may add to the server's memory, at its peak."""
IN_PARTS = 80 * MEGABYTE
"""The same for an action, whose messages carry a file in parts, in base64."""

FUNCTIONS = """
from parabola import ActionCtx, MutationCtx, QueryCtx, action, mutation, query

@mutation
async def upload_url(ctx: MutationCtx) -> str:
    return await ctx.storage.generate_upload_url()

@query
async def url(ctx: QueryCtx, id: str) -> str | None:
    return await ctx.storage.get_url(id)

@action
async def copy(ctx: ActionCtx, id: str) -> float:
    blob = await ctx.storage.get(id)
    await ctx.storage.store(blob)
    return len(blob)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    directory = tmp_path_factory.mktemp("memory")
    (directory / "convex").mkdir()
    (directory / "convex" / "files.py").write_text(FUNCTIONS)
    server = ServerProcess(directory, "serve", "--port", "0", "--site-port", "0").start()
    server.cli("deploy")
    yield server
    server.close()


class Peak:
    """The most memory that a process has at a time, beyond what it has at the beginning."""

    def __init__(self, server: ServerProcess) -> None:
        self._process = Path(f"/proc/{server.pid}")
        (self._process / "clear_refs").write_text("5")  # the peak is counted from now on
        self._before = self._read("VmRSS")

    def growth(self) -> int:
        return self._read("VmHWM") - self._before

    def _read(self, name: str) -> int:
        lines = (self._process / "status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def upload(server: ServerProcess, piece: bytes) -> str:
    """Send the same piece again and again."""
    address = urlsplit(server.call("mutation", "files:upload_url"))
    connection = HTTPConnection(address.netloc)
    connection.putrequest("POST", f"{address.path}?{address.query}")
    connection.putheader("Content-Length", str(SIZE))
    connection.endheaders()
    for _ in range(SIZE // len(piece)):
        connection.send(piece)
    answer: dict[str, str] = json.loads(connection.getresponse().read())
    return answer["storageId"]


def download(url: str, **headers: str) -> int:
    received = 0
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as response:
        while piece := response.read(MEGABYTE):
            received += len(piece)
    return received


def test_files_of_any_size_pass_through_the_same_memory(server: ServerProcess) -> None:
    piece = os.urandom(MEGABYTE)
    upload(server, piece)  # what the first one takes for good is not what this is about
    peak = Peak(server)
    id = upload(server, piece)
    assert peak.growth() < PASSING_THROUGH
    url = server.call("query", "files:url", id=id)
    peak = Peak(server)
    assert download(url) == SIZE
    assert download(url, Range=f"bytes=1000-{SIZE - 1000}") == SIZE - 1999
    assert peak.growth() < PASSING_THROUGH
    peak = Peak(server)
    assert server.call("action", "files:copy", id=id) == SIZE
    assert peak.growth() < IN_PARTS
    peak = Peak(server)
    server.cli("export", "--path", "all.zip", "--include-file-storage")
    server.cli("import", "--replace-all", "-y", "all.zip")
    assert peak.growth() < PASSING_THROUGH
