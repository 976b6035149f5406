"""Two stand-ins that are not values: `UNDEFINED` (a missing field) and `COMMIT_TS` (a time to come)."""

from __future__ import annotations

from typing import Final

__all__ = ["COMMIT_TS", "UNDEFINED", "CommitTs", "Undefined"]


class Undefined:
    """A field that is not there. It exists in index keys, filters and patches, never in a stored value."""

    __slots__ = ()
    _only: Undefined | None = None

    def __new__(cls) -> Undefined:
        if cls._only is None:
            cls._only = super().__new__(cls)
        return cls._only

    def __repr__(self) -> str:
        return "undefined"

    def __bool__(self) -> bool:
        return False

    def __reduce__(self) -> str:
        return "UNDEFINED"


class CommitTs:
    """The commit timestamp of the running mutation, an Int64 not known before the commit (semantics 1.6).

    Until then it sorts and validates as the largest Int64.
    """

    __slots__ = ()
    _only: CommitTs | None = None

    def __new__(cls) -> CommitTs:
        if cls._only is None:
            cls._only = super().__new__(cls)
        return cls._only

    def __repr__(self) -> str:
        return "commitTs"

    def __reduce__(self) -> str:
        return "COMMIT_TS"


UNDEFINED: Final = Undefined()
COMMIT_TS: Final = CommitTs()
