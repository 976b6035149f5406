"""Backups of whole deployments: what comes back, what is refused, and that nothing is left half done."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client_calls import client_call
from file_storage_driver import s3_settings
from parabola.backend import Backend
from parabola.database.database import Database
from parabola.database.model.shown_rows import StoredFile
from parabola.database.shared_log.memory_log import MemoryLog, MemoryLogServer
from parabola.database.store.sqlite import SqlitePersistence
from parabola.functions.deployed.deployment import Module
from parabola.services.backups.backup import FilesOf, find_backups, make_backup
from parabola.services.backups.continuous import ContinuousBackup
from parabola.services.backups.keeping import Keeping, drop_old
from parabola.services.backups.manifest import DATABASE, FILES, MANIFESTS, Manifest
from parabola.services.backups.moment import Moment, chosen_backup, chosen_moment, followed
from parabola.services.backups.place import BackupPlace, DirectoryPlace, backup_place, in_one_piece
from parabola.services.backups.restore import restore_backup, verify_backup
from parabola.services.backups.segment import LOG
from parabola.services.deploys.push import Push
from parabola.services.files.file_places import file_store
from parabola.values.errors import BadRequest, NotFound, ParabolaError
from services.archive_driver import documents, insert, opened, values
from services.backups.broken_places import BreakingPlace, until_it_works

NOTES = """
from parabola import env, mutation, query

@query
async def greeting(ctx) -> str:
    return env["GREETING"]

@mutation
async def later(ctx) -> None:
    await ctx.scheduler.run_after(3_600_000, "notes:later", {})
