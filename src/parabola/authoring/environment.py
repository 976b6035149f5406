"""`parabola.env`: the deployment's environment variables, as functions see them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Final

__all__ = ["Environment", "env", "variables"]

variables: ContextVar[Callable[[], Mapping[str, str]] | None] = ContextVar("variables", default=None)
"""Gives the variables of the running function; its reads are noted. Set by the host."""


class Environment(Mapping[str, str]):
    """The variables set with `parabola env set`. Outside a function they are those of the process.

    A query that reads a variable runs again when the variable changes.
    """

    def __getitem__(self, name: str) -> str:
        return _current()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_current())

    def __len__(self) -> int:
        return len(_current())

    def __repr__(self) -> str:
        return "parabola.env"


def _current() -> Mapping[str, str]:
    inside = variables.get()
    return os.environ if inside is None else inside()


env: Final = Environment()
