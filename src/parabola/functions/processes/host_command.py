"""How host processes are started, and what for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["HostCommand", "Purpose"]


Purpose = Literal["deterministic", "action"]
"""What a host is for: queries and mutations, many at a time, or one action at a time."""


@dataclass(frozen=True)
class HostCommand:
    """How to start a host process. `{fd}` in `argv` stands for the number of the inherited socket; the
    environment variable `PARABOLA_HOST_FD` carries it too.
    """

    language: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    zygote_argv: Sequence[str] | None = None
    """The program that forks hosts on request (`host_zygote`), for languages that have one."""
    memory_text: str = "Function execution ran out of memory"
    """What a call is told that used up its host's memory."""
    heap_bytes: int | None = None
    """At which size of its heap the host ends by itself, if it does."""
    memory_bytes: int | None = None
    """At how much resident memory a host that runs something is killed."""
    step_grace: float = 0.04
    """Seconds of processor time beyond its limit after which a step costs the host; until then the host may
    end it itself."""
