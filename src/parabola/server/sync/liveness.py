"""Keeping a socket alive, and noticing that it is not (sync-and-http 1.10).

npm hangs up after 60 s without a *text* message, the Rust family after 30 s without any frame; a client
that has gone silently would be held for ever. Times are seconds of any monotonic clock.
"""

from __future__ import annotations

from typing import Final

from parabola.server.http.rules import ServerRules

__all__ = ["PING_FRAME_EVERY", "PING_MESSAGE_AFTER", "Liveness"]

PING_MESSAGE_AFTER: Final = 15.0
PING_FRAME_EVERY: Final = 5.0


class Liveness:
    """What is due on one socket. Say `sent`, `heard` and `has_spoken`; ask at or after `deadline`.

    Of a client that is there something is heard within `silence` seconds.
    """

    __slots__ = ("_first_until", "_heard", "_next_frame", "_sent", "_silence")

    def __init__(
        self,
        now: float,
        first_message_within: float | None = None,
        silence: float = ServerRules.silence_seconds,
    ) -> None:
        self._silence = silence
        self._first_until = None if first_message_within is None else now + first_message_within
        self._heard = self._sent = now
        self._next_frame = now + PING_FRAME_EVERY

    def sent(self, now: float) -> None:
        """A text message has left."""
        self._sent = now

    def heard(self, now: float) -> None:
        """Anything has arrived: a message, a ping, a pong."""
        self._heard = now

    def has_spoken(self) -> None:
        """A message has arrived: it is a client, and may be silent from now on."""
        self._first_until = None

    @property
    def deadline(self) -> float:
        """When to look again."""
        next_look = min(self._sent + PING_MESSAGE_AFTER, self._next_frame, self._heard + self._silence)
        return next_look if self._first_until is None else min(next_look, self._first_until)

    def is_lost(self, now: float) -> bool:
        """Nothing was heard for so long that nobody is there, or never a message."""
        if self._first_until is not None and now >= self._first_until:
            return True
        return now >= self._heard + self._silence

    def ping_message_is_due(self, now: float) -> bool:
        """True once each time; sending the Ping counts as sent."""
        if now < self._sent + PING_MESSAGE_AFTER:
            return False
        self._sent = now
        return True

    def ping_frame_is_due(self, now: float) -> bool:
        """True once each time."""
        if now < self._next_frame:
            return False
        self._next_frame = now + PING_FRAME_EVERY
        return True
