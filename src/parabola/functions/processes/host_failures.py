"""What can become of a host, and of whoever needs it."""

from __future__ import annotations

from parabola.values.errors import BadRequest

__all__ = ["HostLost", "LoadFailure"]


class HostLost(Exception):
    """The host went away while this run was in flight there, and it is not certain that the run is to blame:
    run it again elsewhere.

    `how` says how the host's process ended; `None` when it was closed, or nobody wants the run there any
    more. `is_moved` is true when the host lives on, and the run only is to go to a better one. `suspected`
    is true when the run's code was executing then, or nothing but this run was there.
    """

    def __init__(self, how: str | None = None, *, suspected: bool = False, is_moved: bool = False) -> None:
        super().__init__(how or "closed")
        self.how = how
        self.is_moved = is_moved
        self.suspected = suspected


class LoadFailure(BadRequest):
    """A host could not load a deployment. `file` and `line` say where, when the host knows."""

    default_code = "InvalidModules"

    def __init__(self, message: str, *, file: str | None = None, line: int | None = None) -> None:
        super().__init__(message)
        self.file = file
        self.line = line
