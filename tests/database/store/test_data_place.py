"""A data directory that is taken away from under its server is noticed, and nothing is acknowledged after."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from database.stored_model import Model
from parabola.database.model.errors import DataDirectoryLost
from parabola.database.store.data_place import DataPlace
from parabola.database.store.memory import MemoryPersistence
from parabola.database.store.sqlite import SqlitePersistence

NAMES = ("parabola.sqlite3", "parabola.sqlite3-wal", "parabola.lock")


def replaced(path: Path) -> None:
    """A copy in the place of a file, to the last byte."""
    beside = path.with_name("beside")
    shutil.copy2(path, beside)
    beside.replace(path)


def directory_replaced(directory: Path) -> None:
    shutil.copytree(directory, directory.with_name("copy"))
    shutil.rmtree(directory)
    directory.with_name("copy").rename(directory)


LOSSES: dict[str, Callable[[Path], object]] = {
    "deleted": shutil.rmtree,
    "moved": lambda directory: directory.rename(directory.with_name("elsewhere")),
    "replaced": directory_replaced,
    **{f"{name} deleted": lambda directory, name=name: (directory / name).unlink() for name in NAMES},
    **{f"{name} replaced": lambda directory, name=name: replaced(directory / name) for name in NAMES},
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
async def test_nothing_is_acknowledged_after_a_loss(directory: Path, loss: Callable[[Path], object]) -> None:
    store = SqlitePersistence.open(directory)
    model = Model()

    def write(value: str) -> None:
        commit = model.commit({value: (value.encode(), "{}")})
        assert commit is not None
        store.append(commit)

    write("a")
    await store.flush()
    await store.look_for_files()
    loss(directory)
    write("b")
    with pytest.raises(DataDirectoryLost, match="was deleted or replaced while it was in use") as lost:
        await store.flush()
    assert str(directory) not in lost.value.message  # every client may see it
    with pytest.raises(DataDirectoryLost):
        await store.look_for_files()
    with pytest.raises(DataDirectoryLost):
        write("c")
    await store.close()


async def test_a_server_that_writes_nothing_notices_it_too(directory: Path) -> None:
    store = SqlitePersistence.open(directory)
    await store.look_for_files()
    LOSSES["moved"](directory)
    with pytest.raises(DataDirectoryLost):
        await store.look_for_files()
    await store.close()


async def test_memory_is_never_lost() -> None:
    await MemoryPersistence().look_for_files()


@given(st.sets(st.sampled_from(NAMES)), st.data())
def test_only_a_change_of_a_file_that_was_there_is_a_loss(there: set[str], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        for name in there:
            (directory / name).write_text(name)
        place = DataPlace(directory / name for name in NAMES)
        for name in set(NAMES) - there:
            (directory / name).write_text("made later")
        for name in there:
            (directory / name).write_text("written, cut and read, as files are")
        assert place.lost() is None
        if there:
            which = data.draw(st.sampled_from(sorted(there)))
            data.draw(st.sampled_from([Path.unlink, replaced]))(directory / which)
            assert place.lost() == directory / which
