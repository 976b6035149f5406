"""The queries that clients follow, what they depend on, and why they ran again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from parabola.functions.system.registry import PREFIX
from parabola.services.observability.key_words import KeyWords

if TYPE_CHECKING:
    from parabola.database.database import Database
    from parabola.functions.deployed.function_path import FunctionPath
    from parabola.functions.queries.query_cache import CachedResult, QueryCache
    from parabola.functions.queries.rerun_watch import Rerun

__all__ = ["followed_queries", "reruns"]

MOST_QUERIES: Final = 200
_MOST_ARGUMENTS: Final = 500


def followed_queries(database: Database, cache: QueryCache) -> dict[str, Any]:
    """The app's queries that somebody follows, those with the most clients first, so many of them; and how
    many there are. Whoever asks is shown why they run again from now on (`reruns`).
    """
    cache.reruns.keep_watching()
    of_the_app = (cached for cached in cache.held() if not _is_system(cached.family.key.name))
    held = sorted(of_the_app, key=lambda cached: (-len(cached.holders), -cached.family.executions))
    words = KeyWords(database.registry)
    return {
        "total": len(held),
        "queries": [_shown(cached, words) for cached in held[:MOST_QUERIES]],
    }


def reruns(database: Database, cache: QueryCache, after: int) -> list[dict[str, Any]]:
    """Results that commits have ended behind a timestamp, oldest first."""
    cache.reruns.keep_watching()
    words = KeyWords(database.registry)
    return [
        _told(rerun, words)
        for rerun in cache.reruns.newest
        if rerun.ts > after and not _is_system(rerun.function)
    ]


def _is_system(function: FunctionPath) -> bool:
    """Whether it is a dashboard's own."""
    return function.module.startswith(PREFIX)


def _shown(cached: CachedResult, words: KeyWords) -> dict[str, Any]:
    family, result = cached.family, cached.result
    return {
        "component": family.key.component,
        "function": str(family.key.name),
        "args": family.key.args[:_MOST_ARGUMENTS].decode(errors="replace"),
        "clients": len(cached.holders),
        "runs": family.executions,
        "unchangedRuns": family.unchanged,
        "hits": family.hits.number,
        "bytes": len(result.value_json),
        "failed": result.error is not None,
        "usesClock": result.used_clock,
        "usesIdentity": result.used_identity,
        "reads": [] if result.read_set is None else words.reads(result.read_set),
    }


def _told(rerun: Rerun, words: KeyWords) -> dict[str, Any]:
    touched = rerun.touched
    return {
        "ts": str(rerun.ts),
        "component": rerun.component,
        "function": str(rerun.function),
        "args": rerun.arguments[:_MOST_ARGUMENTS].decode(errors="replace"),
        "clients": rerun.clients,
        "writer": None if touched is None else touched.commit.source,
        "place": None if touched is None else words.place(touched.index_id, touched.key),
    }
