"""Uploads in parts: what counts, what is refused, what is cleaned up."""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parabola.database.model.errors import StorageFull
from parabola.services.imports import uploads as uploads_module
from parabola.services.imports.uploads import Uploads
from parabola.values.errors import BadRequest


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path / "imports")


async def chunks(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def broken(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
    raise ConnectionResetError


def contents(uploads: Uploads, token: str) -> bytes:
    with uploads.open(token) as file:
        return file.read()


async def test_parts_are_put_together_in_the_order_that_is_said_in_the_end(uploads: Uploads) -> None:
    token = uploads.start()
    second = await uploads.write_part(token, 2, chunks(b"lo ", b"world"))
    first = await uploads.write_part(token, 1, chunks(b"hel"))
    await uploads.finish(token, [first, second])
    assert contents(uploads, token) == b"hello world"


async def test_a_part_that_is_sent_again_counts_once(uploads: Uploads, tmp_path: Path) -> None:
    token = uploads.start()
    await uploads.write_part(token, 1, chunks(b"the answer got lost"))
    part = await uploads.write_part(token, 1, chunks(b"again"))
    await uploads.finish(token, [part])
    assert contents(uploads, token) == b"again"
    assert len(list((tmp_path / "imports" / token).iterdir())) == 2


async def test_an_upload_without_parts_is_an_empty_file(uploads: Uploads) -> None:
    token = uploads.start()
    await uploads.finish(token, [])
    assert contents(uploads, token) == b""


async def test_nothing_is_kept_of_a_part_that_breaks_off(uploads: Uploads, tmp_path: Path) -> None:
    token = uploads.start()
    with pytest.raises(ConnectionResetError):
        await uploads.write_part(token, 1, broken(b"half"))
    assert list((tmp_path / "imports" / token).iterdir()) == []


async def test_an_upload_goes_on_after_a_restart(uploads: Uploads, tmp_path: Path) -> None:
    token = uploads.start()
    first = await uploads.write_part(token, 1, chunks(b"a"))
    uploads = Uploads(tmp_path / "imports")
    second = await uploads.write_part(token, 2, chunks(b"b"))
    await uploads.finish(token, [first, second])
    assert contents(uploads, token) == b"ab"


@pytest.mark.parametrize("token", ["", "..", "0" * 32, "../imports"])
async def test_unknown_uploads_are_refused(uploads: Uploads, token: str) -> None:
    uploads.start()
    with pytest.raises(BadRequest, match="no upload with this token"):
        await uploads.write_part(token, 1, chunks(b"x"))


@pytest.mark.parametrize("part", ["", "../../x", "00001-" + "0" * 16, 3])
async def test_unknown_parts_are_refused(uploads: Uploads, part: object) -> None:
    token = uploads.start()
    with pytest.raises(BadRequest, match="has no part"):
        await uploads.finish(token, [part])  # type: ignore[list-item]


@pytest.mark.parametrize("number", [0, 10_000])
async def test_part_numbers_have_bounds(uploads: Uploads, number: int) -> None:
    with pytest.raises(BadRequest, match="Part numbers go from 1 to 9999"):
        await uploads.write_part(uploads.start(), number, chunks(b"x"))


async def test_a_finished_upload_takes_no_more_parts(uploads: Uploads) -> None:
    token = uploads.start()
    await uploads.finish(token, [])
    with pytest.raises(BadRequest, match="finished already"):
        await uploads.write_part(token, 1, chunks(b"x"))
    with pytest.raises(BadRequest, match="finished already"):
        await uploads.finish(token, [])


async def test_a_full_disk_is_said_to_be_full(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(uploads_module, "sync_file", full)
    with pytest.raises(StorageFull, match="disk is full"):
        await uploads.write_part(uploads.start(), 1, chunks(b"x"))


async def test_what_nobody_needs_is_removed(uploads: Uploads, tmp_path: Path) -> None:
    needed, old, fresh, abandoned, finished = (uploads.start() for _ in range(5))
    for token in (needed, old, finished):
        await uploads.finish(token, [])
    long_ago = os.stat(tmp_path).st_mtime - uploads_module.ABANDONED_AFTER_SECONDS - 60
    for token in (needed, old, abandoned):
        os.utime(tmp_path / "imports" / token, (long_ago, long_ago))
    uploads.discard_abandoned({needed}, idle_since=long_ago + 30)
    assert {path.name for path in (tmp_path / "imports").iterdir()} == {needed, fresh, finished}
    uploads.discard_abandoned({needed}, idle_since=long_ago + 30, is_start=True)
    assert {path.name for path in (tmp_path / "imports").iterdir()} == {needed, fresh}
    uploads.discard(needed)
    uploads.discard("../..")
    assert {path.name for path in (tmp_path / "imports").iterdir()} == {fresh}


async def test_who_cleans_up_is_not_alone(
    uploads: Uploads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import that ends discards its upload while another one begins and looks at all there are."""
    ending, abandoned = uploads.start(), uploads.start()
    os.utime(tmp_path / "imports" / abandoned, (0, 0))
    listed = [tmp_path / "imports" / ending, tmp_path / "imports" / abandoned]
    uploads.discard(ending)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", lambda _: iter(listed))
        uploads.discard_abandoned((), idle_since=1)
    assert list((tmp_path / "imports").iterdir()) == []


async def test_a_discarded_upload_cannot_be_read(uploads: Uploads) -> None:
    token = uploads.start()
    with pytest.raises(FileNotFoundError):
        uploads.open(token)
