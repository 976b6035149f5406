"""A server that is killed while jobs run and files come in.

Jobs take effect as often as is promised, and files are whole or not there. At the end the same server shows
that files are the same to functions in TypeScript.
"""

from __future__ import annotations

import json
import random
import threading
import time
import urllib.request
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import sha256
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from e2e.convex_cli import ConvexProject
from server_process import ServerProcess

pytestmark = pytest.mark.e2e

KILLS = 3
CLIENTS = 4
PATIENCE_SECONDS = 120
INTERRUPTED = {"kind": "failed", "error": "Transient error while executing action"}


@pytest.fixture(scope="module")
def began() -> float:
    """A moment before anything was deployed, in seconds since 1970."""
    return time.time()


@pytest.fixture(scope="module")
def project(
    tmp_path_factory: pytest.TempPathFactory, npm_packages: Path, began: float
) -> Iterator[ConvexProject]:
    directory = tmp_path_factory.mktemp("crashes")
    server = ServerProcess(directory, "serve", "--port", "0", "--site-port", "0").start()
    project = ConvexProject(directory, server, "crashes")
    project.ok("deploy", "--typecheck", "disable")
    server.cli("deploy")
    yield project
    server.close()


class Client(threading.Thread):
    """Does one thing after another until the server is gone."""

    def __init__(self, once: Callable[[], None], done: threading.Semaphore) -> None:
        super().__init__()
        self._once = once
        self._done = done
        self.refusal: BaseException | None = None

    def run(self) -> None:
        try:
            while True:
                self._once()
                self._done.release()
        except (OSError, HTTPException, json.JSONDecodeError):
            return
        except BaseException as error:
            self.refusal = error
            self._done.release()


