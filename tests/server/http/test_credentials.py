"""Who speaks: the parts that need no request (those that do are in test_public_api)."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode

import pytest

from parabola.server.http.credentials import split_admin_header, user_attributes
from parabola.server.sync.authentication import token_expiry
from parabola.values.errors import BadRequest


@pytest.mark.parametrize(
    "key", ["name|00ff", "prod:name|00ff", "preview:team:project|00ff", "no-bar", "00ff", "prod:00ff"]
)
def test_a_bare_key_is_a_key(key: str):
    assert split_admin_header(key) == (key, None)


def test_an_identity_follows_the_key():
    assert split_admin_header("prod:name|00ff:eyJhIjoxfQ==") == ("prod:name|00ff", {"a": 1})
    assert split_admin_header("00ff:eyJhIjoxfQ==") == ("00ff", {"a": 1})


@pytest.mark.parametrize("identity", ["", "!!", "AAA=", "W10="])
def test_what_follows_must_be_an_object(identity: str):
    with pytest.raises(BadRequest):
        split_admin_header(f"name|00ff:{identity}")


def test_an_identity_is_made_whole():
    whole = {"tokenIdentifier": "https://i|x|s", "issuer": "https://i|x", "subject": "s"}
    assert user_attributes({"tokenIdentifier": "https://i|x|s"}) == whole
    assert user_attributes({"issuer": "https://i|x", "subject": "s", "name": None}) == whole


@pytest.mark.parametrize("given", [{}, {"issuer": "i"}, {"subject": "s"}, {"tokenIdentifier": 3}])
def test_an_identity_names_somebody(given: dict[str, object]):
    with pytest.raises(BadRequest):
        user_attributes(given)


def token(claims: object) -> str:
    return "h." + urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=") + ".s"


def test_the_expiry_is_read_from_the_token():
    assert token_expiry(token({"exp": 12})) == 12.0
    assert token_expiry(token({"exp": 12.5})) == 12.5


@pytest.mark.parametrize("text", ["", "a.b", "a.!!.c", token([]), token({}), token({"exp": "soon"})])
def test_a_token_may_not_say_when_it_ends(text: str):
    assert token_expiry(text) is None
