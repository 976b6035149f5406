"""The languages functions are written in, and the runtimes that run them: one row each.

A new language is a new host (host-protocol.md), its command (`parabola.host_programs`) and rows here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from parabola.functions.settings import FunctionSettings
from parabola.values.host_limits import HostLimits
from parabola.values.limits import MAX_ARGUMENTS_SIZE, MAX_NODE_ARGUMENTS_SIZE

__all__ = [
    "LANGUAGES",
    "RUNTIMES",
    "Language",
    "LanguageRow",
    "Runtime",
    "RuntimeName",
    "host_limits",
    "language_of",
    "runtimes_of",
]

RuntimeName: TypeAlias = Literal["python", "isolate", "node"]
"""Where a module runs: the Python host, the default JavaScript runtime, or full Node.js (`"use node"`)."""

Language: TypeAlias = Literal["python", "typescript"]


class LanguageRow(Struct, frozen=True):
    """A language as it is pushed: how its modules end, where its schema and its auth config are."""

    name: Language
    extension: str
    schema_module: str
    auth_module: str
    http_module: str
    written_as: str
    """The endings its authors use, for texts."""
    config: str
    """The file that defines the app or a component, as its authors write it."""
    command: str
    """The command line that its authors use."""
    analyzed_at_once: bool = False
    """Its modules are analysed together, not each by itself with what it imports."""
    pushed_by_npx: bool = False
    """`npx convex` pushes it, and is told of its modules."""
    is_advised: bool = False
    """Its authors are told more than the official texts, and unknown tables are refused: nothing official
    says what such functions do."""
    has_integers: bool = False
    """Its functions tell integers from other numbers."""


class Runtime(Struct, frozen=True):
    """One kind of host."""

    name: RuntimeName
    language: Language
    action_seconds: Callable[[FunctionSettings], float]
    """Which setting is the time of an action (js-runtime §5.5)."""
    argument_bytes: int
    """Bytes of a call's arguments (js-runtime §7.5, §9)."""
    runs_transactions: bool = True
    """Queries and mutations too, and not actions alone."""
    installs_packages: bool = False
    """Modules may import packages that the server installs (deploy-api §5.2)."""
    executes: bool = False
    """Its hosts run the transactions of queries and mutations by themselves as far as they can."""
    begins_as_copy: bool = False
    """Hosts are copies of one that has loaded everything, components too."""
    keeps_realms: bool = False
    """A host keeps a realm, with the modules, for each query or mutation that is under way."""
    answers_normalize_id: bool = False
    """The host is told the numbers of tables, and answers `normalizeId` by itself (js-runtime §1.6)."""


LANGUAGES: Final[Mapping[Language, LanguageRow]] = {
    row.name: row
    for row in (
        LanguageRow(
            "python",
            ".py",
            "schema.py",
            "auth_config.py",
            "http.py",
            ".py",
            "convex_config.py",
            "parabola",
            analyzed_at_once=True,
            is_advised=True,
            has_integers=True,
        ),
        LanguageRow(
            "typescript",
            ".js",
            "schema.js",
            "auth.config.js",
            "http.js",
            ".ts (or .js)",
            "convex.config.ts",
            "npx convex",
            pushed_by_npx=True,
        ),
    )
}

RUNTIMES: Final[Mapping[RuntimeName, Runtime]] = {
    row.name: row
    for row in (
        Runtime(
            "python",
            "python",
            lambda settings: settings.action_seconds,
            MAX_ARGUMENTS_SIZE,
            executes=True,
            begins_as_copy=True,
        ),
        Runtime(
            "isolate",
            "typescript",
            lambda settings: settings.action_seconds,
            MAX_ARGUMENTS_SIZE,
            executes=True,
            keeps_realms=True,
            answers_normalize_id=True,
        ),
        Runtime(
            "node",
            "typescript",
            lambda settings: settings.node_action_seconds,
            MAX_NODE_ARGUMENTS_SIZE,
            runs_transactions=False,
            installs_packages=True,
        ),
    )
}


def language_of(runtime: RuntimeName) -> LanguageRow:
    """The language that a runtime runs."""
    return LANGUAGES[RUNTIMES[runtime].language]


def runtimes_of(language: Language) -> tuple[RuntimeName, ...]:
    """The runtimes of a language, the default one first."""
    return tuple(row.name for row in RUNTIMES.values() if row.language == language)


def host_limits(runtime: RuntimeName, settings: FunctionSettings) -> HostLimits:
    """What a host of a runtime is told to hold its functions to."""
    row = RUNTIMES[runtime]
    return HostLimits(
        user_seconds=settings.user_seconds,
        action_seconds=row.action_seconds(settings),
        argument_bytes=row.argument_bytes,
        shared_memory=settings.host_memory_bytes // 2,
    )
