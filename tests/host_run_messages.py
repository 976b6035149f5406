"""Counts what hosts say about runs."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from parabola.functions.processes.host_run import Run


class Messages(Counter[str]):
    """How many messages of which kind have reached the engine."""


def counted_messages(monkeypatch: pytest.MonkeyPatch) -> Messages:
    """Counts from now on, until `monkeypatch` undoes it."""
    counted, deliver = Messages(), Run.deliver

    def count(run: Run, message: Any) -> None:
        counted[type(message).__name__] += 1
        deliver(run, message)

    monkeypatch.setattr(Run, "deliver", count)
    return counted
