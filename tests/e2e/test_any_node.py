"""What one node has given a client holds on every other: cursors, upload URLs, keys, timestamps, its name.
The files are in an object store with an S3 API.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from file_storage_driver import s3_settings
from node_packages import PACKAGES, node_environment
from node_servers import NodeServers
from server_process import ServerProcess

pytestmark = pytest.mark.e2e

FUNCTIONS = """
from parabola import MutationCtx, PaginationOpts, PaginationResult, QueryCtx, mutation, query

@mutation
async def add(ctx: MutationCtx, n: float) -> float:
    await ctx.db.insert("numbers", {"n": n})
    return n

@query
async def numbers(ctx: QueryCtx) -> list[float]:
    return [row["n"] for row in await ctx.db.query("numbers").collect()]

@query
async def page(ctx: QueryCtx, paginationOpts: PaginationOpts) -> PaginationResult:
    return await ctx.db.query("numbers").paginate(paginationOpts)

@mutation
async def upload_url(ctx: MutationCtx) -> str:
    return await ctx.storage.generate_upload_url()

@mutation
async def delete_file(ctx: MutationCtx, id: str) -> None:
    await ctx.storage.delete(id)

@query
async def file_url(ctx: QueryCtx, id: str) -> str | None:
    return await ctx.storage.get_url(id)
