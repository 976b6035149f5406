"""The endpoints of pushes, on a real backend: what is wrong with a push never touches what is served."""

from __future__ import annotations

import asyncio
import gzip
import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from parabola.backend import Backend, BackendConfig
from parabola.functions.processes.host_connection import HostConnection
from parabola.functions.processes.host_process import HostProcess
from parabola.functions.settings import FunctionSettings
from parabola.server.app import Server
from parabola.services.sign_in.admin_keys import make_admin_key

SECRET = "cd" * 32
KEY = make_admin_key("happy-animal", SECRET)


def query(result: str, args: str = '{"type":"any"}') -> str:
    """A module with a query `one`, as the official library and bundler make it, in the fewest words."""
    return f"""const one = () => {{}};
one.isQuery = true;
one.isPublic = true;
one.exportArgs = () => {json.dumps(args)};
one.exportReturns = () => "null";
one.invokeQuery = async () => JSON.stringify({result});
export {{ one }};
"""


def module(path: str, source: str) -> dict[str, Any]:
    """A module as it is sent; `"use node"` says where it runs."""
    environment = "node" if source.startswith('"use node"') else "isolate"
    return {"path": path, "source": source, "environment": environment}


def config(path: str, kind: str, *children: tuple[str, str]) -> dict[str, Any]:
    """A `convex.config.js` of the given type that uses `children`: pairs of name and definition path."""
    imports, used = "", []
    for number, (name, child) in enumerate(children):
        encoded = urlsafe_b64encode(child.encode()).decode().rstrip("=")
        imports += f'import c{number} from "./_componentDeps/{encoded}";'
        used.append(f"{{ name: {json.dumps(name)}, path: c{number}.componentDefinitionPath }}")
    body = (
        f"{{ definitionType: {kind}, childComponents: [{', '.join(used)}], httpMounts: {{}}, "
        "exports: { type: 'branch', branch: [] } }"
    )
    return module(path, f"{imports} export default {{ export: () => ({body}) }};")


EMPTY_APP = config("convex.config.js", "{ type: 'app' }")


def push_of(sources: dict[str, str], schema: str | None = None, **more: Any) -> dict[str, Any]:
    """The request of a push (deploy-api 6.3)."""
    return {
        "adminKey": KEY,
        "dryRun": False,
        "functions": "convex/",
        "appDefinition": {
            "definition": EMPTY_APP,
            "dependencies": [],
            "schema": None if schema is None else module("schema.js", schema),
            "changedModules": [module(path, source) for path, source in sources.items()],
            "unchangedModuleHashes": [],
            "udfServerVersion": "1.48.0",
        },
        "componentDefinitions": [],
        "nodeDependencies": [],
        "forCodegen": False,
        **more,
    }


