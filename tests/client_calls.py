"""Calls as clients make them."""

from __future__ import annotations

from typing import Any

from parabola.functions.calls.arguments import EncodedArguments
from parabola.functions.calls.calling import Call
from parabola.functions.deployed.identity import NO_IDENTITY, Identity


def client_call(path: str, args: Any = None, identity: Identity = NO_IDENTITY, **options: Any) -> Call:
    """A call; `options` are those of `Call.of_client`."""
    return Call.of_client(path, EncodedArguments({} if args is None else args), identity, **options)
