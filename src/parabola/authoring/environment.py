"""`parabola.env`: the deployment's environment variables, as functions see them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Final

__all__ = ["ComponentVariables", "Environment", "NotGiven", "NotSet", "env", "variables"]

variables: ContextVar[Callable[[], Mapping[str, str]] | None] = ContextVar("variables", default=None)
"""Gives the variables of the running function; its reads are noted. Set by the host."""


class NotSet(KeyError):
    """An environment variable that is not set."""

    def __str__(self) -> str:
        name = self.args[0]
        return (
            f"The environment variable {name} is not set in this deployment. Set it with `parabola env set "
            f"{name} VALUE`, or read it with `env.get({name!r})` where it may be absent."
        )


class NotGiven(NotSet):
    """A variable that a component is not given."""

    def __str__(self) -> str:
        name = self.args[0]
        return (
            f"The variable {name} is not given to this component. Declare it in `define_component(env=...)` "
            f"and give it in `use(..., env=...)`, or read it with `env.get({name!r})` where it may be absent."
        )


class ComponentVariables(dict[str, str]):
    """The variables of a component: those that it is given, and nothing of the app's."""

    def __missing__(self, name: str) -> str:
        raise NotGiven(name)


class Environment(Mapping[str, str]):
    """The variables set with `parabola env set`. Outside a function they are those of the process.

    A query that reads a variable runs again when the variable changes.
    """

    def __getitem__(self, name: str) -> str:
        try:
            return _current()[name]
        except NotSet:
            raise
        except KeyError:
            raise NotSet(name) from None

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