class Pusher:
    """Calls the endpoints as the command line does."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.http = http

    async def post(self, path: str, body: Any, status: int = 200) -> Any:
        async with self.http.post(path, json=body) as response:
            answer = await response.json()
            assert response.status == status, answer
            return answer

    async def start(self, sources: dict[str, str], status: int = 200, **more: Any) -> Any:
        return await self.post("/api/deploy2/start_push", push_of(sources, **more), status)

    async def finish(self, started: Any, status: int = 200) -> Any:
        body = {"adminKey": KEY, "startPush": started, "dryRun": False, "message": None}
        return await self.post("/api/deploy2/finish_push", body, status)

    async def push(self, sources: dict[str, str]) -> None:
        await self.finish(await self.start(sources))

    async def one(self) -> Any:
        """The value of the query that is served."""
        body = {"path": "served:one", "args": {}, "format": "json"}
        return (await self.post("/api/query", body))["value"]


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    config = BackendConfig(
        data_dir=tmp_path,
        instance_name="happy-animal",
        instance_secret=SECRET,
        functions=FunctionSettings(hosts=1, import_seconds=10.0),
    )
    backend = await Backend.open(config)
    yield backend
    await backend.close()


@pytest.fixture
async def server(backend: Backend) -> AsyncIterator[Server]:
    server = Server(backend, port=0, site_port=None)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def pusher(server: Server) -> AsyncIterator[Pusher]:
    headers = {"Authorization": f"Convex {KEY}"}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}", headers=headers) as http:
        yield Pusher(http)


async def test_whoever_waits_for_news_is_answered_when_the_server_stops(
    backend: Backend, server: Server, pusher: Pusher, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pusher.http.get("/api/stream_function_logs?cursor=0") as response:
        cursor = (await response.json())["newCursor"]
    began = asyncio.Event()
    wait_after = backend.log.wait_after

    async def wait(after: float, seconds: float) -> Any:
        began.set()
        return await wait_after(after, seconds)

    monkeypatch.setattr(backend.log, "wait_after", wait)
    waiting = asyncio.create_task(pusher.http.get(f"/api/stream_function_logs?cursor={cursor}"))
    await began.wait()
    await server.stop()
    async with await waiting as response:
        assert await response.json() == {"entries": [], "newCursor": cursor}


async def test_components_are_analysed_and_mounted(backend: Backend, pusher: Pusher) -> None:
    await pusher.push({"served.js": query("1")})
    push = push_of({"served.js": query("2")})
    push["appDefinition"]["definition"] = config(
        "convex.config.js", "{ type: 'app' }", ("first", "counter"), ("second", "counter")
    )
    schema = {
        "tables": [{"tableName": "counts", "indexes": [], "documentType": None}],
        "schemaValidation": True,
    }
    push["componentDefinitions"] = [
        {
            "definitionPath": "counter",
            "definition": config("convex.config.js", "{ type: 'childComponent', name: 'counter', args: [] }"),
            "dependencies": [],
            "schema": module(
                "schema.js", f"export default {{ export: () => {json.dumps(json.dumps(schema))} }};"
            ),
            "functions": [module("public/counts.js", query("0"))],
            "udfServerVersion": "1.48.0",
        }
    ]
    started = await pusher.post("/api/deploy2/start_push", push)
    counter = started["analysis"]["counter"]
    assert started["analysis"].keys() == {"", "counter"}
    assert counter["definition"]["exports"]["branch"] == [
        [
            "public",
            {
                "type": "branch",
                "branch": [
                    [
                        "counts",
                        {
                            "type": "branch",
                            "branch": [
                                ["one", {"type": "leaf", "leaf": "_reference/function/public/counts.js:one"}]
                            ],
                        },
                    ]
                ],
            },
        ]
    ]
    assert [table["tableName"] for table in counter["schema"]["tables"]] == ["counts"]
    assert [each["name"] for each in counter["functions"]["public/counts.js"]["functions"]] == ["one"]
    children = started["app"]["childComponents"]
    assert {name: child["componentPath"] for name, child in children.items()} == {
        "first": "first",
        "second": "second",
    }
    change = {"adminKey": KEY, "schemaChange": started["schemaChange"], "timeoutMs": 1000, "dryRun": False}
    allocated = started["schemaChange"]["allocatedComponentIds"]
    assert allocated.keys() == {"first", "second"}
    assert started["schemaChange"]["indexDiffs"].keys() == {"", "first", "second"}
    progress = await pusher.post("/api/deploy2/wait_for_schema", change)
    assert progress == {"type": "complete"}
    finished = await pusher.finish(started)
    assert {path: each["diffType"]["type"] for path, each in finished["componentDiffs"].items()} == {
        "": "modify",
        "first": "create",
        "second": "create",
    }
    assert await pusher.one() == 2
    for component_id in allocated.values():
        assert backend.database.registry.table("counts", component_id) is not None
    evaluated = await pusher.post("/api/deploy2/evaluate_schema", push)
    assert evaluated["newComponentDefinitions"] == ["counter"]
    component = push["componentDefinitions"][0]
    nameless = {**push, "componentDefinitions": [{**component, "definitionPath": ""}]}
    await pusher.post("/api/deploy2/evaluate_push", nameless, status=400)
    component["functions"] = [module("lib.js", "throw new Error('not yet');")]
    refused = await pusher.post("/api/deploy2/evaluate_push", push, status=400)
    text = "In the component counter: Failed to analyze lib.js: Uncaught Error: not yet"
    assert text in refused["message"]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The modules that hosts are asked about, as the test goes on."""
    paths: list[str] = []
    analyze = HostConnection.analyze

    async def recorded(self: HostConnection, phase: str, **fields: Any) -> Any:
        paths.extend(fields.get("paths", ()))
        return await analyze(self, phase, **fields)

    monkeypatch.setattr(HostConnection, "analyze", recorded)
    return paths


async def test_what_a_host_makes_up_fails_the_push_and_nothing_else(
    pusher: Pusher, monkeypatch: pytest.MonkeyPatch
) -> None:
    await pusher.finish(await pusher.start({"served.js": query("1")}))
    analyze = HostConnection.analyze

    async def lying(self: HostConnection, phase: str, **fields: Any) -> Any:
        result = await analyze(self, phase, **fields)
        return {**result, "modules": {path: {"functions": [{"name": 7}]} for path in result["modules"]}}

    with monkeypatch.context() as hostile:
        hostile.setattr(HostConnection, "analyze", lying)
        refused = await pusher.start({"served.js": query("2")}, status=400)
    assert refused["code"] == "InvalidModules"
    assert "Failed to analyze served.js: " in refused["message"]
    assert "`$.functions[0].name`" in refused["message"]
    assert await pusher.one() == 1


