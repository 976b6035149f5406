"""Every data directory and every backup that a release has left is opened and served by this version."""

from __future__ import annotations

import sys
import tarfile
from pathlib import Path

import pytest

from client_calls import client_call
from parabola.backend import Backend, BackendConfig
from parabola.services.backups.moment import chosen_moment
from parabola.services.backups.place import DirectoryPlace
from parabola.services.backups.restore import restore_backup, verify_backup

sys.path.append(str(Path(__file__).parents[1] / "tools"))
from keep_release import BACKUPS, CONFIG, EXPECTED, KEPT

RELEASES = sorted(KEPT.glob("*.tar.gz"))
KEPT_BACKUPS = sorted(BACKUPS.glob("*.tar.gz"))


@pytest.mark.parametrize("archive", RELEASES, ids=lambda path: path.name.removesuffix(".tar.gz"))
async def test_a_kept_data_directory_is_served(archive: Path, tmp_path: Path) -> None:
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path, filter="data")
    for added in range(2):  # and once more what this version has made of it
        backend = await Backend.open(BackendConfig(tmp_path, **CONFIG))
        try:
            everything = (await backend.query(client_call("notes:everything", {}))).value
            assert everything["notes"][: len(EXPECTED["notes"])] == EXPECTED["notes"]
            assert len(everything["notes"]) == len(EXPECTED["notes"]) + added
            assert {name: everything[name] for name in ("jobs", "greeting")} == {
                name: EXPECTED[name] for name in ("jobs", "greeting")
            }
            added = await backend.mutation(client_call("notes:add", {"n": 200.0, "value": "new"}))
            assert added.error is None
            inspection = backend.database._inspection
            assert inspection is not None
            await inspection.run_once()
        finally:
            await backend.close()


@pytest.mark.parametrize("archive", KEPT_BACKUPS, ids=lambda path: path.name.removesuffix(".tar.gz"))
@pytest.mark.parametrize("kind", ["plain", "followed"])
async def test_a_kept_backup_is_restored_and_served(archive: Path, kind: str, tmp_path: Path) -> None:
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / "places", filter="data")
    place = DirectoryPlace(tmp_path / "places" / kind)
    moment = await chosen_moment(place, None)
    assert bool(moment.pieces) == (kind == "followed")
    await verify_backup(place, moment, deep=True)
    await restore_backup(place, moment, tmp_path / "data")
    backend = await Backend.open(BackendConfig(tmp_path / "data", **CONFIG))
    try:
        everything = (await backend.query(client_call("notes:everything", {}))).value
        assert everything == EXPECTED
        added = await backend.mutation(client_call("notes:add", {"n": 200.0, "value": "new"}))
        assert added.error is None
    finally:
        await backend.close()


def test_there_are_releases_to_upgrade_from() -> None:
    assert RELEASES
    assert KEPT_BACKUPS
