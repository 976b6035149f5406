"""What a function lets out is its own affair: whatever it is, by whichever way it leaves, in both languages.

Every call is answered over HTTP with a value or with a function's error; a call that waits in the same
process all the time does not notice. `PARABOLA_CONTENT_EXAMPLES` asks for more random ones.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client_calls import client_call
from host_pools import pool_of
from hosts_node.driver import FOLDER as NODE_FOLDER
from hosts_node.driver import bundle, packages_folder
from parabola.backend import Backend, BackendConfig
from parabola.functions.calls.execution import Execution
from parabola.functions.deployed.deployment import Module
from parabola.functions.deployed.identity import NO_IDENTITY
from parabola.functions.settings import FunctionSettings
from parabola.server.app import Server
from parabola.services.deploys.push import Push

EXAMPLES = int(os.environ.get("PARABOLA_CONTENT_EXAMPLES", "60"))
PYTHON_FOLDER = Path(__file__).parent / "contents_python"
KINDS = ("query", "mutation", "action", "httpAction")
SHARE = 1 if EXAMPLES > 1000 else len(KINDS)
"""Each kind of function sends one content in so many through a door: together they send all."""
RAW = ("operation", "arguments", "rawArgument")
"""Doors that hand the engine's operations what no method of `ctx` would."""
PATIENCE = 10.0
NO_ANSWERS = ("no answer", "couldn't be completed", "host process", "could not be read")
"""What would mean that the server failed, or the process, or that the host let out what it must not."""
SLOW = ("slow", "endless", "endlessText")
"""What takes a function's whole second: these are tried by a few doors only."""


def names(text: str, pattern: str) -> list[str]:
    return re.findall(pattern, text, re.M)


PYTHON = {
    "doors": names((PYTHON_FOLDER / "doors.py").read_text(), r'^    "(\w+)": '),
    "doors_http": names((PYTHON_FOLDER / "http.py").read_text(), r'^    "(\w+)": '),
    "contents": names((PYTHON_FOLDER / "hostile.py").read_text(), r'^    "(\w+)": '),
}
CONTENTS_TS = NODE_FOLDER / "contents"
TYPESCRIPT = {
    "doors": names((CONTENTS_TS / "doors.ts").read_text(), r"^  (\w+): \("),
    "doors_http": names((CONTENTS_TS / "http.ts").read_text(), r"^  (\w+): \("),
    "contents": names((CONTENTS_TS / "hostile.ts").read_text().split("CONTENTS")[1], r"^  (\w+)(?::|,$)"),
}
LANGUAGES: Mapping[str, Mapping[str, list[str]]] = {"python": PYTHON, "typescript": TYPESCRIPT}


def push_of(language: str) -> Push:
    if language == "python":
        files = sorted(PYTHON_FOLDER.glob("*.py"))
        return Push("python", tuple(Module(file.name, "python", file.read_text()) for file in files))
    if not packages_folder().is_dir():
        pytest.skip("the npm packages of the tests are not installed")
    modules = bundle(NODE_FOLDER, "contents")
    return Push(
        "typescript",
        tuple(Module(one["path"], "isolate", one["source"], one.get("sourceMap")) for one in modules),
    )