async def test_a_push_analyses_what_has_changed(pusher: Pusher, asked: list[str]) -> None:
    sources = {
        "_deps/SHARED.js": "export const shared = 1;",
        "imports.js": f'import {{ shared }} from "./_deps/SHARED.js"; {query("shared")}',
        "reads.js": f"const setting = process.env.SETTING; {query('setting')}",
        "served.js": query("1"),
        "timed.js": f"const began = Date.now(); {query('began')}",
    }
    started = await pusher.start(sources)
    first = started["analysis"][""]["functions"]
    await pusher.finish(started)
    assert sorted(asked) == ["imports.js", "reads.js", "served.js", "timed.js"]
    asked.clear()
    started = await pusher.start(sources)
    assert started["analysis"][""]["functions"] == first
    await pusher.finish(started)
    assert asked == ["timed.js"]
    asked.clear()
    await pusher.start({**sources, "_deps/SHARED.js": "export const shared = 2;"})
    assert asked == ["imports.js", "timed.js"]
    asked.clear()
    changes = {"changes": [{"name": "SETTING", "value": "on"}]}
    async with pusher.http.post("/api/update_environment_variables", json=changes) as response:
        assert response.status == 200
    await pusher.start({**sources, "served.js": query("2")})
    assert asked == ["imports.js", "reads.js", "served.js", "timed.js"]


async def test_what_a_failed_push_has_found_is_not_asked_again(pusher: Pusher, asked: list[str]) -> None:
    sources = {f"part{number:02}.js": query(str(number)) for number in range(16)}
    await pusher.start({**sources, "throws.js": "throw new Error('on purpose');"}, status=400)
    asked.clear()
    await pusher.start(sources)
    assert asked == []


