"""Calls that cannot be made."""

from __future__ import annotations

from parabola.functions.outcomes.failures import FunctionFailure

__all__ = ["CallRefused", "refused"]


class CallRefused(Exception):
    """The call cannot be made; `failure` is what the caller is told."""

    def __init__(self, failure: FunctionFailure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def refused(message: str) -> CallRefused:
    """A refusal with a text of the engine's own (no frames)."""
    return CallRefused(FunctionFailure(message))