"""


def files_in(directory: Path) -> FilesOf:
    return lambda owner: file_store(None, directory / "files", owner)


async def keep(data: Path, place: BackupPlace) -> Manifest:
    return await make_backup(data, place, files_in(data))


async def upload(backend: Backend, content: bytes) -> str:
    async def pieces() -> AsyncIterator[bytes]:
        yield content

    return await backend.files.upload(pieces(), "text/plain", None)


async def content(backend: Backend, id: str) -> bytes:
    row = await backend.files.find((await backend.database.begin().get_system(id)).value["storageId"])
    assert row is not None
    return b"".join([piece async for piece in backend.files.read(row)])


async def test_a_whole_deployment_comes_back(tmp_path: Path) -> None:
    data, place = tmp_path / "data", DirectoryPlace(tmp_path / "backups")
    async with opened(data) as backend:
        await backend.deploy(Push("python", (Module("notes.py", "python", NOTES),)))
        await backend.activation.change_environment({"GREETING": "hello"})
        await insert(backend, "notes", {"text": "kept"})
        await backend.run_any(client_call("notes:later", {}))
        file = await upload(backend, b"content")
        manifest = await keep(data, place)
        await insert(backend, "notes", {"text": "later"})
    assert (manifest.documents, len(manifest.files)) == (1, 1)

    restored = tmp_path / "restored"
    await restore_backup(place, Moment(await chosen_backup(place, None)), restored)
    async with opened(restored) as backend:
        assert await values(backend, "notes") == [{"text": "kept"}]
        greeting = await backend.run_any(client_call("notes:greeting", {}))
        assert greeting.value == "hello"
        assert await content(backend, file) == b"content"
        tx = backend.database.begin()
        source = {"type": "FullTableScan", "tableName": "_scheduled_functions", "order": "asc"}
        (job,) = await tx.query({"source": source, "operators": []}, system=True).collect()
        assert job.value["state"] == {"kind": "pending"}


async def test_a_backup_of_a_busy_server_is_of_one_moment(tmp_path: Path) -> None:
    """Money that moves from one account to another is neither doubled nor lost in any of them."""
    data, place = tmp_path / "data", DirectoryPlace(tmp_path / "backups")
    async with opened(data) as backend:
        one, other = await insert(backend, "accounts", {"money": 500.0}, {"money": 500.0})
        is_over = asyncio.Event()

        async def move() -> None:
            while not is_over.is_set():

                async def transfer(tx: Any) -> None:
                    sender, receiver = await tx.get(one), await tx.get(other)
                    await tx.patch(one, {"money": sender.value["money"] - 1})
                    await tx.patch(other, {"money": receiver.value["money"] + 1})

                await backend.database.transact(transfer, source="test")

        moving = asyncio.create_task(move())
        made = [await keep(data, place) for _ in range(3)]
        is_over.set()
        await moving
    assert len({manifest.newest_ts for manifest in made}) == 3
    for number, manifest in enumerate(made):
        await restore_backup(place, Moment(manifest), tmp_path / f"restored{number}")
        async with opened(tmp_path / f"restored{number}") as backend:
            assert sum(each["money"] for each in await documents(backend, "accounts")) == 1000


async def test_stored_files_are_kept_once_for_all_backups(tmp_path: Path) -> None:
    data, place = tmp_path / "data", DirectoryPlace(tmp_path / "backups")
    async with opened(data) as backend:
        await upload(backend, b"one")
        await keep(data, place)
        first = {name: (tmp_path / "backups" / name).stat().st_mtime_ns for name in await place.names(FILES)}
        await upload(backend, b"two")
        manifest = await keep(data, place)
    names = await place.names(FILES)
    assert len(names) == len(manifest.files) == 2
    assert all((tmp_path / "backups" / name).stat().st_mtime_ns == first[name] for name in first)


async def test_old_backups_go_with_the_files_that_only_they_name(tmp_path: Path) -> None:
    data, place = tmp_path / "data", DirectoryPlace(tmp_path / "backups")
    async with opened(data) as backend:
        file = await upload(backend, b"old")
        old = await keep(data, place)
        await backend.database.transact(lambda tx: tx.delete_system(file), source="test")
        kept_file = await upload(backend, b"new")
        kept = [await keep(data, place) for _ in range(2)]
    assert [each.name for each in await drop_old(place, Keeping(2), datetime.now(UTC))] == [old.name]
    assert await find_backups(place) == sorted(kept, key=lambda each: (each.made_at, each.name))
    assert len(await place.names(FILES)) == 1
    await restore_backup(place, Moment(kept[0]), tmp_path / "restored")
    async with opened(tmp_path / "restored") as backend:
        assert await content(backend, kept_file) == b"new"
    assert await drop_old(place, Keeping(2), datetime.now(UTC)) == []


async def test_an_old_backup_is_kept_without_its_log_and_files_of_the_log_stay(tmp_path: Path) -> None:
    data, place = tmp_path / "data", DirectoryPlace(tmp_path / "backups")
    now = datetime.now(UTC)
    async with opened(data) as backend:
        database = backend.database
        log = ContinuousBackup(
            data,
            place,
            files_in(data),
            lambda: database.durable_ts,
            database.now_ts,
            hold=database.keep_history,
        )
        await log.begin()
        (first,) = await find_backups(place)
        old = msgspec.structs.replace(first, made_at=(now - timedelta(days=10)).isoformat())
        await place.put(old.manifest_name, in_one_piece(old.to_json()))
        forgotten = await upload(backend, b"in no backup any more")
        await log.step()
        await database.transact(lambda tx: tx.delete_system(forgotten), source="test")
        await log.step()
        newer = await log.make_base()
        file = await upload(backend, b"of the log")
        await log.step()
        await log.note()
        await log.close()
    assert len(await place.names(FILES)) == 2
    assert await drop_old(place, Keeping(days=3, weeks=4), now) == []
    kept = await find_backups(place)
    assert [(each.name, bool(each.chain)) for each in kept] == [(old.name, False), (newer.name, True)]
    assert len(await place.names(FILES)) == 1
    for manifest in kept:
        await verify_backup(place, await followed(place, manifest), deep=True)
    await restore_backup(place, await chosen_moment(place, None), tmp_path / "restored")
    async with opened(tmp_path / "restored") as backend:
        assert await content(backend, file) == b"of the log"
    # Weeks later the old one goes, and with the newest of another chain all of this one.
    later = now + timedelta(days=60)
    async with opened(tmp_path / "restored") as backend:
        database = backend.database
        log = ContinuousBackup(
            tmp_path / "restored", place, files_in(tmp_path / "restored"), lambda: database.durable_ts,
            database.now_ts,
        )  # fmt: skip
        await log.begin()
        await log.close()
    dropped = await drop_old(place, Keeping(days=3, weeks=4), later)
    assert [each.name for each in dropped] == [old.name, newer.name]
    assert await place.names(LOG) == []
    await verify_backup(place, await chosen_moment(place, None), deep=True)


async def test_a_backup_that_breaks_off_is_none(tmp_path: Path) -> None:
    data, place = tmp_path / "data", DirectoryPlace(tmp_path / "backups")
    async with opened(data) as backend:
        await insert(backend, "notes", {"text": "a"})
        await upload(backend, b"file")
        first = await keep(data, place)
        await insert(backend, "notes", {"text": "b"})
        await upload(backend, b"another")

        async def run(at: int) -> None:
            await keep(data, BreakingPlace(place, at))

        async def check() -> None:
            assert await find_backups(place) == [first]
            await verify_backup(place, Moment(first), deep=True)

        assert await until_it_works(run, check) >= 4
    assert len(await find_backups(place)) == 2
    await drop_old(place, Keeping(1), datetime.now(UTC))  # what was left of those that broke off goes too
    (kept,) = await find_backups(place)
    assert sorted(await place.names(MANIFESTS)) == [
        f"{MANIFESTS}{kept.name}/{DATABASE}",
        f"{MANIFESTS}{kept.name}/manifest.json",
    ]


async def test_a_restore_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    data, place = tmp_path / "data", DirectoryPlace(tmp_path / "backups")
    async with opened(data) as backend:
        await upload(backend, b"file")
        manifest = await keep(data, place)
    restored = tmp_path / "restored"

    async def run(at: int) -> None:
        await restore_backup(BreakingPlace(place, at), Moment(manifest), restored)

    async def check() -> None:
        assert not restored.exists()
        assert set(os.listdir(tmp_path)) == {"data", "backups"}

    assert await until_it_works(run, check) == 2
    assert restored.is_dir()


async def test_dropping_that_breaks_off_harms_no_backup_that_is_left(tmp_path: Path) -> None:
    data, place = tmp_path / "data", DirectoryPlace(tmp_path / "backups")
    async with opened(data) as backend:
        file = await upload(backend, b"old")
        await keep(data, place)
        await backend.database.transact(lambda tx: tx.delete_system(file), source="test")
        await upload(backend, b"new")
        await keep(data, place)

    async def run(at: int) -> None:
        await drop_old(BreakingPlace(place, at), Keeping(1), datetime.now(UTC))

    async def check() -> None:
        for manifest in await find_backups(place):
            await verify_backup(place, Moment(manifest))

    await until_it_works(run, check)
    assert len(await place.names(FILES)) == 1


async def test_what_a_killed_process_has_left_goes_after_a_day(tmp_path: Path) -> None:
    data, place = tmp_path / "data", DirectoryPlace(tmp_path / "backups")
    async with opened(data):
        manifest = await keep(data, place)
    folder = tmp_path / "backups" / MANIFESTS / "2020-01-01"
    folder.mkdir()
    old, new = folder / ".unfinished-old", folder / ".unfinished-new"
    for file, age in ((old, 90_000), (new, 0)):
        file.write_bytes(b"half")
        os.utime(file, (time.time() - age, time.time() - age))
    await drop_old(place, Keeping(1), datetime.now(UTC))
    assert not old.exists()
    assert new.exists()
    await verify_backup(place, Moment(manifest))


async def test_a_full_disk_is_said_before_it_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMPDIR", raising=False)
    async with opened(tmp_path / "data"):
        usage = shutil.disk_usage(tmp_path)
        monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
        with pytest.raises(BadRequest, match=r"where 1000 B are free|name a directory on another disk"):
            await keep(tmp_path / "data", DirectoryPlace(tmp_path / "backups"))
        monkeypatch.undo()
        await keep(tmp_path / "data", DirectoryPlace(tmp_path / "backups"))
    assert not [path for path in (tmp_path / "data").iterdir() if path.name.startswith(".parabola-backup")]


async def test_damage_anywhere_is_found_and_nothing_restored(tmp_path: Path) -> None:
    data = tmp_path / "data"
    place = DirectoryPlace(tmp_path / "backups")
    async with opened(data) as backend:
        await insert(backend, "notes", *({"text": f"note {number}"} for number in range(50)))
        await upload(backend, b"some stored content")
        manifest = await keep(data, place)
    names = [manifest.database_name, FILES + manifest.files[0].key, manifest.manifest_name]

    @given(st.sampled_from(names), st.floats(0, 1, exclude_max=True), st.integers(0, 255), st.booleans())
    @settings(max_examples=60, deadline=None)
    def damage(name: str, where: float, byte: int, is_cut: bool) -> None:
        path = tmp_path / "backups" / name
        whole = path.read_bytes()
        at = int(where * len(whole))
        harmed = whole[:at] if is_cut else whole[:at] + bytes([byte]) + whole[at + 1 :]
        if harmed == whole:
            return
        path.write_bytes(harmed)
        try:
            asyncio.run(expect_refusal(name))
        finally:
            path.write_bytes(whole)

    async def expect_refusal(name: str) -> None:
        target = tmp_path / "restored"
        try:
            found = await chosen_backup(place, None)
            if name == manifest.manifest_name and found == manifest:
                return  # a space more or less
            await restore_backup(place, Moment(found), target)
        except ParabolaError:
            assert not target.exists()
        else:
            # A changed name or time of the backup is no harm to what it holds.
            assert name == manifest.manifest_name
            shutil.rmtree(target)

    await asyncio.to_thread(damage)


async def test_a_place_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    data, place = tmp_path / "data", DirectoryPlace(tmp_path / "backups")
    async with opened(data):
        manifest = await keep(data, place)
    with pytest.raises(BadRequest, match="is not empty"):
        await restore_backup(place, Moment(manifest), data)
    (tmp_path / "empty").mkdir()
    await restore_backup(place, Moment(manifest), tmp_path / "empty")


async def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    place = DirectoryPlace(tmp_path / "backups")
    with pytest.raises(NotFound, match="There is no database in"):
        await keep(tmp_path / "nowhere", place)
    with pytest.raises(NotFound, match=f"There is no backup in {tmp_path / 'backups'}. Look"):
        await chosen_backup(place, None)
    with pytest.raises(BadRequest, match="is no place for backups"):
        backup_place("nonsense://somewhere")
    async with opened(tmp_path / "data"):
        manifest = await keep(tmp_path / "data", place)
    with pytest.raises(NotFound, match=f"There is: {manifest.name}"):
        await chosen_backup(place, "another")


async def test_a_backup_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    place = DirectoryPlace(tmp_path / "backups")
    folder = tmp_path / "backups" / MANIFESTS / "2099"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text('{"format": 99, "version": "9.9.9", "new": true}')
    with pytest.raises(BadRequest, match=r"made by a newer version of Parabola \(9\.9\.9; format 99"):
        await find_backups(place)


async def test_a_node_of_several_is_restored_as_a_server_that_is_alone(tmp_path: Path) -> None:
    node = tmp_path / "node"
    node.mkdir()
    database = await Database.open(
        SqlitePersistence.open(node), log=MemoryLog(MemoryLogServer(time.time_ns), "a")
    )
    await database.transact(lambda tx: tx.insert("notes", {"text": "a"}), source="test")
    await database.confirmed.flush()
    place = DirectoryPlace(tmp_path / "backups")
    manifest = await keep(node, place)
    await database.close()
    await restore_backup(place, Moment(manifest), tmp_path / "alone")
    async with opened(tmp_path / "alone") as backend:
        assert await values(backend, "notes") == [{"text": "a"}]
        used = {table.tablet_id for table in backend.database.registry.tables()}
        await insert(backend, "others", {"text": "b"})
        new = {table.tablet_id for table in backend.database.registry.tables()} - used
        assert min(new) > max(used)


async def test_an_object_store_keeps_backups_and_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        for name, value in s3_settings(endpoint).items():
            monkeypatch.setenv(name, value)
        async with aiohttp.ClientSession() as client:
            for bucket in ("files", "backups"):
                assert (await client.put(f"{endpoint}/{bucket}")).status == 200
        await go_through_object_stores(tmp_path)
    finally:
        server.stop()


async def go_through_object_stores(tmp_path: Path) -> None:
    from msgspec.structs import replace

    from parabola.backend import BackendConfig
    from parabola.functions.processes.host_set import HostConfig
    from parabola.testing.in_process_host import InProcessHosts

    def config(data: Path) -> BackendConfig:
        hosts = HostConfig(in_process=InProcessHosts(data))
        return replace(BackendConfig(data_dir=data, hosts=hosts), file_storage="s3://files/app")

    data, place = tmp_path / "data", backup_place("s3://backups/mine")
    in_store: FilesOf = lambda owner: file_store("s3://files/app", data / "files", owner)  # noqa: E731
    backend = await Backend.open(config(data))
    try:
        file = await upload(backend, b"in the store")
        manifest = await make_backup(data, place, in_store)
    finally:
        await backend.close()
    assert (await find_backups(place)) == [manifest]
    await verify_backup(place, Moment(manifest), deep=True)
    restored = tmp_path / "restored"
    with pytest.raises(BadRequest, match="--file-storage"):
        await restore_backup(place, Moment(manifest), restored)
    await restore_backup(place, Moment(manifest), restored, in_store)
    backend = await Backend.open(config(restored))
    try:
        assert await content(backend, file) == b"in the store"
        await follow_in_object_stores(backend, place, in_store, tmp_path)
        # It has a name of its own in the bucket: what it clears away is never the other's.
        assert not backend.files._store.new_key("x").startswith(manifest.files[0].key.split("/")[0])
    finally:
        await backend.close()


async def follow_in_object_stores(
    backend: Backend, place: BackupPlace, files: FilesOf, tmp_path: Path
) -> None:
    """The log goes there as well, with the files that come meanwhile."""
    database = backend.database
    log = ContinuousBackup(backend.directory, place, files, lambda: database.durable_ts, database.now_ts)
    await log.begin()
    file = await upload(backend, b"came later")
    gone = await upload(backend, b"gone at once")
    await backend.database.transact(lambda tx: tx.delete_system(gone), source="test")
    await log.step()
    await log.close()
    moment = await chosen_moment(place, None)
    assert moment.pieces
    await verify_backup(place, moment, deep=True)
    await restore_backup(place, moment, tmp_path / "followed", files)
    restored = await Database.open(SqlitePersistence.open(tmp_path / "followed"))
    try:
        found = await restored.begin().get_system(file)
        assert found is not None
        key = StoredFile.of(found).key
        store = files("")
        assert b"".join([piece async for piece in await store.open(key)]) == b"came later"
    finally:
        await restored.close()