@dataclass
class Deployed:
    """A server with the functions of one language, and a call that waits in their host."""

    language: str
    backend: Backend
    url: str
    client: aiohttp.ClientSession
    released: asyncio.Event
    loop: asyncio.AbstractEventLoop

    @property
    def pids(self) -> list[int]:
        """The processes that run queries and mutations."""
        pool = pool_of(self.backend, "python" if self.language == "python" else "isolate")
        return [host.pid for host in pool.processes()]

    @asynccontextmanager
    async def neighbour(self) -> AsyncIterator[None]:
        """Somebody who is in the middle of a mutation meanwhile."""
        pids = self.pids
        self.released.clear()
        waiting = asyncio.create_task(self.backend.mutation(client_call("functions:waits", {}, NO_IDENTITY)))
        try:
            yield
        finally:
            self.released.set()
            result = await waiting
        assert result.error is None, result.error.text()
        assert self.pids == pids
        assert (await self.call("query", "functions:fine", {})) == {"status": "success", "value": "fine"}

    async def call(self, kind: str, path: str, args: Any) -> dict[str, Any]:
        body = {"path": path, "args": args, "format": "convex_encoded_json"}
        async with self.client.post(f"{self.url}/api/{kind}", json=body) as response:
            text = await response.text()
            assert response.status == 200, text
            return json.loads(text)  # type: ignore[no-any-return]

    async def send(self, kind: str, given: Any) -> str:
        """Send a content through a door; the text of the error that it makes, if it makes one."""
        try:
            return await self._answer_to(kind, given)
        except TimeoutError:
            return NO_ANSWERS[0]

    async def _answer_to(self, kind: str, given: Any) -> str:
        if kind != "httpAction":
            answer = await self.call(kind.removeprefix("plain_"), f"functions:{kind}", given)
            return "" if answer["status"] == "success" else answer["errorMessage"]
        try:
            async with self.client.post(
                f"{self.url}/http{self.route}", json=given, headers={"Connection": "close"}
            ) as response:
                text = (await response.read()).decode("utf-8", "replace")
                return text if response.status >= 500 else ""
        except aiohttp.ClientPayloadError:
            return ""  # the action has failed in the middle of its response

    @property
    def route(self) -> str:
        return "/contents" if self.language == "python" else "/"


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=LANGUAGES)
async def deployed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Deployed]:
    language = request.param
    push = push_of(language)
    config = BackendConfig(tmp_path_factory.mktemp(language), functions=FunctionSettings(hosts=1))
    backend = await Backend.open(config)
    released = asyncio.Event()
    get = backend.runner.syscalls.find("1.0/get", "query")

    async def waits(execution: Execution, args: Mapping[str, Any]) -> Any:
        if args.get("id") == "waits":
            await released.wait()
            return None
        return await get.handler(execution, args)

    backend.runner.syscalls.register("1.0/get", waits)
    server = Server(backend, port=0, site_port=0)
    await server.start()
    try:
        await backend.deploy(push)
        if language == "typescript":  # as it would be before long: here hosts must stay what they are
            await pool_of(backend).execute_transactions()
        timeout = aiohttp.ClientTimeout(total=PATIENCE)
        async with aiohttp.ClientSession(
            timeout=timeout, max_line_size=1 << 20, max_field_size=1 << 20
        ) as client:
            yield Deployed(
                language,
                backend,
                f"http://127.0.0.1:{server.port}",
                client,
                released,
                asyncio.get_running_loop(),
            )
    finally:
        await server.stop()
        await backend.close()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("kind", KINDS)
async def test_every_content_leaves_by_every_door(deployed: Deployed, kind: str) -> None:
    known = LANGUAGES[deployed.language]
    doors = [*known["doors"], *(known["doors_http"] if kind == "httpAction" else ())]
    wrong: list[Any] = []
    for number, door in enumerate(doors):
        if door in SLOW:
            continue
        first = (number + KINDS.index(kind)) % SHARE
        async with deployed.neighbour():
            for content in known["contents"][first::SHARE]:
                if content not in SLOW:
                    text = await deployed.send(kind, {"door": door, "content": content})
                    if any(sign in text for sign in NO_ANSWERS) and not is_raw(door, text):
                        wrong.append((door, content, text))
    assert not wrong


def is_raw(door: str, text: str) -> bool:
    """Whether a call has gone past what authors may use, and was told so."""
    return door in RAW and "could not be read" in text


UNITS = st.lists(
    st.one_of(
        st.integers(0xD800, 0xDFFF), st.sampled_from([0, 10, 34, 36, 92, 0x2028, 0xFEFF]), st.integers(0, 127)
    ),
    max_size=6,
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), database=None)
@given(
    kind=st.sampled_from(KINDS),
    door=st.sampled_from([door for door in PYTHON["doors"] if door not in SLOW]),
    value=UNITS.map(lambda units: {"units": units}) | VALUES,
)
def test_whatever_the_text_or_the_value_the_call_is_answered(
    python: Deployed, kind: str, door: str, value: Any
) -> None:
    async def check() -> None:
        async with python.neighbour():
            text = await python.send(kind, {"door": door, "value": value})
            assert not any(sign in text for sign in NO_ANSWERS) or is_raw(door, text)

    python.loop.run_until_complete(check())


