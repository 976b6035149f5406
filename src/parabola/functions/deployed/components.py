"""Components: instances of definitions, each with a namespace of its own. Immutable; a push makes
new ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct, field

from parabola.functions.deployed.built_in_variables import built_in_variables
from parabola.functions.deployed.definition import Definition

__all__ = ["APP_ID", "Component", "Variable"]

APP_ID: Final = ""
"""What stands for the app in the place of a component's id, and of its path."""


class Variable(Struct, frozen=True):
    """What an instance was given for a variable that it declares: a text, or the name of one of the app's."""

    value: str | None = None
    name: str | None = None


class Component(Struct, frozen=True):
    """One mount of a definition: the app, or an instance below it.

    `id` names its namespace and stays with `path`, the names of its mounts from the app down, joined by
    slashes. Both are empty for the app.
    """

    id: str = APP_ID
    path: str = ""
    definition: Definition = field(default_factory=Definition)
    env: Mapping[str, Variable] = {}
    """What it was given; a component reads no variable of the app by itself (components 7.5)."""
    http_prefix: str | None = None
    """Where its HTTP actions are, with a slash at both ends; None where they cannot be reached."""
    mounts: Mapping[str, str] = {}
    """Its children's names by the prefixes at which they are mounted."""
    children: Mapping[str, str] = {}
    """The ids of its children by their names."""
    state: Literal["active", "unmounted"] = "active"

    @property
    def is_app(self) -> bool:
        """Whether it is the app."""
        return self.id == APP_ID

    def named(self) -> str:
        """How texts go on after a function of it: ` in 'a/b'`, nothing for the app."""
        return f" in '{self.path}'" if self.path else ""

    def variables(self, app: Mapping[str, str], instance: Mapping[str, str]) -> dict[str, str]:
        """What its functions read as their environment, of the app's variables and the addresses of the
        server: what it was given, and these addresses.
        """
        built_in = built_in_variables(instance)
        if self.is_app:
            return {**built_in, **app}
        if self.http_prefix is not None and "CONVEX_SITE_URL" in built_in:
            site = built_in["CONVEX_SITE_URL"].rstrip("/")
            built_in["CONVEX_SITE_URL"] = site + self.http_prefix.rstrip("/")
        found = {name: value for name, value in built_in.items() if name not in self.env}
        for name, variable in self.env.items():
            value = variable.value if variable.name is None else app.get(variable.name)
            if value is not None:
                found[name] = value
        return found

    def app_variables(self, name: str) -> list[str]:
        """The variables of the app on which it depends what a function here reads as `name`; `*`: as any."""
        if self.is_app:
            return [name]
        given = self.env.values() if name == "*" else [self.env[name]] if name in self.env else []
        return [variable.name for variable in given if variable.name is not None]
