"""Admin keys that were used are known, those that were revoked are not taken; the secret stays as it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.backend import open_database
from parabola.services.sign_in import known_admin_keys
from parabola.services.sign_in.admin_keys import check_admin_key, make_admin_key
from parabola.services.sign_in.known_admin_keys import AdminKeys
from parabola.values.errors import BadRequest, NotFound, Unauthenticated

SECRET = "5a" * 32


@asynccontextmanager
async def opened(directory: Path) -> AsyncIterator[AdminKeys]:
    """The keys of a deployment, as after a start."""
    database = await open_database(directory)
    keys = AdminKeys(database, "my-app", SECRET)
    await keys.open()
    try:
        yield keys
    finally:
        await asyncio.gather(*keys._noting)
        await keys.close()
        await database.close()


def made(name: str = "", *, read_only: bool = False) -> str:
    return make_admin_key("my-app", SECRET, name=name, read_only=read_only)


def id_of(key: str) -> str:
    return check_admin_key(key, "my-app", SECRET).key_id


@given(st.text(max_size=20), st.booleans())
def test_a_key_tells_its_name_and_an_id_of_its_own(name: str, read_only: bool) -> None:
    name = name.encode("utf-8", "ignore").decode()[:16]
    first, second = made(name, read_only=read_only), made(name, read_only=read_only)
    claims = check_admin_key(first, "my-app", SECRET)
    assert (claims.name, claims.is_read_only) == (name, read_only)
    assert claims.key_id != id_of(second)
    assert len(claims.key_id) == 16


def test_a_long_name_is_refused() -> None:
    with pytest.raises(BadRequest, match="64 bytes"):
        made("ä" * 33)


async def test_keys_that_were_used_are_known_after_a_restart(tmp_path: Path) -> None:
    key = made("laptop", read_only=True)
    async with opened(tmp_path) as keys:
        assert keys.seen == []
        keys.check(key)
        keys.check(key)
        [(row, used)] = keys.seen
        assert used is not None
    async with opened(tmp_path) as keys:
        [(again, used)] = keys.seen
        assert (again.key_id, again.name, again.is_read_only) == (id_of(key), "laptop", True)
        assert again.issued_at == row.issued_at
        assert used is None


async def test_a_revoked_key_is_taken_no_more_and_others_are(tmp_path: Path) -> None:
    lost, kept = made("lost"), made("kept")
    heard: list[str] = []
    async with opened(tmp_path) as keys:
        keys.on_revoked(lambda: heard.append("revoked"))
        keys.check(lost)
        await keys.revoke(id_of(lost))
        assert heard == ["revoked"]
        for key in (lost, f"prod:{lost}", lost.partition("|")[2]):
            with pytest.raises(Unauthenticated, match="was revoked"):
                keys.check(key)
        keys.check(kept)
    async with opened(tmp_path) as keys:
        with pytest.raises(Unauthenticated, match="was revoked"):
            keys.check(lost)
        keys.check(kept)
        assert {row.name: keys.is_revoked(row) for row, _ in keys.seen} == {"lost": True, "kept": False}


async def test_a_key_that_was_never_used_can_be_revoked(tmp_path: Path) -> None:
    key = made()
    async with opened(tmp_path) as keys:
        await keys.revoke(id_of(key))
        with pytest.raises(Unauthenticated):
            keys.check(key)
        with pytest.raises(NotFound, match="parabola admin-key list"):
            await keys.revoke("my laptop")


async def test_revoking_all_ends_those_made_until_then_and_none_made_after(tmp_path: Path) -> None:
    old, own = made("old"), made()
    async with opened(tmp_path) as keys:
        keys.own(own)
        await keys.revoke_all()
        new = made("new")  # in the next second, since keys tell theirs
        with pytest.raises(Unauthenticated):
            keys.check(old)
        keys.check(new)
        keys.check(own)
        assert [row.name for row, _ in keys.seen] == ["new"]
    async with opened(tmp_path) as keys:
        with pytest.raises(Unauthenticated):
            keys.check(own)  # the server that had made it has ended
        keys.check(new)


async def test_only_so_many_keys_are_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_admin_keys, "MOST_SEEN", 2)
    async with opened(tmp_path) as keys:
        for _ in range(4):
            keys.check(made())
        assert len(keys.seen) == 2
