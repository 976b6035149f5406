"""`convex_config.py`: an app that uses components, or a component, and the variables that each declares.

::

    app = define_app(env={"KEY": v.string()})
    app.use("../components/mailer", env={"API_KEY": app.env.KEY}, http_prefix="/mail/")
    app.use("@convex-dev/rate-limiter", name="limits")

    component = define_component("mailer", env={"API_KEY": v.optional(v.string())})
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Final

from parabola.values.errors import BadRequest
from parabola.values.validators.builder import FieldValidator, OptionalValidator, Validator

__all__ = [
    "AppDefinition",
    "ComponentDefinition",
    "DeclaredVariables",
    "EnvVariable",
    "InvalidDefinition",
    "Usable",
    "UsedComponent",
    "define_app",
    "define_component",
    "given_json",
    "prefix_of",
    "variables_json",
]


class InvalidDefinition(BadRequest):
    """An app or a component is defined in a way that makes no sense. Change `convex_config.py`."""

    default_code = "InvalidDefinition"


@dataclass(frozen=True)
class EnvVariable:
    """A variable of whoever uses a component, as `app.env.KEY` names it: what the component is given."""

    name: str


class DeclaredVariables:
    """`app.env`: each declared variable as an attribute."""

    def __init__(self, names: Mapping[str, Any], owner: str, function: str) -> None:
        self._names = names
        self._owner = owner
        self._function = function

    def __getattr__(self, name: str) -> EnvVariable:
        if name.startswith("__"):
            raise AttributeError(name)
        if name not in self._names:
            raise InvalidDefinition(
                f'Env var "{name}" is not declared on {self._owner}. Add it to the `env` option of '
                f"`{self._function}`."
            )
        return EnvVariable(name)

    __getitem__ = __getattr__


@dataclass(frozen=True)
class UsedComponent:
    """What a call of `use` says. `component` is a text that names a folder or a package, or a definition."""

    component: str | ComponentDefinition
    name: str | None = None
    env: Mapping[str, str | EnvVariable] = field(default_factory=dict)
    http_prefix: str | None = None
    place: tuple[str, int] = ("", 0)
    """The file and the line of the call."""


class _Definition:
    """What apps and components share."""

    def __init__(self, env: Mapping[str, FieldValidator] | None, owner: str, function: str) -> None:
        self.variables: Final = dict(env or {})
        """The declared variables and their validators."""
        for name, validator in self.variables.items():
            if not isinstance(validator, (Validator, OptionalValidator)):
                raise InvalidDefinition(
                    f'Environment variable "{name}" must be defined with a validator, such as v.string().'
                )
        self.env: Final = DeclaredVariables(self.variables, owner, function)
        """The declared variables, to be given to components: `env={"KEY": app.env.KEY}`."""
        self.used: Final[list[UsedComponent]] = []
        """The components that are used, in order."""

    def use(
        self,
        component: Usable,
        *,
        name: str | None = None,
        env: Mapping[str, str | EnvVariable | None] | None = None,
        http_prefix: str | None = None,
    ) -> None:
        """Mount a component, with tables of its own.

        `component`: the path of a folder with a `convex_config.py`, from the folder of this file; a module
        with a `component`, or that; the name of an npm package, or of a component that an installed Python
        package offers. `name`: how functions name it, `components.<name>`; its own name unless given. `env`:
        texts or variables of this definition, by the names that the component declares. `http_prefix`: where
        its HTTP actions are. Raises `InvalidDefinition`.
        """
        if name is not None:
            _check_name(name)
        given: dict[str, str | EnvVariable] = {}
        for variable, value in (env or {}).items():
            if isinstance(value, (str, EnvVariable)):
                given[variable] = value
            elif value is not None:
                raise InvalidDefinition(
                    f'Env var "{variable}" must be a string or an env var reference. '
                    f"Received: {type(value).__name__}"
                )
        prefix, caller = prefix_of(http_prefix), sys._getframe(1)
        place = caller.f_code.co_filename, caller.f_lineno
        self.used.append(UsedComponent(_named(component), name, given, prefix, place))


class AppDefinition(_Definition):
    """What `define_app` makes. One module-level name of `convex_config.py` holds it, such as `app`."""

    def __init__(self, http_prefix: str | None, env: Mapping[str, FieldValidator] | None) -> None:
        super().__init__(env, "this app", "define_app")
        self.http_prefix: Final = prefix_of(http_prefix)
        self.offered: Final[list[UsedComponent]] = []
        """The components that TypeScript may use."""

    def offer(self, component: Usable, *, name: str | None = None) -> None:
        """Let `convex.config.ts` use a Python component, which is not mounted by that.

        `parabola dev` and `parabola codegen` write `_python_components/<name>/convex.config.ts` for it.
        `name` is the component's own unless given. Raises `InvalidDefinition`.
        """
        if name is not None:
            _check_name(name)
        caller = sys._getframe(1)
        place = caller.f_code.co_filename, caller.f_lineno
        self.offered.append(UsedComponent(_named(component), name, place=place))


class ComponentDefinition(_Definition):
    """What `define_component` makes. One module-level name of `convex_config.py` holds it: `component`."""

    def __init__(
        self, name: str, env: Mapping[str, FieldValidator] | None, npm: str | None, file: str
    ) -> None:
        _check_name(name)
        super().__init__(env, f'component "{name}"', "define_component")
        self.name: Final = name
        """How it is called where it is used, unless that says otherwise."""
        self.npm: Final = npm
        """The npm package that TypeScript apps use instead."""
        self.file: Final = file
        """The file that defines it: its folder is the component."""


Usable = str | os.PathLike[str] | ModuleType | ComponentDefinition
"""What `use` takes."""


def define_app(
    *, http_prefix: str | None = None, env: Mapping[str, FieldValidator] | None = None
) -> AppDefinition:
    """Define the app in `convex_config.py`.

    `http_prefix`: what the paths of its own HTTP actions begin with. `env`: the variables that must be set
    before it is deployed, with validators of texts; `v.optional` for those that need not be. Raises
    `InvalidDefinition`.
    """
    return AppDefinition(http_prefix, env)


def define_component(
    name: str, *, env: Mapping[str, FieldValidator] | None = None, npm: str | None = None
) -> ComponentDefinition:
    """Define the component that the folder of the calling file holds.

    `env`: the variables it is given where it is used, with validators of texts. `npm`: the npm package that
    is the same for TypeScript apps. Raises `InvalidDefinition`.
    """
    file = sys._getframe(1).f_globals.get("__file__")
    if not isinstance(file, str):
        raise InvalidDefinition("A component is a folder: call `define_component` in its convex_config.py.")
    return ComponentDefinition(name, env, npm, file)


def prefix_of(http_prefix: str | None) -> str | None:
    """A prefix with a slash at both ends. Raises `InvalidDefinition`."""
    if http_prefix is None:
        return None
    if not isinstance(http_prefix, str) or not http_prefix.startswith("/"):
        raise InvalidDefinition(f'http_prefix must start with "/". Received: "{http_prefix}"')
    return http_prefix if http_prefix.endswith("/") else f"{http_prefix}/"


def variables_json(definition: AppDefinition | ComponentDefinition) -> list[tuple[str, dict[str, Any]]]:
    """The declared variables as a push has them (deploy-api 7.1)."""
    return [
        (
            name,
            {
                "type": "value",
                "value": _inner(validator),
                "optional": isinstance(validator, OptionalValidator),
            },
        )
        for name, validator in definition.variables.items()
    ]


def given_json(used: UsedComponent) -> list[tuple[str, dict[str, str]]]:
    """What a component is given, as a push has it."""
    return [
        (
            name,
            {"type": "envVar", "name": value.name}
            if isinstance(value, EnvVariable)
            else {"type": "value", "value": value},
        )
        for name, value in used.env.items()
    ]


def _inner(validator: FieldValidator) -> str:
    required = validator.inner if isinstance(validator, OptionalValidator) else validator
    return json.dumps(required.to_json(), separators=(",", ":"))


def _check_name(name: object) -> None:
    if not isinstance(name, str):
        raise InvalidDefinition(f"Component name must be a string. Received: {type(name).__name__}")
    if not name:
        raise InvalidDefinition("Component name cannot be empty.")


def _named(component: object) -> str | ComponentDefinition:
    if isinstance(component, ModuleType):
        return _only_component(component)
    if isinstance(component, os.PathLike):
        return str(os.fspath(component))
    if isinstance(component, (str, ComponentDefinition)):
        return component
    raise InvalidDefinition(
        f"Component definition does not name a component: {component!r}. Pass the path of its folder, its "
        "module, or the name of its package."
    )


def _only_component(module: ModuleType) -> ComponentDefinition:
    named = getattr(module, "component", None)
    if isinstance(named, ComponentDefinition):
        return named
    found = {id(each): each for each in vars(module).values() if isinstance(each, ComponentDefinition)}
    if len(found) != 1:
        raise InvalidDefinition(
            f"The module {module.__name__} defines no component. It needs "
            '`component = define_component("name")`.'
        )
    return next(iter(found.values()))
