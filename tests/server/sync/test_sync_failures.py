"""How a socket ends (the table of sync-and-http 1.12)."""

from __future__ import annotations

import pytest

from parabola.server.sync.failures import Ending, ProtocolViolation, ending_for
from parabola.values.errors import (
    BadRequest,
    Conflict,
    ConvexError,
    Forbidden,
    InternalServerError,
    NotFound,
    OutOfRetention,
    Overloaded,
    PaginationLimit,
    RateLimited,
    Unauthenticated,
)

INTERNAL = Ending(None, "", 1011, "InternalServerError")


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (BadRequest("x", "Bad"), Ending("fatal", "x", None, "")),
        (Conflict("x", "Twice"), Ending("fatal", "x", None, "")),
        (Forbidden("x", "NoWay"), Ending("fatal", "x", 1000, "NoWay")),
        (PaginationLimit("x", "TooMuch"), Ending("fatal", "x", 1000, "TooMuch")),
        (Unauthenticated("x"), Ending("auth", "x", None, "")),
        (NotFound("x", "Gone"), Ending(None, "", 1000, "Gone")),
        (RateLimited("x", "Slower"), Ending(None, "", 1013, "Slower")),
        (Overloaded("x", "Full"), Ending(None, "", 1013, "Full")),
        (OutOfRetention("x"), Ending(None, "", 1013, "OutOfRetention")),
        (InternalServerError("secret", "Secret"), INTERNAL),
        (ProtocolViolation("x"), INTERNAL),
        (RuntimeError("x"), INTERNAL),
        (ConvexError("x"), INTERNAL),
    ],
)
def test_endings(error: Exception, ending: Ending):
    assert ending_for(error) == ending


def test_a_reason_fits_into_a_close_frame():
    assert len(ending_for(Overloaded("x", "ä" * 100)).reason.encode()) <= 123
