"""`parabola upgrade --check`: what is said of data of this version, of earlier and of later ones."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from database.stores import insert, opened
from parabola.cli.application import application
from parabola.database.model.errors import UnusableData

KEPT = Path(__file__).parents[1] / "upgrades"


def check(data: Path, *arguments: str) -> str:
    command = ["upgrade", "--check", "--data", str(data), *arguments]
    result = CliRunner().invoke(application(["upgrade"]), command)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


async def kept(directory: Path) -> Path:
    async with opened(directory) as database:
        await insert(database, "notes", {})
    return directory


async def test_data_of_this_version(tmp_path: Path) -> None:
    text = check(await kept(tmp_path / "data"))
    assert "Layout 3, as this version has it: the files stay as they are." in text
    assert "Way back: start the version of before" in text
    assert "Added" not in text
    async with opened(tmp_path / "data"):  # while a server runs
        assert json.loads(check(tmp_path / "data", "--json"))["wayBack"] is True


@pytest.mark.parametrize("archive", sorted(KEPT.glob("*.tar.gz")), ids=lambda path: path.name)
def test_data_of_earlier_versions(archive: Path, tmp_path: Path) -> None:
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path, filter="data")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    told = json.loads(check(tmp_path, "--json"))
    layout = 1 if "layout-1" in archive.name else 2
    assert told["layout"] == layout
    assert told["changesLayout"]
    assert not told["wayBack"]
    assert told["adds"]
    text = check(tmp_path)
    assert f"Layout {layout} becomes layout 3" in text
    assert f"Added with the first start: {told['adds'][0]}" in text
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert {name: after[name] for name in before if not name.endswith("-shm")} == {
        name: content for name, content in before.items() if not name.endswith("-shm")
    }


async def test_data_of_a_later_version(tmp_path: Path) -> None:
    data = await kept(tmp_path / "data")
    with closing(sqlite3.connect(data / "parabola.sqlite3")) as db:
        db.execute("UPDATE property SET value = ? WHERE name = 'layout'", (b"99",))
        db.commit()
    with pytest.raises(UnusableData, match="written by a newer version of Parabola"):
        check(data)


async def test_what_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(UnusableData, match="There is no database in"):
        check(tmp_path)
    data = await kept(tmp_path / "data")
    file = data / "parabola.sqlite3"
    shutil.copy(file, tmp_path / "whole")
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(UnusableData):
        check(data)
    file.write_text("this is no database" * 100)
    with pytest.raises(UnusableData, match="cannot be read as a database"):
        check(data)
    file.write_bytes(b"")
    with pytest.raises(UnusableData, match="were acknowledged in this directory"):
        check(data)


def test_it_wants_to_be_asked() -> None:
    result = CliRunner().invoke(application(["upgrade"]), ["upgrade"])
    assert result.exit_code == 2
    assert "Give --check" in " ".join(result.output.split())
