"""What the server says of itself on standard error."""

from __future__ import annotations

import logging

from parabola.values.texts import displayable

__all__ = ["begin_log"]


class _Lines(logging.Formatter):
    """The time, who says it, and what; nothing that a terminal obeys."""

    def format(self, record: logging.LogRecord) -> str:
        return displayable(super().format(record))


def begin_log() -> None:
    """From now on warnings and errors are printed."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines("  %(asctime)s %(name)s: %(message)s", datefmt="%H:%M:%S"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
