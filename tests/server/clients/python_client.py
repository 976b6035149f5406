"""The PyPI clients: `python_client.py SCENARIO URL`. They hold the GIL while they wait: run them apart."""

from __future__ import annotations

import sys

import pytest
from convex import ConvexClient, ConvexError, ConvexInt64
from convex.http_client import ConvexHttpClient


def live(url: str) -> None:
    client = ConvexClient(url)
    subscription = client.subscribe("messages:list", {})
    assert next(subscription) == []
    assert client.mutation("messages:send", {"body": "a"}) == 1.0
    assert next(subscription) == ["a"]
    values = {"n": 1, "i": ConvexInt64(2**62), "b": b"x", "t": "ä€😀", "none": None, "f": float("inf")}
    assert client.query("messages:echo", values) == values
    assert client.action("messages:act", {"a": [None]}) == {"a": [None]}
    with pytest.raises(Exception, match="boom"):
        client.query("messages:fail", {})
    with pytest.raises(ConvexError) as caught:  # resolved only by the Transition that follows
        client.mutation("messages:failSend", {"data": {"code": 7}})
    assert caught.value.data == {"code": 7.0}
    client.set_auth("alice")
    assert client.query("users:me", {})["subject"] == "alice"
    subscription.unsubscribe()


def admin(url: str) -> None:
    client = ConvexClient(url)
    client.set_admin_auth("fake|0123")
    assert client.query("users:secret", {}) == "internal"


def large(url: str) -> None:
    assert len(ConvexClient(url).query("control:large", {"bytes": 20 * 1024 * 1024})) == 10 * 1024 * 1024


def reconnect(url: str) -> None:
    client, control = ConvexClient(url), ConvexHttpClient(url)
    subscription = client.subscribe("messages:list", {})
    assert next(subscription) == []
    control.action("control:dropSockets", {})
    # A call that this client is about to send when it hears that its socket is broken fails with "channel
    # closed", whether it takes effect or not. Once it has come back it has heard of that.
    control.action("control:newSocket", {})
    client.mutation("messages:send", {"body": "after"})
    while next(subscription) != ["after"]:
        pass


def http(url: str) -> None:
    client = ConvexHttpClient(url)
    assert client.query("messages:list") == []
    assert client.mutation("messages:send", {"body": "a"}) == 1.0
    values = {"n": 1, "i": ConvexInt64(5), "b": b"x"}
    assert client.query("messages:echo", values) == values
    with pytest.raises(ConvexError) as caught:
        client.action("messages:failAct", {"data": "told"})
    assert caught.value.data == "told"
    with pytest.raises(Exception, match="Uncaught ValueError: boom"):
        client.query("messages:fail")
    client.set_auth("alice")
    assert client.query("users:me")["subject"] == "alice"


if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2])
