"""Who calls."""

from __future__ import annotations

from typing import Any

import pytest

from parabola.functions.deployed.identity import NO_IDENTITY, SYSTEM_IDENTITY, Identity
from parabola.values.errors import BadRequest


def test_equal_attributes_share_results_in_any_order() -> None:
    one = Identity.user({"subject": "s", "issuer": "i"})
    two = Identity.user({"issuer": "i", "subject": "s"})
    assert one.cache_key == two.cache_key


def test_different_claims_kinds_and_people_do_not_share() -> None:
    identities = [
        NO_IDENTITY,
        SYSTEM_IDENTITY,
        Identity.admin(),
        Identity.user({"subject": "s"}),
        Identity.user({"subject": "s", "role": "x"}),
        Identity.user({"subject": "t"}),
        Identity.admin({"subject": "s"}),
    ]
    assert len({identity.cache_key for identity in identities}) == len(identities)


def test_administrators_keep_their_rights_when_they_act_as_somebody() -> None:
    assert Identity.admin({"subject": "s"}).is_admin
    assert SYSTEM_IDENTITY.is_admin
    assert not Identity.user({"subject": "s"}).is_admin
    assert not NO_IDENTITY.is_admin


def test_attributes_become_json_once() -> None:
    assert NO_IDENTITY.attributes_json == b"null"
    assert Identity.user({"subject": "s"}).attributes_json == b'{"subject":"s"}'


def nested(levels: int) -> list[Any]:
    return [nested(levels - 1)] if levels else []


@pytest.mark.parametrize("value", [2**64, -(2**63) - 1, nested(400), "\ud83d", {"\ud83d": 1}])
def test_attributes_that_cannot_be_handed_on_are_refused(value: object) -> None:
    with pytest.raises(BadRequest, match="functions cannot be given"):
        Identity.user({"subject": "s", "claim": value})
    with pytest.raises(BadRequest, match="functions cannot be given"):
        Identity.admin({"subject": "s", "claim": value})
