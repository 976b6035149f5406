"""Backups that a server makes of itself: at their times, when asked, with a log, and what is said of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from backend_nodes import backend_nodes
from parabola.backend import Backend, BackendConfig
from parabola.database.shared_log.memory_log import MemoryLog
from parabola.functions.processes.host_set import HostConfig
from parabola.server.app import create_app
from parabola.services.backups import kept_backups
from parabola.services.backups.backup import find_backups
from parabola.services.backups.backup_times import BackupTimes
from parabola.services.backups.keeping import Keeping
from parabola.services.backups.kept_backups import KeptBackups
from parabola.services.backups.manifest import Manifest, Part
from parabola.services.backups.moment import chosen_moment
from parabola.services.backups.place import DirectoryPlace, shown_place
from parabola.services.backups.restore import restore_backup
from parabola.services.files.file_places import file_store
from parabola.services.settings import ServiceSettings
from parabola.services.sign_in.admin_keys import make_admin_key
from parabola.testing.in_process_host import InProcessHosts
from parabola.values.errors import Conflict, Overloaded
from services.archive_driver import insert, opened, values


@contextlib.asynccontextmanager
async def backed_up(data: Path, to: Path, **settings: Any) -> AsyncIterator[tuple[Backend, KeptBackups]]:
    async with opened(data, ServiceSettings(backup_to=str(to), **settings)) as backend:
        assert backend.backups is not None
        yield backend, backend.backups


async def until(is_so: Callable[[], Any]) -> None:
    """Returns when something is so that tasks of this process bring about."""
    async with asyncio.timeout(30):
        while not is_so():  # noqa: ASYNC110  (nobody tells of it)
            await asyncio.sleep(0.01)


async def test_a_server_backs_itself_up_and_follows_with_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_backups, "PIECE_SECONDS", 0.0)
    data, to = tmp_path / "data", tmp_path / "backups"
    async with backed_up(data, to) as (backend, backups):
        await until(lambda: backups._log is not None and backups._log.chain)
        await insert(backend, "notes", {"text": "a"})
        await until(lambda: backups._log is not None and backups._log.pieces and not backups._lag())
        ts = backend.durable_ts
        await until(lambda: backups._backups)
        state = await backups.state()
        assert state["log"]["isOn"]
        assert state["log"]["reached"] == ts / 1e9
        assert state["times"] == "every day at 03:00 UTC"
        assert [each["hasLog"] for each in state["backups"]] == [True]
        await insert(backend, "notes", {"text": "b"})
    # What was committed last goes with the end of the server.
    place = DirectoryPlace(to)
    await restore_backup(place, await chosen_moment(place, None), tmp_path / "restored")
    async with opened(tmp_path / "restored") as backend:
        assert await values(backend, "notes") == [{"text": "a"}, {"text": "b"}]
    # The next run goes on with the same log.
    async with backed_up(data, to) as (backend, backups):
        await until(lambda: backups._log is not None and backups._log.chain)
        await insert(backend, "notes", {"text": "c"})
        await until(lambda: backups._log is not None and backups._log.pieces)
    assert len(await find_backups(place)) == 1


async def test_a_backup_is_made_when_its_time_has_come(tmp_path: Path) -> None:
    now = [datetime(2026, 5, 4, 2, 0, tzinfo=UTC).timestamp()]
    config = BackendConfig(
        data_dir=tmp_path / "data",
        hosts=HostConfig(in_process=InProcessHosts(tmp_path / "data")),
        services=ServiceSettings(backup_to=str(tmp_path / "backups"), backup_without_log=True),
        clock=lambda: int(now[0] * 1e9),
    )
    backend = await Backend.open(config)
    try:
        backups = backend.backups
        assert backups is not None
        await until(lambda: backups._backups and backups._making is None)
        outline = backups._backups[0]
        made = datetime.fromisoformat(outline.manifest.made_at).timestamp()
        assert backups._next_due() == BackupTimes.read("03:00").due_after(made)
        backups._backups = [outline._replace(manifest=_as_of(outline.manifest, now[0]))]
        assert backups._next_due() == now[0] + 3600
        assert (await backups.state())["log"] == {
            "isOn": False, "reached": None, "lagSeconds": 0.0, "pieces": 0, "bytes": 0, "failed": None
        }  # fmt: skip
    finally:
        await backend.close()


def _as_of(manifest: Manifest, seconds: float) -> Manifest:
    import msgspec

    made_at = datetime.fromtimestamp(seconds, UTC).isoformat()
    return msgspec.structs.replace(manifest, made_at=made_at)


async def test_a_backup_that_fails_is_said_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def refuse(*args: Any, **more: Any) -> Manifest:
        raise Overloaded("The place of the backups cannot be reached.", code="BackupPlaceUnavailable")

    monkeypatch.setattr(kept_backups, "make_backup", refuse)
    async with backed_up(tmp_path / "data", tmp_path / "backups", backup_without_log=True) as (_, backups):
        await until(lambda: backups.failures)
        assert backups.attention()[0]["text"] == (
            "The last backup failed: The place of the backups cannot be reached."
        )
        assert (await backups.state())["failed"]["message"] == "The place of the backups cannot be reached."
        assert backups._next_due() > backups._now()
        monkeypatch.undo()
        await backups.make_now()
        await until(lambda: backups._backups)
        assert backups.attention() == []
    assert "the backup failed: The place of the backups cannot be reached." in caplog.text


async def test_a_log_that_cannot_be_kept_is_said(tmp_path: Path) -> None:
    (tmp_path / "backups").write_text("a file where a directory should be")
    async with backed_up(tmp_path / "data", tmp_path / "backups") as (_, backups):
        await until(lambda: backups._log_failed)
        assert backups.attention()[0]["text"].startswith("Backups are not kept: ")
        assert backups.attention()[0]["page"] == "/backups"


async def test_the_log_goes_on_after_its_place_was_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_backups, "PIECE_SECONDS", 0.0)
    monkeypatch.setattr(kept_backups, "_LEAST_PAUSE", 0.01)
    is_away = False
    put = DirectoryPlace.put

    async def put_unless_away(place: DirectoryPlace, name: str, content: Any) -> None:
        if is_away:
            raise Overloaded("The place is away.", code="BackupPlaceUnavailable")
        await put(place, name, content)

    monkeypatch.setattr(DirectoryPlace, "put", put_unless_away)
    async with backed_up(tmp_path / "data", tmp_path / "backups") as (backend, backups):
        await until(lambda: backups._log is not None and backups._log.chain)
        is_away = True
        await insert(backend, "notes", {"text": "meanwhile"})
        await until(lambda: backups._log_failed)
        assert backups.attention()[0]["text"] == "Backups are not kept: The place is away."
        assert backups._lag() > 0
        assert backend.database.kept_before(backend.durable_ts) < backend.durable_ts
        is_away = False
        await until(lambda: backups._log_failed is None and not backups._lag())
        assert backups.attention() == []
    place = DirectoryPlace(tmp_path / "backups")
    assert len({manifest.chain for manifest in await find_backups(place)}) == 1
    await restore_backup(place, await chosen_moment(place, None), tmp_path / "restored")
    async with opened(tmp_path / "restored") as backend:
        assert await values(backend, "notes") == [{"text": "meanwhile"}]


async def test_of_several_nodes_one_keeps_the_log_and_another_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_backups, "PIECE_SECONDS", 0.0)
    monkeypatch.setattr(kept_backups, "_LOOK_SECONDS", 0.02)
    settings = ServiceSettings(backup_to=str(tmp_path / "backups"))
    place = DirectoryPlace(tmp_path / "backups")
    async with backend_nodes(tmp_path, "a", "b", services=settings) as (a, b):
        first, second = a.backups, b.backups
        assert first is not None
        assert second is not None
        await until(lambda: (first._log or second._log) and (first._log or second._log).chain)
        if second._log is not None:
            (a, first), (b, second) = (b, second), (a, first)
        await insert(b, "notes", {"text": "one"})
        await until(lambda: first._log and first._log.pieces and not first._lag())
        assert second._log is None
        assert (await second.state())["isKeeper"] is False
        log = a.database.shared_log
        assert isinstance(log, MemoryLog)
        other = b.database.shared_log
        assert isinstance(other, MemoryLog)
        log._server.keeper = other
        await until(lambda: first._log is None and second._log is not None and second._log.chain)
        await insert(a, "notes", {"text": "two"})
        await until(lambda: second._log and second._log.pieces and not second._lag())
    assert len({manifest.chain for manifest in await find_backups(place)}) == 1
    await restore_backup(
        place, await chosen_moment(place, None), tmp_path / "alone", partial(file_store, None, tmp_path / "f")
    )
    async with opened(tmp_path / "alone") as backend:
        assert await values(backend, "notes") == [{"text": "one"}, {"text": "two"}]


async def test_what_is_set_is_shown(tmp_path: Path) -> None:
    async with backed_up(
        tmp_path / "data", tmp_path / "backups", backup_times="6h", backup_days=3, backup_weeks=0
    ) as (_, backups):
        state = await backups.state()
        assert (state["times"], state["keep"]) == ("every 6h", {"days": 3, "weeks": 0})


async def test_one_at_a_time(tmp_path: Path) -> None:
    async with backed_up(tmp_path / "data", tmp_path / "backups", backup_without_log=True) as (_, backups):
        await until(lambda: backups._backups and backups._making is None)
        await backups.make_now()
        with pytest.raises(Conflict, match="being made already"):
            await backups.make_now()
        await until(lambda: backups._making is None)
        name = backups._backups[0].manifest.name
        await backups.verify(name)
        await until(lambda: backups._verifying is None)
        assert (await backups.state())["backups"][-1]["verified"]["isWhole"]
        database = tmp_path / "backups" / backups._backups[0].manifest.database_name
        database.write_bytes(database.read_bytes()[:-1])
        await backups.verify(name)
        await until(lambda: backups._verifying is None)
        assert backups.attention()[0]["text"] == f"The backup {name} is damaged."


async def test_endpoints_and_counts(tmp_path: Path) -> None:
    async with backed_up(tmp_path / "data", tmp_path / "backups", backup_without_log=True) as (
        backend,
        backups,
    ):
        await until(lambda: backups._backups and backups._making is None)
        name, secret = backend.config.instance_name, backend.config.instance_secret
        async with TestClient(TestServer(create_app(backend))) as client:

            async def ask(method: str, path: str, *, read_only: bool = False, **more: Any) -> web.Response:
                key = make_admin_key(name, secret, read_only=read_only)
                headers = {"Authorization": f"Convex {key}"}
                return await client.request(method, path, headers=headers, **more)  # type: ignore[return-value]

            seen: Any = await ask("GET", "/api/parabola/backups", read_only=True)
            assert len((await seen.json())["backups"]) == 1
            refused = await ask("POST", "/api/parabola/backups/make", read_only=True)
            assert refused.status == 403
            assert (await ask("POST", "/api/parabola/backups/make")).status == 200
            await until(lambda: backups._making is None and len(backups._backups) == 2)
            body = {"name": backups._backups[0].manifest.name}
            assert (await ask("POST", "/api/parabola/backups/verify", json=body)).status == 200
            await until(lambda: backups._verifying is None)
            assert (await ask("POST", "/api/parabola/backups/verify", json={"name": "x"})).status == 404
            counts: Any = await ask("GET", "/metrics")
            assert "\nparabola_backup_age_seconds " in await counts.text()
            attention: Any = await ask("GET", "/api/parabola/attention")
            assert "found" in await attention.json()


async def test_a_server_that_makes_none_says_how(tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as backend:
        key = make_admin_key(backend.config.instance_name, backend.config.instance_secret)
        headers = {"Authorization": f"Convex {key}"}
        async with TestClient(TestServer(create_app(backend)), headers=headers) as client:
            answer = await (await client.get("/api/parabola/backups")).json()
            assert answer == {"isConfigured": False, "directory": str(tmp_path / "data")}
            refused = await client.post("/api/parabola/backups/make")
            assert (refused.status, (await refused.json())["code"]) == (400, "NoBackupPlace")


def test_places_are_shown_in_full_and_without_what_is_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert shown_place("kept") == "/kept"
    assert shown_place("s3://key:secret@bucket/app") == "s3://key:…@bucket/app"
    assert shown_place("file:///kept") == "file:///kept"


def test_times() -> None:
    day = datetime(2026, 5, 4, tzinfo=UTC).timestamp()
    nightly = BackupTimes.read("3:30")
    assert nightly.words == "every day at 3:30 UTC"
    assert nightly.due_after(None) == 0
    assert nightly.due_after(day) == day + 3.5 * 3600
    assert nightly.due_after(day + 3.5 * 3600) == day + 27.5 * 3600
    assert BackupTimes.read("6h").due_after(day) == day + 6 * 3600
    for text in ("", "24:00", "1m", "often", "h"):
        with pytest.raises(ValueError, match="give an hour of the day"):
            BackupTimes.read(text)


def test_what_is_kept() -> None:
    now = datetime(2026, 5, 20, 12, tzinfo=UTC)
    part = Part(size=1, sha256="", plain_size=1, plain_sha256="")

    def made(day: int, hour: int, chain: str = "c") -> Manifest:
        at = datetime(2026, 5, day, hour, tzinfo=UTC)
        return Manifest(
            format=1, name=at.isoformat(), made_at=at.isoformat(), version="", layout=2,
            newest_ts=int(at.timestamp() * 1e9), documents=0, database=part, files=(), chain=chain,
        )  # fmt: skip

    backups = [made(day, hour) for day in range(1, 21) for hour in (1, 9)]
    kept, logged = Keeping(days=3, weeks=2).chosen(backups, now)
    assert [each.made_at[8:13] for each in kept] == ["10T09", "17T09", "18T09", "19T09", "20T01", "20T09"]
    assert [each.made_at[8:13] for each in logged] == ["18T09", "19T09", "20T01", "20T09"]
    assert Keeping().chosen(backups, now) == (backups, backups)
    old = [made(1, 1), made(2, 1, chain="")]
    kept, logged = Keeping(days=1).chosen(old, now)
    assert kept == old, "the newest one, and the newest with a log"
    assert replace(Keeping(), newest=1).chosen(backups, now)[0] == backups[-1:]