"""
# The client's socket is opened again to the other node, with a mutation under way and a paginated query held.
CLIENT = """
import { createRequire } from "node:module";
import assert from "node:assert/strict";
const load = createRequire(`${process.env.PARABOLA_NODE_MODULES}/parabola.cjs`);
const { BaseConvexClient } = load("convex/browser");
const WebSocket = load("ws");
const [, , ...urls] = process.argv;
let at = 0;
class Moving extends WebSocket {
  constructor(url, ...rest) {
    const there = new URL(url);
    there.host = new URL(urls[at++ % urls.length]).host;
    super(there.href, ...rest);
    sockets.push(this);
  }
}
const sockets = [];
const options = { webSocketConstructor: Moving, unsavedChangesWarning: false, logger: false };
let changed = () => {};
const client = new BaseConvexClient(urls[0], () => changed(), options);
const opts = { paginationOpts: { numItems: 3, cursor: null, id: 1 } };
client.subscribe("app:page", opts);
const until = (holds) => new Promise((done) => {
  changed = () => holds() && done();
  changed();
});
await until(() => client.localQueryResult("app:page", opts)?.page.length === 3);
const journal = client.queryJournal("app:page", opts);
assert.ok(journal);
for (let n = 100; n < 104; n++) {
  const adding = client.mutation("app:add", { n });
  sockets.at(-1).terminate();
  assert.equal(await adding, n);
}
assert.ok(sockets.length > 3);
assert.equal(client.localQueryResult("app:page", opts).page.length, 3);
assert.equal(client.queryJournal("app:page", opts), journal);
await client.close();
"""


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of an S3 API with the bucket `nodes`."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/nodes", method="PUT")).close()
    yield endpoint
    server.stop()


@pytest.fixture(scope="module")
def nodes(s3: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeServers]:
    directory = tmp_path_factory.mktemp("nodes")
    with NodeServers(directory, "s3://nodes/files", **s3_settings(s3)) as nodes:
        a, b = nodes.start("a"), nodes.start("b")
        (a.directory / "convex").mkdir()
        (a.directory / "convex" / "app.py").write_text(FUNCTIONS)
        a.cli("deploy")
        for n in range(7):
            (a, b)[n % 2].call("mutation", "app:add", n=n)
        yield nodes


def both(nodes: NodeServers) -> tuple[ServerProcess, ServerProcess]:
    return nodes.nodes["a"], nodes.nodes["b"]


def test_what_was_acknowledged_by_one_node_is_read_at_once_on_the_other(nodes: NodeServers) -> None:
    a, b = both(nodes)
    for n in range(1000, 1040):
        writer, reader = (a, b) if n % 2 else (b, a)
        writer.call("mutation", "app:add", n=n)
        assert n in reader.call("query", "app:numbers")


def test_a_cursor_goes_on_on_the_other_node(nodes: NodeServers) -> None:
    a, b = both(nodes)
    expected = a.call("query", "app:numbers")
    found: list[float] = []
    cursor: str | None = None
    for at in range(100):
        options = {"numItems": 3, "cursor": cursor}
        page = (a, b)[at % 2].call("query", "app:page", paginationOpts=options)
        found += [row["n"] for row in page["page"]]
        cursor = page["continueCursor"]
        if page["isDone"]:
            break
    assert found == expected


def test_an_upload_url_of_one_node_is_taken_by_the_other_and_both_have_the_file(
    nodes: NodeServers, s3: str
) -> None:
    a, b = both(nodes)
    url = a.call("mutation", "app:upload_url").replace(a.url, b.url)
    request = urllib.request.Request(url, b"content", {"Content-Type": "text/plain"})
    with urllib.request.urlopen(request) as response:
        id = json.load(response)["storageId"]
    for node in (a, b):
        with urllib.request.urlopen(node.call("query", "app:file_url", id=id)) as response:
            assert response.read() == b"content"
    a.call("mutation", "app:delete_file", id=id)
    assert b.call("query", "app:file_url", id=id) is None
    deadline = time.monotonic() + 10
    while kept := stored_files(s3):  # bytes follow their row
        assert time.monotonic() < deadline, kept


def stored_files(s3: str) -> list[str]:
    """What is in the object store but what nodes leave there for each other."""
    with urllib.request.urlopen(f"{s3}/nodes?list-type=2") as response:
        keys = re.findall("<Key>([^<]+)</Key>", response.read().decode())
    return [key for key in keys if "/node-mark-" not in key]


def test_a_timestamp_of_one_node_is_waited_for_by_the_other(nodes: NodeServers) -> None:
    a, b = both(nodes)
    for n in range(20):
        a.call("mutation", "app:add", n=2000 + n)
        ts = posted(a, "/api/query_ts", {})["ts"]
        body = {"path": "app:numbers", "args": {}, "ts": ts}
        assert 2000 + n in posted(b, "/api/query_at_ts", body)["value"]


def test_an_admin_key_is_good_everywhere_and_revoked_everywhere(nodes: NodeServers) -> None:
    from node_servers import SECRET
    from parabola.services.sign_in.admin_keys import make_admin_key

    a, b = both(nodes)
    key = make_admin_key("nodes", SECRET, name="lost")
    listed = b.cli("env", "list", "--url", b.url, "--admin-key", key)
    assert listed.returncode == 0
    a.cli("admin-key", "revoke", "--all")
    refused = b.cli("env", "list", "--url", b.url, "--admin-key", key, check=False)
    assert refused.returncode == 1
    for node in (a, b):  # whoever runs here has another key of its own
        deadline = time.monotonic() + 10
        while not json.loads(node.cli("nodes", "--json").stdout):
            assert time.monotonic() < deadline


@pytest.mark.skipif(not (PACKAGES / "convex").is_dir(), reason="the npm packages are not installed")
def test_a_client_that_changes_nodes_has_each_mutation_once_and_its_page_as_it_was(
    nodes: NodeServers, tmp_path: Path
) -> None:
    a, b = both(nodes)
    script = tmp_path / "client.mjs"
    script.write_text(CLIENT)
    node = shutil.which("node")
    assert node is not None
    done = subprocess.run(
        [node, str(script), a.url, b.url],
        env={**node_environment(), "PARABOLA_NODE_MODULES": str(PACKAGES)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    numbers = a.call("query", "app:numbers")
    assert [numbers.count(float(n)) for n in range(100, 104)] == [1] * 4


def posted(node: ServerProcess, path: str, body: Any) -> Any:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(node.url + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def test_a_backup_from_one_node_has_what_was_written_through_the_other(
    nodes: NodeServers, tmp_path: Path
) -> None:
    a, b = both(nodes)
    a.call("mutation", "app:add", n=9999)
    url = a.call("mutation", "app:upload_url")
    urllib.request.urlopen(urllib.request.Request(url, b"kept", {"Content-Type": "text/plain"})).close()
    archive = tmp_path / "backup.zip"
    b.cli("export", "--include-file-storage", "--path", str(archive))
    with zipfile.ZipFile(archive) as opened:
        lines = opened.read("numbers/documents.jsonl").splitlines()
        stored = [opened.read(name) for name in opened.namelist() if name.startswith("_storage/")]
    assert 9999 in [json.loads(line)["n"] for line in lines]
    assert b"kept" in stored
