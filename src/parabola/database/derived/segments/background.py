"""Long work beside the event loop: how a worker thread leaves it its turn."""

from __future__ import annotations

import time
from typing import Final

__all__ = ["Pauses"]

_TURN: Final = 0.001
_PAUSE: Final = 0.0002


class Pauses:
    """Called between the steps of a loop in a worker thread; sleeps a moment every millisecond.

    A thread that runs Python code gives way after 5 ms only, each time that the event loop has something to
    do. NumPy's own work needs no pauses: it leaves the interpreter to others.
    """

    def __init__(self) -> None:
        self._since = time.monotonic()

    def step(self) -> None:
        """Sleeps if the last pause is long enough ago."""
        if time.monotonic() - self._since > _TURN:
            time.sleep(_PAUSE)
            self._since = time.monotonic()