async def test_a_push_starts_no_host_for_its_components(
    pusher: Pusher, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawned = 0
    spawn = HostProcess.spawn.__func__  # type: ignore[attr-defined]

    async def counted(cls: type[HostProcess], *args: Any, **options: Any) -> HostProcess:
        nonlocal spawned
        spawned += 1
        host: HostProcess = await spawn(cls, *args, **options)
        return host

    monkeypatch.setattr(HostProcess, "spawn", classmethod(counted))
    push = push_of({"served.js": query("1")})
    names = [f"part{number}" for number in range(20)]
    push["appDefinition"]["definition"] = config(
        "convex.config.js", "{ type: 'app' }", *((name, name) for name in names)
    )
    push["componentDefinitions"] = [
        {
            "definitionPath": name,
            "definition": config(
                "convex.config.js", f"{{ type: 'childComponent', name: '{name}', args: [] }}"
            ),
            "dependencies": [],
            "schema": None,
            "functions": [module("lib.js", query("0"))],
            "udfServerVersion": "1.48.0",
        }
        for name in names
    ]
    started = await pusher.post("/api/deploy2/start_push", push)
    assert started["analysis"].keys() == {"", *names}
    assert spawned <= 2


async def test_what_is_no_definition_is_refused(pusher: Pusher) -> None:
    push = push_of({"served.js": query("1")})
    other, invalid = "InvalidConvexConfig", "InvalidDefinition"
    for source, code, text in (
        ("export default { export: () => ({}) };", invalid, "convex.config.js does not define an app or a"),
        ("export default 1;", other, "must have exactly one export"),
        ("export default { export() { throw new Error('no'); } };", other, "Uncaught Error: no"),
    ):
        push["appDefinition"]["definition"] = module("convex.config.js", source)
        refused = await pusher.post("/api/deploy2/start_push", push, status=400)
        assert refused["code"] == code
        assert text in refused["message"]


REFUSED = {
    "syntax.js": ("export const x = ;", "syntax.js: Uncaught SyntaxError: Unexpected token ';'"),
    "throws.js": ("throw new Error('on purpose');", "throws.js: Uncaught Error: on purpose"),
    "waits.js": ("await new Promise(() => {});", "Top-level awaits in source files are unsupported"),
    "spins.js": ("while (true) {}", "spins.js: Function execution timed out (maximum duration: 4s)"),
    "wrong.js": (
        query("1", '{"type":"nonsense"}'),
        "Error in args validator of `one`: Unknown validator type",
    ),
    "broken.js": (query("1", "{nope"), "Failed to analyze broken.js: Error in args validator of `one`"),
    "unnamed.js": (query("1", '{"type":"string"}'), "Arguments have names, so they need an object validator"),
    "away.js": ('import "./nowhere.js";', "nowhere.js"),
    "dies.js": ('"use node"; process.kill(process.pid, "SIGKILL");', "importing dies.js (killed by SIGKILL)"),
    "ends.js": ('"use node"; process.exit(3);', "importing ends.js (exit code 3)"),
    "grows.js": (
        "const kept = new Uint8Array(1_200_000_000).fill(1); while (true) {}",
        "The isolate host ended while importing grows.js (it took more than 1 GiB of memory)",
    ),
    "schema.js": ("export default 1;", "must have a default export of a schema"),
    "my-file.js": (query("1"), "'my-file.js' is not a valid module path"),
}


async def test_a_push_that_cannot_be_analysed_is_refused_and_the_old_functions_go_on(pusher: Pusher) -> None:
    await pusher.push({"served.js": query("1")})
    for path, (source, text) in REFUSED.items():
        refused = await pusher.start({"served.js": query("2"), path: source}, status=400)
        assert refused["message"].startswith("Hit an error while pushing:\n")
        assert text in refused["message"]
        assert await pusher.one() == 1
    await pusher.push({"served.js": query("2")})
    assert await pusher.one() == 2


async def test_an_import_that_never_ends_in_nodejs_is_named(pusher: Pusher) -> None:
    await pusher.push({"served.js": query("1")})
    never = '"use node"; await new Promise(() => setInterval(() => {}, 1000));'
    refused = await pusher.start({"served.js": query("2"), "never.js": never}, status=400)
    assert "Importing never.js took longer than 10 seconds" in refused["message"]
    assert await pusher.one() == 1


async def test_a_wrong_key_opens_nothing(pusher: Pusher) -> None:
    await pusher.push({"served.js": query("1")})
    started = await pusher.start({"served.js": query("2")})
    read_only = make_admin_key("happy-animal", SECRET, read_only=True)
    for key, status in (("happy-animal|0123", 401), ("nonsense", 401), ("", 401), (read_only, 403)):
        push = {**push_of({"served.js": query("2")}), "adminKey": key}
        for step in ("start_push", "evaluate_push", "evaluate_schema"):
            await pusher.post(f"/api/deploy2/{step}", push, status)
        body = {"adminKey": key, "startPush": started, "schemaChange": started["schemaChange"]}
        for step in ("finish_push", "wait_for_schema", "report_push_completed"):
            await pusher.post(f"/api/deploy2/{step}", body, status)
        await pusher.post("/api/get_config_hashes", {"adminKey": key}, status)
    assert await pusher.one() == 1


async def test_of_two_pushes_at_once_one_takes_effect_and_the_other_is_told(pusher: Pusher) -> None:
    await pusher.push({"served.js": query("0")})
    first, second = await asyncio.gather(
        pusher.start({"served.js": query("1")}), pusher.start({"served.js": query("2")})
    )
    await pusher.finish(second)
    refused = await pusher.finish(first, status=409)
    assert refused["code"] == "RaceDetected", "by which the command line begins again"
    assert await pusher.one() == 2
    await pusher.finish(second, status=409)


async def test_a_push_that_is_too_large_is_refused(pusher: Pusher, monkeypatch: pytest.MonkeyPatch) -> None:
    await pusher.push({"served.js": query("1")})
    monkeypatch.setattr("parabola.services.deploys.push.MAX_SOURCE_BYTES", 100_000)
    large = f"export const text = {json.dumps('x' * 100_000)};"
    refused = await pusher.start({"served.js": query("2"), "large.js": large}, status=400)
    assert refused["code"] == "ModuleTooLarge"
    assert "large.js is 100,0" in refused["message"]
    # What is small on the wire may be large when it is unpacked.
    monkeypatch.setattr("parabola.server.api.pushes.deploy_api.MAX_BODY_BYTES", 1_000_000)
    packed = gzip.compress(json.dumps(push_of({"large.js": large * 20})).encode())
    assert len(packed) < 100_000
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    async with pusher.http.post("/api/deploy2/start_push", data=b"{}", headers=headers) as response:
        assert (response.status, await response.json()) == (
            400,
            {"code": "BadRequestBody", "message": "The request's body cannot be decoded as gzip"},
        )
    async with pusher.http.post("/api/deploy2/start_push", data=packed, headers=headers) as response:
        assert response.status == 400
        assert "larger than" in (await response.json())["message"]
    assert await pusher.one() == 1
