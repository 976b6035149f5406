"""Every setting changes what it is about, and not only what is parsed.

Most are changed here; for the others `ELSEWHERE` names the test that does it. A setting that no test changes
fails `test_every_setting_is_changed_by_some_test`.
"""

from __future__ import annotations

import ast
import asyncio
import dataclasses
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from client_calls import client_call
from database.stores import Clock
from functions.engine import ScriptedRun, ScriptedWorld, running
from functions.pool_hosts import Hosts, request, settled
from parabola.backend import Backend, BackendConfig
from parabola.cli.options.server_options import DEFAULTS
from parabola.database.database import Database
from parabola.database.settings import DatabaseSettings
from parabola.database.store.sqlite import SqlitePersistence
from parabola.database.upkeep import inspection
from parabola.functions.deployed.deployment import Deployment, Module
from parabola.functions.deployed.function_path import parse_path
from parabola.functions.deployed.identity import NO_IDENTITY
from parabola.functions.outcomes.execution_history import LogSearch
from parabola.functions.outcomes.execution_log import ExecutionEntry
from parabola.functions.outcomes.failures import FunctionFailure
from parabola.functions.outcomes.results import FunctionResult
from parabola.functions.processes.host_bundle import HostBundle, HostCommand
from parabola.functions.processes.host_failures import LoadFailure
from parabola.functions.processes.host_set import HostConfig, HostSet
from parabola.functions.settings import FunctionSettings
from parabola.host_programs import isolate_command, python_command
from parabola.server.app import Server
from parabola.server.http.rules import ServerRules
from parabola.server.sync.live_queries import LiveQueries
from parabola.server.sync.mutation_line import MAX_RUNNING
from parabola.server.sync.session import SyncSession
from parabola.services.deploys.node_packages import NodePackages
from parabola.services.deploys.push import Push
from parabola.services.files.upload_tokens import UploadTokens
from parabola.services.jobs.cron_jobs import job_logs, log_run
from parabola.services.settings import ServiceSettings
from parabola.testing.in_process_host import InProcessHosts
from parabola.values.errors import (
    BadRequest,
    OutOfRetention,
    Overloaded,
    ParabolaError,
    RateLimited,
    Unauthenticated,
)
from parabola.values.limits import MIB
from server.fake_backend import Context, FakeBackend
from server.session_driver import Driver
from services.archive_driver import opened

TESTS = Path(__file__).parent
Changed = dict[str, Callable[..., Any]]
CHANGED: Changed = {}


