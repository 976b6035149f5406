"""What a power cut in the middle of an import leaves, and what the next start makes of it.

The cut is a copy of the data directory, taken at a chosen moment and opened as if the first server had never
gone on.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from parabola.backend import Backend
from parabola.services.imports import hidden as hidden_import
from parabola.services.imports import imports
from parabola.services.imports.load import ImportLoad
from parabola.services.imports.record import ImportRequest
from parabola.services.settings import ServiceSettings
from services.archive_driver import (
    archive,
    begin_import,
    hidden,
    import_record,
    insert,
    lines,
    opened,
    reached,
    settled,
    tables,
    upload,
    values,
)

ROWS = [{"n": float(n)} for n in range(500)]


class Cut:
    """Copies the data directory when something is called for the n-th time."""

    def __init__(self, data_dir: Path, copy: Path) -> None:
        self._data_dir = data_dir
        self.copy = copy
        self.was_made = False

    def make(self) -> None:
        shutil.copytree(self._data_dir, self.copy, ignore=shutil.ignore_patterns("*.lock"))
        self.was_made = True

    def before(self, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, call: int) -> None:
        """Make it before the call number `call` of a coroutine function."""
        original = getattr(owner, name)
        calls = 0

        async def cut_and_call(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == call:
                self.make()
            return await original(*args, **kwargs)

        monkeypatch.setattr(owner, name, cut_and_call)


@pytest.fixture
def cut(tmp_path: Path) -> Cut:
    return Cut(tmp_path / "data", tmp_path / "copy")


async def imported_until_cut(cut: Cut, tmp_path: Path, content: bytes, format: str, mode: str) -> str:
    """An import that goes to its end on the first server; its id."""
    async with opened(tmp_path / "data") as backend:
        await insert(backend, "t", {"old": True})
        id = await begin_import(backend, content, format, mode)
        await backend.imports.confirm(id)
        assert (await reached(backend, id)).stage == "completed"
        await settled(backend)
    assert cut.was_made
    return id


@pytest.mark.parametrize("chunk", [1, 2, 3])
@pytest.mark.parametrize("mode", ["replace", "append"])
async def test_an_import_goes_on_with_the_row_at_which_it_was_cut(
    tmp_path: Path, cut: Cut, mode: str, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        cut.before(patch, ImportLoad, "write_rows", chunk)
        id = await imported_until_cut(cut, tmp_path, lines(*ROWS), "jsonLines", mode)
    async with opened(cut.copy) as backend:
        record = await reached(backend, id)
        assert record.state.state == "completed"
        assert int(record.state.num_rows_written) == len(ROWS)
        assert await values(backend, "t") == ([] if mode == "replace" else [{"old": True}]) + ROWS
        assert hidden(backend) == []


@pytest.mark.parametrize("mode", ["replace", "append"])
async def test_tables_that_are_done_are_not_begun_again(
    tmp_path: Path, cut: Cut, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = archive({f"{name}/documents.jsonl": lines(*ROWS[:5]) for name in ("a", "b", "c")})
    with monkeypatch.context() as patch:
        cut.before(patch, ImportLoad, "write_rows", 3)
        id = await imported_until_cut(cut, tmp_path, content, "zip", mode)
    async with opened(cut.copy) as backend:
        record = await reached(backend, id)
        assert int(record.state.num_rows_written) == 15
        for name in ("a", "b", "c"):
            assert await values(backend, name) == ROWS[:5]


async def test_an_import_that_is_cut_before_the_switch_is_switched(
    tmp_path: Path, cut: Cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        cut.before(patch, hidden_import, "switch", 1)
        id = await imported_until_cut(cut, tmp_path, lines(*ROWS), "jsonLines", "replace")
    async with opened(cut.copy) as backend:
        assert (await reached(backend, id)).stage == "completed"
        assert await values(backend, "t") == ROWS


async def test_a_file_that_was_being_looked_through_is_looked_through_again(
    tmp_path: Path, cut: Cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        cut.before(patch, imports.Imports, "_look_through", 1)
        id = await imported_until_cut(cut, tmp_path, lines(*ROWS), "jsonLines", "replace")
    async with opened(cut.copy) as backend:
        record = await reached(backend, id, "waiting_for_confirmation")
        assert record.counts == (len(ROWS),)
        assert await values(backend, "t") == [{"old": True}]


async def test_an_import_that_waited_still_waits(tmp_path: Path) -> None:
    async with opened(tmp_path) as backend:
        id = await begin_import(backend, lines(*ROWS))
    async with opened(tmp_path) as backend:
        assert (await import_record(backend, id)).stage == "waiting_for_confirmation"
        await backend.imports.confirm(id)
        assert (await reached(backend, id)).stage == "completed"
        assert await values(backend, "t") == ROWS


async def test_a_server_that_is_stopped_goes_on_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived, write_rows = asyncio.Event(), ImportLoad.write_rows
    calls = 0

    async def hold_the_third(*args: Any, **kwargs: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            arrived.set()
            await asyncio.Event().wait()
        await write_rows(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(ImportLoad, "write_rows", hold_the_third)
        async with opened(tmp_path) as backend:
            id = await begin_import(backend, lines(*ROWS))
            await backend.imports.confirm(id)
            await arrived.wait()
            assert hidden(backend) == ["t"]
    async with opened(tmp_path) as backend:
        assert (await reached(backend, id)).stage == "completed"
        assert await values(backend, "t") == ROWS


async def cut_at_the_second_chunk(
    cut: Cut, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], None]
) -> str:
    with monkeypatch.context() as patch:
        cut.before(patch, ImportLoad, "write_rows", 2)
        id = await imported_until_cut(cut, tmp_path, lines(*ROWS), "jsonLines", "replace")
    spoil(cut.copy)
    return id


async def test_an_import_whose_file_is_gone_fails_and_leaves_nothing(
    tmp_path: Path, cut: Cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose_uploads(data: Path) -> None:
        shutil.rmtree(data / "imports")

    id = await cut_at_the_second_chunk(cut, tmp_path, monkeypatch, lose_uploads)
    async with opened(cut.copy) as backend:
        record = await reached(backend, id)
        assert "The uploaded file is gone" in record.state.error_message
        assert hidden(backend) == []
        assert await values(backend, "t") == [{"old": True}]


async def test_an_import_that_is_too_old_is_given_up(
    tmp_path: Path, cut: Cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = await cut_at_the_second_chunk(cut, tmp_path, monkeypatch, lambda data: None)
    async with opened(cut.copy, ServiceSettings(imports_seconds=0)) as backend:
        record = await reached(backend, id)
        assert "too old" in record.state.error_message
        assert hidden(backend) == []


async def test_an_import_that_takes_the_server_down_each_time_is_given_up(
    tmp_path: Path, cut: Cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row may be what the server dies of: the fifth start in a row is the last one that tries."""
    id = await cut_at_the_second_chunk(cut, tmp_path, monkeypatch, lambda data: None)
    reached_it = asyncio.Event()

    async def hang(*_: Any) -> None:
        reached_it.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patch:
        patch.setattr(ImportLoad, "write_rows", hang)
        for _ in range(imports.MAX_ATTEMPTS - 1):  # the cut itself was the first one
            reached_it.clear()
            async with opened(cut.copy):
                await reached_it.wait()
        async with opened(cut.copy) as backend:
            record = await reached(backend, id)
            assert "given up after 5 attempts" in record.state.error_message
            assert hidden(backend) == []


