"""The log beside backups: every moment comes back, and nothing that is cut, changed or missing."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from database.stores import collect, insert, opened, range_of
from database.upkeep.test_backfill import begin_index, enable
from parabola.database.database import Database
from parabola.database.shared_log.memory_log import MemoryLog, MemoryLogServer
from parabola.database.store import sqlite
from parabola.database.store.sqlite import SqlitePersistence
from parabola.services.backups.backup import FilesOf, find_backups, make_backup
from parabola.services.backups.continuous import ContinuousBackup
from parabola.services.backups.keeping import Keeping, drop_old
from parabola.services.backups.moment import chosen_moment, followed
from parabola.services.backups.place import BackupPlace, DirectoryPlace
from parabola.services.backups.restore import restore_backup, verify_backup
from parabola.services.backups.segment import LOG, find_reached, find_segments
from parabola.services.files.file_places import file_store
from parabola.values.errors import BadRequest, NotFound, ParabolaError
from services.backups.broken_places import BreakingPlace, until_it_works

State = dict[str, list[dict[str, Any]]]


def files_in(directory: Path) -> FilesOf:
    return lambda owner: file_store(None, directory / "files", owner)


def following(database: Database, data: Path, place: BackupPlace) -> ContinuousBackup:
    return ContinuousBackup(
        data, place, files_in(data), lambda: database.durable_ts, database.now_ts, hold=database.keep_history
    )


async def state_of(database: Database) -> State:
    """All that users have, by table; and every index has it, in its order."""
    tx = database.begin()
    state: State = {}
    for table in database.registry.tables(""):
        if table.state != "active" or table.is_system:
            continue
        found = await collect(tx, table.name)
        assert len(found) == await tx.count(table.name)
        state[table.name] = [document.value for document in found]
        for index in database.registry.indexes(table.tablet_id):
            if index.is_enabled and index.name not in ("by_id", "by_creation_time"):
                by_index = await collect(tx, range_of(f"{table.name}.{index.name}"))
                keys = [index.key(document.value) for document in by_index]
                assert keys == sorted(index.key(document.value) for document in found)
    return state


async def restored(place: BackupPlace, at_ts: int | None) -> State:
    """What a restore brings, after a vacuum and a write as a server would make them."""
    with tempfile.TemporaryDirectory() as directory:
        target = Path(directory) / "data"
        await restore_backup(place, await chosen_moment(place, at_ts), target)
        async with opened(target) as database:
            await database.wait_backfilled()
            state = await state_of(database)
            used = {table.tablet_id for table in database.registry.tables()}
            await insert(database, "another", {})
            added = {table.tablet_id for table in database.registry.tables()} - used
            assert min(added) > max(used)
            await database.vacuum()
            after = await state_of(database)
            del after["another"]
            assert after == state
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(sqlite, "INSPECTION_PAUSE", 0.0)
                assert database._inspection is not None
                await database._inspection.run_once()
            return state


async def change(database: Database, random: Random, number: int) -> None:
    """One thing that may happen to a database."""
    tables = [t for t in database.registry.tables("") if t.state == "active" and not t.is_system]
    names = [table.name for table in tables]
    what = random.randrange(12)
    tx = database.begin(writable=True)
    if what == 0 and names:
        await tx.delete_table(random.choice(tables))
    elif what == 1 and names:
        index = await begin_index(database, random.choice(names), f"by_{number}", "n")
        if random.randrange(2):
            await database.wait_backfilled()
            await enable(database, index)
        return
    elif what == 2:
        for _ in range(300):  # stored in parts
            await tx.insert("large", {"n": float(random.randrange(5))})
    elif what == 3:
        await database.vacuum()
        return
    else:
        for _ in range(random.randrange(1, 4)):
            name = random.choice(["a", "b", "c"])
            found = await collect(tx, name) if name in names else []
            if not found or random.randrange(2):
                await tx.insert(name, {"n": float(random.randrange(5)), "text": "é\u2028\n" * number})
            elif random.randrange(3):
                await tx.patch(random.choice(found).id, {"n": float(random.randrange(5))})
            else:
                await tx.delete(random.choice(found).id)
    await database.commit(tx)


@given(st.integers(0, 2**32))
@settings(max_examples=6, deadline=None, phases=[Phase.generate])
async def test_each_moment_of_a_history_comes_back(seed: int) -> None:
    random = Random(seed)
    with tempfile.TemporaryDirectory() as directory:
        data, place = Path(directory) / "data", DirectoryPlace(Path(directory) / "backups")
        moments: list[tuple[int, State]] = []
        async with opened(data) as database:
            await insert(database, "a", {"n": 1.0})
            log = following(database, data, place)
            await log.begin()
            for number in range(25):
                await change(database, random, number)
                moments.append((database.durable_ts, await state_of(database)))
                what = random.randrange(8)
                if what == 0:
                    await log.make_base()
                elif what == 1:  # another process takes it up
                    await log.close()
                    log = following(database, data, place)
                    await log.begin()
                elif what < 5:
                    await log.step()
            await log.step()
            await log.close()
        assert len({manifest.chain for manifest in await find_backups(place)}) == 1
        for ts, state in [*random.sample(moments, 3), moments[-1]]:
            assert await restored(place, ts) == state
            assert await restored(place, ts + 1) == state
        assert await restored(place, None) == moments[-1][1]
        for manifest in await find_backups(place):
            await verify_backup(place, await chosen_moment(place, manifest.newest_ts))
        await verify_backup(place, await chosen_moment(place, None), deep=True)


async def grown(data: Path, place: BackupPlace, commits: int = 6) -> list[int]:
    """A place with a backup and a piece of the log for each commit; their timestamps."""
    async with opened(data) as database:
        await insert(database, "notes", {"n": 0.0})
        log = following(database, data, place)
        await log.begin()
        times = [database.durable_ts]
        for number in range(1, commits):
            await insert(database, "notes", {"n": float(number)})
            times.append(database.durable_ts)
            await log.step()
        await log.close()
    return times


def numbers(state: State) -> list[float]:
    return [note["n"] for note in state["notes"]]


async def test_the_moment_in_between_is_the_one_before(tmp_path: Path) -> None:
    place = DirectoryPlace(tmp_path / "backups")
    times = await grown(tmp_path / "data", place)
    assert numbers(await restored(place, times[3] - 1)) == [0.0, 1.0, 2.0]
    assert numbers(await restored(place, times[3])) == [0.0, 1.0, 2.0, 3.0]
    with pytest.raises(NotFound, match=r"The oldest backup in this place is of 2\d\d\d-.* UTC; nothing earl"):
        await chosen_moment(place, times[0] - 1)
    late = await chosen_moment(place, times[-1] + 10**12)
    assert late.reach_ts < times[-1] + 10**12


@pytest.mark.parametrize("at", range(5))
async def test_a_piece_that_is_missing_is_said(tmp_path: Path, at: int) -> None:
    place = DirectoryPlace(tmp_path / "backups")
    times = await grown(tmp_path / "data", place)
    names = await place.names(LOG)
    assert len(names) == 5
    await place.delete(names[at])
    if at == 4:  # the end: the log is as if it had come no further
        assert numbers(await restored(place, None)) == [0.0, 1.0, 2.0, 3.0, 4.0]
        return
    with pytest.raises(BadRequest, match="what comes before it in the log is not there"):
        await restored(place, None)
    # What needs no later piece than those before it is whole.
    assert numbers(await restored(place, times[at])) == [float(n) for n in range(at + 1)]


async def test_an_end_that_is_missing_is_said_where_it_was_noted(tmp_path: Path) -> None:
    data, place = tmp_path / "data", DirectoryPlace(tmp_path / "backups")
    async with opened(data) as database:
        await insert(database, "notes", {"n": 0.0})
        log = following(database, data, place)
        await log.begin()
        await insert(database, "notes", {"n": 1.0})
        await log.step()
        middle = database.durable_ts
        await insert(database, "notes", {"n": 2.0})
        await log.note()  # there is more: nothing is noted
        assert await find_reached(place, log.chain) is None
        await log.step()
        await log.note()
        await log.close()
        moment = await chosen_moment(place, None)
        assert moment.reach_ts >= database.durable_ts
        assert numbers(await restored(place, None)) == [0.0, 1.0, 2.0]
    last = (await find_segments(place, log.chain))[-1]
    await place.delete(last.path)
    for refuse in (chosen_moment(place, None), chosen_moment(place, last.last_ts)):
        with pytest.raises(BadRequest, match=r"the pieces after .* are not there"):
            await refuse
    with pytest.raises(BadRequest, match=r"the pieces after .* are not there"):
        await followed(place, (await find_backups(place))[0])
    assert numbers(await restored(place, middle)) == [0.0, 1.0]


async def test_a_harmed_piece_is_refused_and_nothing_restored(tmp_path: Path) -> None:
    place = DirectoryPlace(tmp_path / "backups")
    await grown(tmp_path / "data", place, commits=4)
    names = await place.names(LOG)

    @given(st.sampled_from(names), st.floats(0, 1, exclude_max=True), st.integers(0, 255), st.booleans())
    @settings(max_examples=25, deadline=None, phases=[Phase.generate])
    def harm(name: str, where: float, byte: int, is_cut: bool) -> None:
        path = tmp_path / "backups" / name
        whole = path.read_bytes()
        at = int(where * len(whole))
        harmed = whole[:at] if is_cut else whole[:at] + bytes([byte]) + whole[at + 1 :]
        if harmed == whole:
            return
        path.write_bytes(harmed)
        try:
            asyncio.run(refuse())
        finally:
            path.write_bytes(whole)

    async def refuse() -> None:
        with pytest.raises(BadRequest, match="The backup is damaged: log/"):
            await restored(place, None)
        with pytest.raises(BadRequest, match="The backup is damaged: log/"):
            await verify_backup(place, await chosen_moment(place, None))

    await asyncio.to_thread(harm)


async def test_a_piece_of_another_log_is_refused(tmp_path: Path) -> None:
    """Whole by itself, and not what the next one goes on from."""
    place, other = DirectoryPlace(tmp_path / "backups"), DirectoryPlace(tmp_path / "other")
    await grown(tmp_path / "data", place)
    await grown(tmp_path / "data2", other)
    (first, *_), theirs = await place.names(LOG), await other.names(LOG)
    content = (tmp_path / "other" / theirs[0]).read_bytes()
    sha = theirs[0].rpartition("-")[2]
    renamed = f"{first.rpartition('-')[0]}-{sha}"
    (tmp_path / "backups" / first).unlink()
    (tmp_path / "backups" / renamed).write_bytes(content)
    with pytest.raises(BadRequest, match="The backup is damaged: log/"):
        await restored(place, None)


async def test_writing_the_log_goes_on_after_any_breaking_off(tmp_path: Path) -> None:
    data, place = tmp_path / "data", DirectoryPlace(tmp_path / "backups")
    async with opened(data) as database:
        await insert(database, "notes", {"n": 0.0})
        seen = [await state_of(database)]

        async def run(at: int) -> None:
            log = following(database, data, BreakingPlace(place, at))
            try:
                await log.begin()
                for _ in range(3):
                    await insert(database, "notes", {"n": float(at)})
                    seen.append(await state_of(database))
                    await log.step()
            finally:
                await log.close()

        async def check() -> None:
            if await find_backups(place):
                assert await restored(place, None) in seen

        assert await until_it_works(run, check) >= 6
        assert await restored(place, None) == await state_of(database)
    assert len({manifest.chain for manifest in await find_backups(place)}) == 1


async def test_one_follower_goes_on_where_its_place_broke_off(tmp_path: Path) -> None:
    data, place = tmp_path / "data", DirectoryPlace(tmp_path / "backups")
    async with opened(data) as database:
        await insert(database, "notes", {"n": 0.0})
        breaking = BreakingPlace(place, -1)
        log = following(database, data, breaking)
        await log.begin()
        for number in range(4):
            await insert(database, "notes", {"n": float(number)})
            breaking.left = number
            try:
                await log.step()
            except Exception:
                assert log.lag_seconds >= 0
        await log.step()
        await log.close()
        assert await restored(place, None) == await state_of(database)


async def test_a_restore_to_a_moment_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    place = DirectoryPlace(tmp_path / "backups")
    await grown(tmp_path / "data", place, commits=3)
    target = tmp_path / "restored"

    async def run(at: int) -> None:
        breaking = BreakingPlace(place, at)
        await restore_backup(breaking, await chosen_moment(breaking, None), target)

    async def check() -> None:
        assert set(os.listdir(tmp_path)) == {"data", "backups"}

    assert await until_it_works(run, check) >= 5
    assert target.is_dir()


async def test_another_database_begins_a_log_of_its_own(tmp_path: Path) -> None:
    place = DirectoryPlace(tmp_path / "backups")
    times = await grown(tmp_path / "data", place)
    await restore_backup(place, await chosen_moment(place, times[2]), tmp_path / "earlier")
    async with opened(tmp_path / "earlier") as database:
        log = following(database, tmp_path / "earlier", place)
        await log.begin()
        await insert(database, "notes", {"n": 99.0})
        await log.step()
        await log.close()
    assert len({manifest.chain for manifest in await find_backups(place)}) == 2
    assert numbers(await restored(place, None)) == [0.0, 1.0, 2.0, 99.0]
    # What the first one had come to is there still.
    assert numbers(await restored(place, times[-1])) == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


async def test_where_the_history_is_gone_another_log_begins(tmp_path: Path) -> None:
    data, place = tmp_path / "data", DirectoryPlace(tmp_path / "backups")
    from database.stores import Clock

    clock = Clock()
    async with opened(data, clock=clock) as database:
        await insert(database, "notes", {"n": 0.0})
        log = ContinuousBackup(data, place, files_in(data), lambda: database.durable_ts, database.now_ts)
        await log.begin()
        for number in range(3):
            tx = database.begin(writable=True)
            (note,) = await collect(tx, "notes")
            await tx.patch(note.id, {"n": float(number)})
            await database.commit(tx)
            clock.advance(4000)
        await database.vacuum()
        assert await log.step()
        await log.step()
        await log.close()
        assert await restored(place, None) == await state_of(database)
    assert len({manifest.chain for manifest in await find_backups(place)}) == 2


async def test_history_is_held_for_one_who_is_behind(tmp_path: Path) -> None:
    data, place = tmp_path / "data", DirectoryPlace(tmp_path / "backups")
    from database.stores import Clock

    clock = Clock()
    async with opened(data, clock=clock) as database:
        await insert(database, "notes", {"n": 0.0})
        log = following(database, data, place)
        await log.begin()
        await insert(database, "gone", {"n": 0.0})
        tx = database.begin(writable=True)
        (table,) = [table for table in database.registry.tables() if table.name == "gone"]
        await tx.delete_table(table)
        ts = await database.commit(tx)
        clock.advance(4000)
        await database.vacuum()
        await log.step()
        await log.close()
        assert set(await restored(place, ts - 1)) == {"notes", "gone"}
    assert len(await find_backups(place)) == 1


async def test_old_pieces_go_with_the_backups_that_they_go_on_from(tmp_path: Path) -> None:
    data, place = tmp_path / "data", DirectoryPlace(tmp_path / "backups")
    async with opened(data) as database:
        await insert(database, "notes", {"n": 0.0})
        log = following(database, data, place)
        await log.begin()
        for number in range(1, 7):
            await insert(database, "notes", {"n": float(number)})
            await log.step()
            if number == 4:
                kept = await log.make_base()
        await log.close()
    assert [each.name for each in await drop_old(place, Keeping(1), datetime.now(UTC))] != [kept.name]
    assert len(await place.names(LOG)) == 2
    await verify_backup(place, await chosen_moment(place, None), deep=True)
    assert numbers(await restored(place, kept.newest_ts)) == [0.0, 1.0, 2.0, 3.0, 4.0]


async def test_a_backup_made_by_hand_does_not_hide_the_log(tmp_path: Path) -> None:
    data, place = tmp_path / "data", DirectoryPlace(tmp_path / "backups")
    async with opened(data) as database:
        await insert(database, "notes", {"n": 0.0})
        log = following(database, data, place)
        await log.begin()
        await make_backup(data, place, files_in(data))
        await insert(database, "notes", {"n": 1.0})
        await log.step()
        await log.close()
    assert numbers(await restored(place, None)) == [0.0, 1.0]


async def test_a_newer_log_is_refused(tmp_path: Path) -> None:
    from parabola.services.backups.segment import SegmentHead, make_segment, read_segment

    head = SegmentHead(format=99, after_ts=1, last_ts=2, previous="", revisions=0, next_id=0)
    with pytest.raises(ParabolaError, match="newer version"):
        read_segment(*make_segment("chain", head, []))


async def test_a_node_of_several_keeps_the_log(tmp_path: Path) -> None:
    server, place = MemoryLogServer(time.time_ns), DirectoryPlace(tmp_path / "backups")
    (tmp_path / "node").mkdir()
    first = await Database.open(SqlitePersistence.open(tmp_path / "node"), log=MemoryLog(server, "a"))
    try:
        await insert(first, "notes", {"n": 0.0})
        await first.confirmed.flush()
        log = following(first, tmp_path / "node", place)
        await log.begin()
        await insert(first, "others", {"n": 1.0})
        await first.confirmed.flush()
        await log.step()
        await log.close()
        state = await state_of(first)
    finally:
        await first.close()
    # Another one goes on with it: what it has of the log is the same.
    (tmp_path / "other").mkdir()
    second = await Database.open(SqlitePersistence.open(tmp_path / "other"), log=MemoryLog(server, "b"))
    try:
        await second.confirmed.flush()
        log = following(second, tmp_path / "other", place)
        await log.begin()
        await insert(second, "notes", {"n": 2.0})
        await second.confirmed.flush()
        await log.step()
        await log.close()
        newest = await state_of(second)
    finally:
        await second.close()
    assert len({manifest.chain for manifest in await find_backups(place)}) == 1
    assert len(newest["notes"]) == len(state["notes"]) + 1
    assert await restored(place, None) == newest


async def test_two_that_write_at_once_while_one_takes_over_leave_one_log(tmp_path: Path) -> None:
    data, place = tmp_path / "data", DirectoryPlace(tmp_path / "backups")
    async with opened(data) as database:
        await insert(database, "notes", {"n": 0.0})
        old = following(database, data, place)
        await old.begin()
        new = following(database, data, place)
        await new.begin()
        assert old.chain == new.chain
        await insert(database, "notes", {"n": 1.0})
        await old.step()
        await insert(database, "notes", {"n": 2.0})
        await new.step()  # from the same moment on, and further
        await insert(database, "notes", {"n": 3.0})
        await new.step()
        await old.close()
        await new.close()
    assert len(await place.names(LOG)) == 3
    assert numbers(await restored(place, None)) == [0.0, 1.0, 2.0, 3.0]
    await verify_backup(place, await chosen_moment(place, None), deep=True)


@pytest.mark.parametrize("seed", range(4))
async def test_two_that_keep_one_log_for_longer_leave_one_that_comes_back(tmp_path: Path, seed: int) -> None:
    data, place, random = tmp_path / "data", DirectoryPlace(tmp_path / "backups"), Random(seed)
    async with opened(data) as database:
        await insert(database, "notes", {"n": 0.0})
        two = [following(database, data, place) for _ in range(2)]
        moments = [database.durable_ts]
        for each in two:
            await each.begin()
        for number in range(1, 16):
            await insert(database, "notes", {"n": float(number)})
            moments.append(database.durable_ts)
            for each in two:
                if random.random() < 0.6:
                    await each.step()
        await two[seed % 2].step()
        for each in two:
            await each.close()
    everything = [float(number) for number in range(16)]
    assert numbers(await restored(place, None)) == everything
    for number in (3, 9):
        assert numbers(await restored(place, moments[number])) == everything[: number + 1]
    await verify_backup(place, await chosen_moment(place, None), deep=True)