def changes(*settings: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Notes which settings, such as `functions.hosts`, a test changes to see something else happen."""

    def note(test: Callable[..., Any]) -> Callable[..., Any]:
        CHANGED.update(dict.fromkeys(settings, test))
        return test

    return note


ELSEWHERE = {
    "services.backup_to": ("services/backups/test_kept_backups.py", "backup_to=str("),
    "services.backup_times": ("services/backups/test_kept_backups.py", 'backup_times="6h"'),
    "services.backup_days": ("services/backups/test_kept_backups.py", "backup_days=3"),
    "services.backup_weeks": ("services/backups/test_kept_backups.py", "backup_weeks=0"),
    "services.backup_without_log": ("services/backups/test_kept_backups.py", "backup_without_log=True"),
    "functions.system_seconds": ("functions/calls/test_deadlines.py", "system_seconds=0.05"),
    "functions.action_seconds": ("functions/calls/test_actions.py", "action_seconds=0.05"),
    "functions.node_action_seconds": ("functions/calls/test_actions.py", "node_action_seconds=300"),
    "functions.import_seconds": ("functions/processes/test_host_process.py", "import_seconds=0.1"),
    "functions.actions_at_once": ("services/jobs/test_scheduler.py", "actions_at_once=2"),
    "services.mutation_results_seconds": (
        "services/test_session_results.py",
        "_results_seconds=days",
    ),
    "services.unchanged_results_seconds": (
        "services/test_session_results.py",
        "_results_seconds=hours",
    ),
    "services.open_telemetry": ("services/observability/test_open_telemetry.py", "open_telemetry=True"),
    "services.event_files": ("services/log_streams/test_log_streams.py", "event_files=elsewhere"),
    "services.audit_lines_seconds": ("services/test_audit_retention.py", "audit_lines_seconds=days"),
    "services.exports_seconds": ("services/archives/test_exports.py", "exports_seconds=0"),
    "services.imports_seconds": ("services/imports/test_import_restart.py", "imports_seconds=0"),
    "services.max_file_bytes": ("test_upload_limits.py", "max_file_bytes=100_000"),
    "services.min_free_bytes": ("test_upload_limits.py", "min_free_bytes=280"),
    "server.request_memory": ("server/test_giving_way.py", "request_memory=1024"),
    "server.header_seconds": ("server/http/test_deadlines.py", "header_seconds=0.3"),
    "server.body_seconds": ("server/http/test_deadlines.py", "body_seconds=1.0"),
    "server.body_rate": ("server/http/test_deadlines.py", "body_rate=1000"),
    "server.uploads_per_token": ("test_upload_limits.py", "uploads_per_token=2"),
    "server.waiting_uploads": ("test_upload_limits.py", "waiting_uploads=1"),
    "server.stall_seconds": ("test_http_streams.py", "stall_seconds=0.2"),
    "server.open_metrics": ("server/api/observation/test_metrics_api.py", "open_metrics=True"),
    "server.silence_seconds": ("server/sync/test_sync_socket.py", "silence_seconds=0.05"),
}


def test_every_setting_is_changed_by_some_test() -> None:
    all_settings = {
        f"{floor}.{field.name}"
        for floor in ("database", "functions", "services", "server")
        for field in dataclasses.fields(getattr(DEFAULTS, floor))
    }
    assert sorted([*CHANGED, *ELSEWHERE]) == sorted(all_settings)


@pytest.mark.parametrize("setting", ELSEWHERE)
def test_the_test_that_changes_a_setting_is_there(setting: str) -> None:
    file, how = ELSEWHERE[setting]
    text = (TESTS / file).read_text()
    assert how in text
    ast.parse(text)


# The database


async def keep(database: Database, texts: list[str]) -> list[str]:
    tx = database.begin(writable=True)
    ids = [await tx.insert("t", {"text": text}) for text in texts]
    await database.commit(tx)
    return ids


@changes("database.document_cache_bytes")
@pytest.mark.parametrize(("size", "kept"), [(MIB, False), (64 * MIB, True)])
async def test_documents_read_lately_take_so_much(tmp_path: Path, size: int, kept: bool) -> None:
    store = SqlitePersistence.open(tmp_path, DatabaseSettings(document_cache_bytes=size))
    database = await Database.open(store)
    ids = await keep(database, ["x" * 5000] * 200)
    for id in ids:
        await database.begin().get(id)
    in_memory = len(store._cache._young) + len(store._cache._old)
    assert (in_memory >= 200) == kept
    await database.close()


@changes("database.page_cache_bytes")
async def test_pages_read_lately_take_so_much(tmp_path: Path) -> None:
    store = SqlitePersistence.open(tmp_path, DatabaseSettings(page_cache_bytes=3 * MIB))
    assert store._db.execute("PRAGMA cache_size").fetchone() == (-3 * 1024,)
    await store.close()


@changes("database.recent_commits_bytes")
@pytest.mark.parametrize(("size", "is_known"), [(2000, False), (MIB, True)])
async def test_a_transaction_is_checked_against_so_many_commits(
    tmp_path: Path, size: int, is_known: bool
) -> None:
    database = await Database.open(
        SqlitePersistence.open(tmp_path), settings=DatabaseSettings(recent_commits_bytes=size)
    )
    (id,) = await keep(database, ["mine"])
    tx = database.begin(writable=True)
    assert await tx.get(id) is not None
    await tx.patch(id, {"text": "changed"})
    for _ in range(10):
        await keep(database, ["other"])
    if is_known:
        await database.commit(tx)
    else:
        with pytest.raises((OutOfRetention, ParabolaError)):
            await database.commit(tx)
    await database.close()


@changes("database.history_seconds")
@pytest.mark.parametrize(("seconds", "is_there"), [(600.0, False), (7200.0, True)])
async def test_what_is_overwritten_stays_for_so_long(tmp_path: Path, seconds: float, is_there: bool) -> None:
    clock = Clock()
    database = await Database.open(
        SqlitePersistence.open(tmp_path),
        clock=clock,
        counter=clock.count,
        settings=DatabaseSettings(history_seconds=seconds),
    )
    await keep(database, ["old"])
    then = database.durable_ts
    for _ in range(60):
        clock.advance(60)
        await keep(database, ["time passes"])
        await database.vacuum()
    assert (database.oldest_document_ts <= then) == is_there
    await database.close()


@changes("database.inspection_seconds")
async def test_everything_stored_is_compared_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "FIRST_SECONDS", 0.0)
    store, passes = SqlitePersistence.open(tmp_path), asyncio.Semaphore(0)
    inspect = store.inspect

    async def counted(*args: Any) -> None:
        passes.release()
        await inspect(*args)

    monkeypatch.setattr(store, "inspect", counted)
    database = await Database.open(store, settings=DatabaseSettings(inspection_seconds=0.01))
    async with asyncio.timeout(30):
        for _ in range(3):
            await passes.acquire()
    await database.close()


# Functions


def waiting_world() -> tuple[ScriptedWorld, asyncio.Event]:
    world, go_on = ScriptedWorld(), asyncio.Event()

    @world.query("f:waits")
    async def waits(run: ScriptedRun, args: dict) -> float:
        await go_on.wait()
        return args.get("n", 0.0)

    @world.action("f:acts")
    async def acts(run: ScriptedRun, args: dict) -> None:
        await go_on.wait()

    return world, go_on


@changes("functions.calls_per_host", "functions.call_wait_seconds")
async def test_calls_of_a_host_and_how_long_others_wait(tmp_path: Path) -> None:
    world, go_on = waiting_world()
    settings = FunctionSettings(calls_per_host=2, call_wait_seconds=0.05)
    async with running(tmp_path, world, settings=settings) as engine:
        running_two = [asyncio.create_task(engine.query("f:waits", {"n": float(n)})) for n in range(2)]
        await settled(lambda: len(world.runs) == 2)
        with pytest.raises(Overloaded, match=r"No host became free within 0\.05 seconds"):
            await engine.query("f:waits", {"n": 2.0})
        go_on.set()
        assert [result.value for result in await asyncio.gather(*running_two)] == [0.0, 1.0]


@changes("functions.action_wait_seconds")
async def test_how_long_an_action_waits_for_others(tmp_path: Path) -> None:
    world, go_on = waiting_world()
    settings = FunctionSettings(actions_at_once=1, action_wait_seconds=0.05)
    async with running(tmp_path, world, settings=settings) as engine:
        first = asyncio.create_task(engine.action("f:acts"))
        await settled(lambda: len(world.runs) == 1)
        with pytest.raises(RateLimited, match="limited to 1 concurrent actions"):
            await engine.action("f:acts")
        go_on.set()
        await first


class CountedConfig(HostConfig):
    """Makes hosts that do nothing, and counts them by what they are for."""

    def spawner(self, environment: Any, bundle: HostBundle) -> Any:
        made = MADE

        class Spawner:
            async def spawn(self, purpose: str) -> Any:
                return await made[purpose].spawn()

            async def analyst(self) -> None: ...

            async def close(self) -> None: ...

        return Spawner()


MADE: dict[str, Hosts] = {}
DEPLOYED = Deployment({"m.py": Module("m.py", "python", "")})


@changes(
    "functions.hosts",
    "functions.least_hosts",
    "functions.spare_action_hosts",
    "functions.action_idle_seconds",
)
async def test_how_many_processes_there_are() -> None:
    MADE.update(deterministic=Hosts(), action=Hosts())
    settings = FunctionSettings(hosts=3, least_hosts=2, spare_action_hosts=2, action_idle_seconds=0.05)
    hosts = HostSet(CountedConfig(settings=settings), DEPLOYED, {})
    await hosts.start()
    await settled(lambda: len(MADE["deterministic"].made) == 2)
    for _ in range(20):
        await hosts.run("python", request())
    await settled(lambda: len(MADE["deterministic"].made) == 3)
    for _ in range(20):
        await hosts.run("python", request())
    assert len(MADE["deterministic"].made) == 3
    actions = hosts._hosts_of["python"].actions
    await actions.start()
    assert len(MADE["action"].made) == 2
    assert actions._idle_seconds == 0.05  # type: ignore[attr-defined]
    await hosts.close()


@changes("functions.spare_hosts")
@pytest.mark.parametrize("spares", [0, 1])
async def test_one_that_stands_by(spares: int) -> None:
    MADE.update(deterministic=Hosts(), action=Hosts())
    hosts = HostSet(CountedConfig(settings=FunctionSettings(hosts=1, spare_hosts=spares)), DEPLOYED, {})
    await hosts.start()
    pool: Any = hosts._hosts_of["python"].deterministic
    pool._need_spare()
    await asyncio.gather(*pool._tasks._tasks)
    assert len(MADE["deterministic"].made) == 1 + spares
    await hosts.close()


@changes("functions.host_memory_bytes")
async def test_the_memory_of_a_process() -> None:
    asked: list[int] = []

    def command(purpose: str, memory: int) -> HostCommand:
        asked.append(memory)
        raise LoadFailure("as far as it goes")

    settings = FunctionSettings(host_memory_bytes=300 * MIB)
    config = HostConfig(commands={"python": command}, settings=settings)
    with pytest.raises(LoadFailure, match="as far as it goes"):
        await HostSet(config, DEPLOYED, {}).start()
    assert asked == [300 * MIB]
    assert python_command("action", 300 * MIB).memory_bytes == 300 * MIB
    node = isolate_command("action", 300 * MIB)
    assert (node.memory_bytes, node.heap_bytes) == (300 * MIB, 150 * MIB)
    assert "--max-old-space-size=150" in node.argv
    assert HostBundle.of(DEPLOYED, "python", {}, None, settings).limits.shared_memory == 150 * MIB


@changes("functions.drain_seconds")
async def test_how_long_calls_go_on_with_functions_that_were_replaced(tmp_path: Path) -> None:
    world, go_on = waiting_world()
    async with running(tmp_path, world, settings=FunctionSettings(drain_seconds=0.05)) as engine:
        call = asyncio.create_task(engine.query("f:waits"))
        await settled(lambda: len(world.runs) == 1)
        await engine.deploy()
        await settled(lambda: len(world.runs) == 2)  # it is run again, by the new hosts
        go_on.set()
        assert (await call).value == 0.0


@changes("functions.query_cache_bytes")
@pytest.mark.parametrize(("size", "executions"), [(0, 2), (MIB, 1)])
async def test_results_that_nobody_watches_take_so_much(tmp_path: Path, size: int, executions: int) -> None:
    world, go_on = waiting_world()
    go_on.set()
    async with running(tmp_path, world, settings=FunctionSettings(query_cache_bytes=size)) as engine:
        for _ in range(2):
            await engine.query("f:waits")
        assert engine.runner.query_cache.executions == executions


@changes("functions.log_entries")
async def test_so_many_executions_can_be_read_in_the_log(tmp_path: Path) -> None:
    world, go_on = waiting_world()
    go_on.set()
    async with running(tmp_path, world, settings=FunctionSettings(log_entries=3)) as engine:
        for n in range(5):
            await engine.query("f:waits", {"n": float(n)})
        assert len(engine.runner.log.after(0.0)) == 3


@changes("functions.log_history_bytes")
@pytest.mark.parametrize("most", [FunctionSettings.log_history_bytes, 0])
async def test_whether_the_log_outlives_the_server(tmp_path: Path, most: int) -> None:
    config = BackendConfig(
        data_dir=tmp_path,
        functions=FunctionSettings(log_history_bytes=most),
        hosts=HostConfig(in_process=InProcessHosts(tmp_path)),
    )
    backend = await Backend.open(config)
    failed = ExecutionEntry("Completion", "Query", "m:f", 1.0, (), "r", "1", error=FunctionFailure("no"))
    backend.log.append(failed)
    await backend.close()
    backend = await Backend.open(config)
    found = await backend.search_log(LogSearch(request_id="r"))
    assert [entry["error"] for entry in found] == (["no\n"] if most else [])
    assert len(backend.log.after(0)) == len(found)
    await backend.close()


PYTHON = """
from parabola import QueryCtx, query


@query
def spin(ctx: QueryCtx) -> None:
    while True:
        pass
"""
JAVASCRIPT = """
export const spin = () => {};
Object.assign(spin, { isQuery: true, isPublic: true, invokeQuery: async () => { for (;;); } });
"""


@changes("functions.user_seconds")
async def test_the_time_of_a_function_in_every_language(tmp_path: Path) -> None:
    settings = FunctionSettings(user_seconds=0.2, hosts=1, spare_hosts=0)
    backend = await Backend.open(BackendConfig(tmp_path, functions=settings))
    try:
        await backend.deploy(Push("python", (Module("p.py", "python", PYTHON),)))
        await backend.deploy(Push("typescript", (Module("j.js", "isolate", JAVASCRIPT),)))
        for name in ("p:spin", "j:spin"):
            result = await backend.query(client_call(name, {}))
            assert result.error is not None
            assert result.error.message == "Function execution timed out (maximum duration: 0.2s)"
    finally:
        await backend.close()


# Services


@changes(
    "services.scheduled_mutations_at_once",
    "services.crons_at_once",
    "services.finished_jobs_seconds",
    "services.cron_runs_kept",
)
async def test_jobs(tmp_path: Path) -> None:
    settings = ServiceSettings(
        scheduled_mutations_at_once=3, crons_at_once=2, finished_jobs_seconds=60.0, cron_runs_kept=2
    )
    async with opened(tmp_path, settings) as backend:
        mutations, _ = backend.scheduler._loops
        assert (mutations._concurrency, backend.crons._loop._concurrency) == (3, 2)
        assert backend.scheduler._settings.finished_jobs_seconds == 60.0
        assert backend.crons._kept == 2
        job: Any = SimpleNamespace(name="often", path="work:tick", args=[{}])
        for n in range(4):
            tx = backend.database.begin(writable=True)
            await log_run(tx, job, f"run {n}", 0.0, backend.crons._kept, backend.now_ts())
            await backend.database.commit(tx)
        rows = await job_logs(backend.database.begin(), "often")
        assert [row.value["status"]["error"] for row in rows] == ["run 2", "run 3"]


@changes("services.upload_url_seconds")
def test_how_long_an_upload_url_is_good() -> None:
    now = [1000.0]
    tokens = UploadTokens("name", b"s" * 32, lambda: now[0], lifetime=10.0)
    token = tokens.issue()
    now[0] += 10
    tokens.check(token)
    now[0] += 1
    with pytest.raises(Unauthenticated, match="expired"):
        tokens.check(token)


@changes("services.npm_install_seconds")
async def test_how_long_npm_may_take(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    npm = tmp_path / "bin" / "npm"
    npm.write_text("#!/bin/sh\nexec sleep 60\n")
    npm.chmod(0o755)
    packages = NodePackages(tmp_path / "packages", lambda: tmp_path / "bin" / "node", 0.05)
    with pytest.raises(BadRequest, match=r"npm was not done after 0\.05 seconds"):
        await packages.install([("left-pad", "1.0.0")])


async def test_services_are_handed_their_settings(tmp_path: Path) -> None:
    settings = ServiceSettings(upload_url_seconds=7.0, npm_install_seconds=8.0)
    async with opened(tmp_path, settings) as backend:
        assert backend.files._tokens._lifetime == 7.0
        assert backend.deploys._node_packages._install_seconds == 8.0


# The server


@changes("server.waiting_mutations", "server.running_actions")
def test_what_one_client_may_have_under_way() -> None:
    for ask, setting, most in (
        ("mutate", {"waiting_mutations": 2}, MAX_RUNNING + 2),
        ("act", {"running_actions": 3}, 3),
    ):
        driver = Driver()
        driver.session = SyncSession(**setting)
        driver.connect()
        for n in range(most):
            getattr(driver, ask)(n)
        assert driver.closed is None
        getattr(driver, ask)(most)
        assert driver.closed is not None


class Gated:
    """A live query that waits, and notes how many wait with it."""

    waiting = most = 0

    def known_at(self, ts: int) -> None:
        return None

    async def result_at(self, ts: int) -> FunctionResult:
        Gated.waiting += 1
        Gated.most = max(Gated.most, Gated.waiting)
        await asyncio.sleep(0)
        Gated.waiting -= 1
        return FunctionResult(value_json=b"null", ts=ts)

    def close(self) -> None: ...


@changes("server.queries_per_client")
@pytest.mark.parametrize("at_once", [1, 4])
async def test_queries_of_one_client_at_a_time(at_once: int) -> None:
    Gated.most = 0
    reported = asyncio.Event()
    tasks: list[Any] = []
    queries = LiveQueries(
        SimpleNamespace(live_query=lambda *args, **options: Gated()),  # type: ignore[arg-type]
        lambda work: tasks.append(asyncio.ensure_future(work)),
        lambda query_id: None,
        lambda outcomes: reported.set(),
        lambda query, told: None,
        at_once,
    )
    held: list[Any] = [
        SimpleNamespace(
            query_id=n, name=parse_path("m:f"), args={}, journal=None, component="", used_identity=False
        )
        for n in range(9)
    ]
    effect: Any = SimpleNamespace(queries=held, dropped=(), identity=NO_IDENTITY, ts=1)
    queries.evaluate(effect)
    await reported.wait()
    assert Gated.most == at_once


@changes("server.shutdown_seconds")
async def test_how_long_a_server_that_ends_waits(tmp_path: Path) -> None:
    backend, began, ended = FakeBackend(), asyncio.Event(), asyncio.Event()

    async def never(context: Context, args: object) -> None:
        began.set()
        try:
            await asyncio.Future()
        finally:
            ended.set()

    backend.actions["m:never"] = never
    server = Server(backend, port=0, site_port=None, rules=ServerRules(shutdown_seconds=0.05))
    await server.start()
    body = {"path": "m:never", "args": {}, "format": "json"}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as http:
        asking = asyncio.create_task(http.post("/api/action", json=body))
        await began.wait()
        async with asyncio.timeout(4):  # less than it is by default
            await server.stop()
        assert ended.is_set()
        assert (await asking).status == 503
