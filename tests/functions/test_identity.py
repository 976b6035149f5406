"""Who calls."""

from __future__ import annotations

from parabola.functions.identity import NO_IDENTITY, SYSTEM_IDENTITY, Identity


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
