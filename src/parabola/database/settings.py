"""What an operator may set about the database: how much memory it takes, how long history is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from parabola.values.limits import MIB

__all__ = ["DatabaseSettings"]

_DAY: Final = 24 * 3600.0


@dataclass(frozen=True)
class DatabaseSettings:
    """The settings of one database. Sizes are bytes, times seconds in which the server runs."""

    document_cache_bytes: int = 64 * MIB
    """Memory for documents read lately, decoded; from 1 MiB."""
    page_cache_bytes: int = 64 * MIB
    """Memory for pages of the file read lately; from 1 MiB."""
    recent_commits_bytes: int = 50 * MIB
    """Memory for the keys of the commits of the last five minutes, against which transactions are checked;
    from 1 MiB. A transaction that is older than what fits is run again."""
    history_seconds: float = 3600.0
    """How long what is overwritten or deleted can be read as it was; from 5 minutes. See `Retention`."""
    inspection_seconds: float = _DAY
    """Pause between two comparisons of everything stored with what was written; from 1 minute."""