def under_load(server: ServerProcess, once: Callable[[], None], things: int) -> None:
    """Let clients do `things` things and a bit more, and kill the server in the middle of it."""
    done = threading.Semaphore(0)
    clients = [Client(once, done) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    for _ in range(things):
        assert done.acquire(timeout=PATIENCE_SECONDS), "the server does nothing any more"
    server.kill()
    for client in clients:
        client.join()
        if client.refusal is not None:
            raise client.refusal


def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"never {what}"
        time.sleep(0.05)  # polling another process; nothing is assumed about how long it takes


def test_jobs_take_effect_as_often_as_is_promised(project: ConvexProject, began: float) -> None:
    server = project.server
    numbers = count()
    planned: dict[int, dict[str, str]] = {}
    cancelled: set[int] = set()
    for kill in range(KILLS):
        dice = random.Random(kill)

        def once(dice: random.Random = dice) -> None:
            number = next(numbers)
            # Some jobs are due at once, others when the server is down.
            planned[number] = server.call(
                "mutation", "jobs:plan", number=number, delay=dice.choice([0, 50, 500])
            )
            if server.call("mutation", "jobs:cancel", id=planned[number]["doomed"]) == "canceled":
                cancelled.add(number)

        under_load(server, once, dice.randrange(1, 30))
        before = time.time()
        server.start()
        # The crons go on after every start.
        until(lambda before=before: max(ticks(server), default=0) > before, "a tick")  # type: ignore[misc]

    def all_have_ended() -> bool:
        states = server.call("query", "jobs:states").values()
        return not any(state["kind"] in ("pending", "inProgress") for state in states)

    until(all_have_ended, "at rest")
    states = server.call("query", "jobs:states")
    traces = Counter((of, int(number)) for of, number, _ in server.call("query", "jobs:traces"))
    assert planned
    assert cancelled
    for number, ids in planned.items():
        for name, of in (("effect", "effect"), ("twin", "twin")):
            assert (states[ids[name]], traces[of, number]) == ({"kind": "success"}, 1)
        begun, done = traces["begun", number], traces["done", number]
        if states[ids["attempt"]] == {"kind": "success"}:
            assert (begun, done) == (1, 1)
        else:
            assert states[ids["attempt"]] == INTERRUPTED
            assert begun <= 1
        assert traces["doomed", number] == (states[ids["doomed"]] == {"kind": "success"})
        assert number not in cancelled or states[ids["doomed"]] == {"kind": "canceled"}
    once_at_most = {key: times for key, times in traces.items() if key[1] >= 0 and key[0] != "tick"}
    assert max(once_at_most.values()) == 1, "something that nobody was told of ran twice"
    # Every run has a second of its own, at the earliest: none was run twice, neither before nor after a kill.
    assert len(ticks(server)) - 1 <= time.time() - began
    assert traces["begun", -1] - 1 <= time.time() - began
    interrupted = sum(state == INTERRUPTED for state in states.values())
    print(f"{len(planned)} plans, {len(cancelled)} cancelled, {interrupted} actions interrupted")


def ticks(server: ServerProcess) -> list[float]:
    """When the mutation cron ran, in seconds since 1970."""
    traces = server.call("query", "jobs:traces")
    return [created / 1000 for of, _, created in traces if of == "tick"]


def test_files_are_whole_or_not_there(project: ConvexProject) -> None:
    server = project.server
    acknowledged: dict[str, str] = {}
    removing: set[str] = set()
    deleted: set[str] = set()
    folder = server.data_dir / "files"
    for kill in range(KILLS):
        dice = random.Random(kill)

        def once(dice: random.Random = dice) -> None:
            content = dice.randbytes(dice.randrange(1_000_000))
            digest = b64encode(sha256(content).digest()).decode()
            id = upload(server, content, digest)
            acknowledged[id] = digest
            if dice.random() < 0.3:
                removing.add(id)
                server.call("mutation", "files:remove", id=id)
                deleted.add(id)

        under_load(server, once, dice.randrange(1, 16))
        server.start()
        stored = server.call("query", "files:stored")
        assert acknowledged.keys() - removing <= stored.keys(), "a file is lost"
        assert not deleted & stored.keys(), "a deleted file is back"
        for id, (digest, size, url) in stored.items():
            with urllib.request.urlopen(url) as response:
                content = response.read()
            assert len(content) == size
            assert b64encode(sha256(content).digest()).decode() == digest == acknowledged.get(id, digest)
        until(lambda stored=stored: len(list(folder.iterdir())) == len(stored), "without garbage")  # type: ignore[misc]
    print(f"{len(acknowledged)} files stored, {len(deleted)} deleted")
    assert acknowledged


def test_typescript_functions_have_the_same_storage(project: ConvexProject) -> None:
    assert project.call("twins:filesInQuery") == ["getMetadata", "getUrl"]
    found = project.call("twins:filesInMutation")
    typed, untyped = found["rows"]
    assert (found["text"], found["type"], found["gone"]) == ("kept", "text/kept", None)
    assert found["url"].endswith(f"/api/storage/{found['metadata']['storageId']}")
    assert found["upload"].startswith(f"{project.server.url}/api/storage/upload?token=")
    digest = sha256(b"kept").digest()
    assert (typed["contentType"], typed["size"]) == ("text/kept", 4)
    assert (typed["sha256"], found["metadata"]["sha256"]) == (b64encode(digest).decode(), digest.hex())
    assert untyped["contentType"] is None
    content = b"\x07" * 9_000_000
    digest_text = b64encode(sha256(content).digest()).decode()
    found = project.call("twins:filesInAction", {"size": len(content), "digest": digest_text})
    assert (found["same"], found["size"], found["type"], found["gone"]) == (
        True,
        len(content),
        "large/file",
        None,
    )
    mismatch, nonsense, missing = found["refusals"]
    other = b64encode(sha256(b"other").digest()).decode()
    assert f"Sha256 mismatch. Expected: {digest_text} Actual: {other}" in mismatch
    assert (
        "Invalid storage ID: \"nonsense\". Storage ID should be an Id of '_storage' table, or a UUID string."
        in nonsense
    )
    assert missing.startswith("storage id ")
    assert missing.endswith(" not found")


def upload(server: ServerProcess, content: bytes, digest: str) -> str:
    """Send a file piece by piece; its id."""
    address = urlsplit(server.call("mutation", "files:upload_url"))
    connection = HTTPConnection(address.netloc)
    connection.putrequest("POST", f"{address.path}?{address.query}")
    connection.putheader("Content-Length", str(len(content)))
    connection.putheader("Digest", f"sha-256={digest}")
    connection.endheaders()
    for start in range(0, len(content), 65536):
        connection.send(content[start : start + 65536])
    response = connection.getresponse()
    answer = json.loads(response.read())
    assert response.status == 200, answer
    id: str = answer["storageId"]
    return id
