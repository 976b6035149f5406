"""`os.environ` inside functions: the deployment's variables; in actions some of the process too."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from parabola.authoring.environment import NotSet, variables
from parabola.hosts.python.world.frozen_world import confined_world
from parabola.hosts.python.world.refusals import refuse
from parabola.hosts.python.world.replacements import Replacements

__all__ = ["KEPT_VARIABLES", "Inside", "reduce_process_environment", "show_function_environment"]

KEPT_VARIABLES: Final = frozenset(
    {
        "PATH", "HOME", "USER", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "PWD", "PYTHONPATH",
        "PYTHONHASHSEED", "PYTHONUNBUFFERED", "VIRTUAL_ENV", "SSL_CERT_FILE", "SSL_CERT_DIR", "SYSTEMROOT",
    }
)  # fmt: skip
"""Variables of the process that actions and imported libraries may need; the rest is the engine's."""


def reduce_process_environment() -> None:
    """Remove from the process what user code has no business to see. Only in a process of our own."""
    for name in list(os.environ):
        if name not in KEPT_VARIABLES:
            del os.environ[name]


def show_function_environment(replacements: Replacements) -> None:
    """Make `os.environ` show the variables of the running function."""
    environ: Any = type(os.environ)
    _replace(replacements, environ, "__getitem__", _get)
    _replace(replacements, environ, "__iter__", _iterate)
    _replace(replacements, environ, "__len__", _count)
    for name in ("__setitem__", "__delitem__"):
        _replace(replacements, environ, name, _change)


Inside = Callable[..., Any]


def _replace(replacements: Replacements, environ: Any, name: str, inside: Inside) -> None:
    original = getattr(environ, name)

    def shim(self: Any, *args: Any) -> Any:
        seen = variables.get() if self is os.environ else None
        return original(self, *args) if seen is None else inside(seen(), original, self, *args)

    shim.__name__ = name
    replacements.set(environ, name, shim)


def _get(seen: Mapping[str, str], original: Any, environ: Any, name: str) -> str:
    try:
        environ.encodekey(name)  # raises TypeError for what is no name, as it does for everybody
        return seen[name]
    except KeyError as error:
        if confined_world() is not None or name not in KEPT_VARIABLES:
            raise (error if isinstance(error, NotSet) else NotSet(name)) from None
    value: str = original(environ, name)
    return value


def _iterate(seen: Mapping[str, str], original: Any, environ: Any) -> Iterator[str]:
    names = list(seen)
    if confined_world() is None:
        names += [name for name in original(environ) if name in KEPT_VARIABLES and name not in seen]
    return iter(names)


def _count(seen: Mapping[str, str], original: Any, environ: Any) -> int:
    return sum(1 for _ in _iterate(seen, _process_names, environ))


def _process_names(environ: Any) -> Iterator[str]:
    return (environ.decodekey(key) for key in list(environ._data))


def _change(seen: Mapping[str, str], original: Any, environ: Any, *args: Any) -> None:
    if confined_world() is not None:
        refuse("os.environ to set variables")
    original(environ, *args)
