"""Admin keys: who may make one, and which are accepted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.services.sign_in.admin_keys import check_admin_key, make_admin_key, make_signed_key
from parabola.values.errors import Unauthenticated

SECRET = "5a" * 32


def test_a_key_made_with_the_secret_is_accepted() -> None:
    claims = check_admin_key(make_admin_key("my-app", SECRET), "my-app", SECRET)
    assert claims.issued_at > 1_600_000_000
    assert not claims.is_system
    assert not claims.is_read_only


def test_a_key_has_the_length_of_the_official_ones() -> None:
    assert len(make_admin_key("my-app", SECRET).split("|")[1]) == 74


def test_a_signed_key_is_accepted_and_has_an_id_of_its_own() -> None:
    keys = [make_signed_key("my-app", SECRET) for _ in range(2)]
    claims = [check_admin_key(key, "my-app", SECRET) for key in keys]
    assert not any(each.is_system or each.is_read_only for each in claims)
    assert all(each.issued_at > 1_600_000_000 for each in claims)
    assert claims[0].key_id != claims[1].key_id


@given(st.data())
def test_no_byte_of_a_signed_key_can_be_another_one(data: st.DataObject) -> None:
    name, _, text = make_signed_key("my-app", SECRET).partition("|")
    key = bytearray.fromhex(text)
    key[data.draw(st.integers(0, len(key) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Unauthenticated):
        check_admin_key(f"{name}|{key.hex()}", "my-app", SECRET)


def test_what_a_key_restricts_is_read_back() -> None:
    claims = check_admin_key(make_admin_key("my-app", SECRET, read_only=True, system=True), "my-app", SECRET)
    assert claims.is_read_only
    assert claims.is_system


@pytest.mark.parametrize("prefix", ["prod:", "dev:"])
def test_a_deploy_key_is_an_admin_key_with_a_prefix(prefix: str) -> None:
    check_admin_key(prefix + make_admin_key("my-app", SECRET), "my-app", SECRET)


def test_a_key_may_come_without_its_name() -> None:
    bare = make_admin_key("my-app", SECRET, read_only=True).partition("|")[2]
    assert check_admin_key(bare, "my-app", SECRET).is_read_only
    with pytest.raises(Unauthenticated):
        check_admin_key(flipped(bare), "my-app", SECRET)
    with pytest.raises(Unauthenticated):
        check_admin_key(bare, "my-app", "5b" * 32)


def test_an_older_key_is_accepted() -> None:
    # The development key that the official server's public repository documents, in the secretbox format.
    claims = check_admin_key(
        "carnitas|0135d8598650f8f5cb0f30c34ec2e2bb62793bc28717c8eb6fb577996d50be5f4281b59181095065c5d0f86a2c31ddbe9b597ec62"
        "b47ded69782cd",
        "carnitas",
        b'Carnitas, literally meaning "lit'.hex(),
    )
    assert claims.issued_at == 1638826753


def flipped(key: str) -> str:
    """The key with its last bit changed."""
    return f"{key[:-1]}{int(key[-1], 16) ^ 1:x}"


@pytest.mark.parametrize(
    "key",
    [
        "",
        "my-app",
        "my-app|",
        "my-app|zz",
        "my-app|01",
        "my-app|" + "00" * 37,
        make_admin_key("my-app", "5b" * 32),
        make_admin_key("other-app", SECRET),
        flipped(make_admin_key("my-app", SECRET)),
        "my-app|" + "01" * 600,
        make_signed_key("my-app", "5b" * 32),
        make_signed_key("other-app", SECRET),
        flipped(make_signed_key("my-app", SECRET)),
        "my-app|70",
        "my-app|" + "70" * 40,
    ],
    # Keys are random: numbers as names keep them the same in every worker.
    ids=range(15),
)
def test_anything_else_is_refused(key: str) -> None:
    with pytest.raises(Unauthenticated, match="invalid for this instance") as caught:
        check_admin_key(key, "my-app", SECRET)
    assert caught.value.code == "BadAdminKey"