# What is cleaned up


async def test_a_hidden_table_that_no_import_fills_is_removed_at_the_start(tmp_path: Path) -> None:
    async with opened(tmp_path) as backend:
        tx = backend.database.begin(writable=True)
        tx.create_table("t", state="hidden")
        await backend.database.commit(tx)
        assert hidden(backend) == ["t"]
    async with opened(tmp_path) as backend:
        assert hidden(backend) == []
        assert tables(backend) == {}


async def test_uploads_of_imports_that_are_over_are_removed(tmp_path: Path) -> None:
    async with opened(tmp_path) as backend:
        waiting = await begin_import(backend, lines(*ROWS))
        needed = (await import_record(backend, waiting)).upload
        stray = await upload(backend, b"finished, and the server died before there was an import")
        unfinished = backend.imports.uploads.start()
    async with opened(tmp_path) as backend:
        assert stray not in uploads_of(backend)
        assert set(uploads_of(backend)) == {needed, unfinished}


async def test_imports_that_nobody_confirms_come_to_an_end(tmp_path: Path) -> None:
    async with opened(tmp_path) as backend:
        id = await begin_import(backend, lines(*ROWS))
        await backend.imports.clean_up()
        assert (await import_record(backend, id)).stage == "waiting_for_confirmation"
    async with opened(tmp_path, ServiceSettings(imports_seconds=0)) as backend:
        await backend.imports.start_upload()
        assert "not confirmed in time" in (await import_record(backend, id)).state.error_message
        assert len(uploads_of(backend)) == 1


async def test_the_import_of_a_broken_upload_never_begins(tmp_path: Path) -> None:
    async with opened(tmp_path) as backend:
        request = ImportRequest.of("jsonLines", None, "t")
        id = await backend.imports.create(request, "0" * 32)
        assert "The uploaded file is gone" in (await reached(backend, id)).state.error_message


def uploads_of(backend: Backend) -> list[str]:
    return [path.name for path in backend.imports.uploads._directory.iterdir()]