@pytest.fixture
def python(deployed: Deployed) -> Deployed:
    if deployed.language != "python":
        pytest.skip("the functions of the other language take named contents")
    return deployed


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("content", ["half", "nan"])
async def test_what_an_exception_says_of_itself_counts_as_its_functions_time(
    python: Deployed, content: str
) -> None:
    async with python.neighbour():
        text = await python.send("query", {"door": "slow", "content": content})
        assert "timed out" in text


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "door", ["value", "error", "data", "log", "insert", "argument", "filter", "table", "id"]
)
async def test_texts_of_many_megabytes_are_refused_and_harm_nobody(python: Deployed, door: str) -> None:
    for kind, megabytes in (("large", 34), ("large", 50), ("large_action", 50)):
        async with python.neighbour():
            answer = await python.call(
                "action" if kind == "large_action" else "query",
                f"functions:{kind}",
                {"door": door, "megabytes": megabytes},
            )
        text = answer.get("errorMessage", "")
        assert not any(sign in text for sign in NO_ANSWERS)
        assert (answer["status"] == "success") is (door == "log"), text


@pytest.mark.asyncio(loop_scope="module")
async def test_actions_that_fail_with_what_cannot_be_written_leave_their_places(python: Deployed) -> None:
    given = {"door": "error", "content": "half"}
    for _ in range(3):
        answers = await asyncio.gather(*(python.send("action", given) for _ in range(40)))
        assert all("Uncaught Exception: \ufffd" in text for text in answers)


LIVE = {
    "python": {"half": ("value", "half"), "data": ("data", "long"), "thrown": ("unreadable", "half")},
    "typescript": {"half": ("value", "half"), "data": ("data", "long"), "thrown": ("unreadable", "half")},
}


@pytest.mark.asyncio(loop_scope="module")
async def test_a_live_query_that_fails_so_leaves_its_socket_and_the_others_alone(deployed: Deployed) -> None:
    async with deployed.client.ws_connect(deployed.url.replace("http", "ws") + "/api/1.48.0/sync") as socket:
        queries = [{"path": "functions:fine", "args": {}}]
        for door, content in LIVE[deployed.language].values():
            queries.append({"path": "functions:query", "args": {"door": door, "content": content}})
        adds = [
            {"type": "Add", "queryId": id, "udfPath": query["path"], "args": [query["args"]]}
            for id, query in enumerate(queries)
        ]
        modify = {"type": "ModifyQuerySet", "baseVersion": 0, "newVersion": 1, "modifications": adds}
        await socket.send_str(json.dumps(modify))
        mutation = {"door": "data", "content": "long"}
        call = {"type": "Mutation", "requestId": 0, "udfPath": "functions:mutation", "args": [mutation]}
        await socket.send_str(json.dumps(call))
        changes: dict[int, Any] = {}
        response = None
        while len(changes) < len(queries) or response is None:
            message = json.loads(await socket.receive_str(timeout=PATIENCE))
            if message["type"] == "MutationResponse":
                response = message
            for change in message.get("modifications", ()):
                changes[change["queryId"]] = change
        assert changes.pop(0)["value"] == "fine"
        assert {change["type"] for change in changes.values()} == {"QueryFailed"}
        assert not any("errorData" in change for change in changes.values())
        assert response["success"] is False


@pytest.mark.asyncio(loop_scope="module")
async def test_a_scheduled_mutation_that_fails_so_ends_as_failed(deployed: Deployed) -> None:
    backend = deployed.backend
    given = {"path": "functions:mutation", "args": {"door": "value", "content": "half"}}
    if deployed.language == "typescript":
        pytest.skip("its functions schedule a function that is not there")
    result = await backend.mutation(client_call("functions:later", given, NO_IDENTITY))
    assert result.error is None, result.error
    async with asyncio.timeout(PATIENCE):
        jobs = client_call("functions:jobs", {}, NO_IDENTITY)
        while (state := (await backend.query(jobs)).value) == ["pending"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert state == ["failed"]
