"""Names of functions: `a/b:fn`, `a/b.js:fn`, `a/b.py:fn`, `a/b` and `a/b:default` (sync-and-http §3.4)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from parabola.values.errors import BadRequest

__all__ = ["EXTENSIONS", "FunctionPath", "parse_path", "strip_extension"]

EXTENSIONS: Final = (".js", ".py", ".ts", ".tsx", ".jsx", ".mjs")
_COMPONENT: Final = re.compile(r"[A-Za-z0-9_.]{1,64}\Z")
_FUNCTION: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}\Z")


class FunctionPath(NamedTuple):
    """A module without its extension, and an export of it."""

    module: str
    name: str

    @property
    def canonical(self) -> str:
        """`a/b:fn`, with `:default` written out: the key under which a deployment knows the function."""
        return f"{self.module}:{self.name}"

    def __str__(self) -> str:
        """The form shown to people: without extension, without `:default`."""
        return self.module if self.name == "default" else self.canonical


def strip_extension(module: str) -> str:
    """`a/b.js` -> `a/b`."""
    for extension in EXTENSIONS:
        if module.endswith(extension):
            return module[: -len(extension)]
    return module


def _is_module(module: str) -> bool:
    components = module.split("/")
    return all(
        _COMPONENT.match(part) and part not in (".", "..") and any(c.isalnum() for c in part)
        for part in components
    )


@lru_cache(maxsize=4096)
def parse_path(text: str) -> FunctionPath:
    """Read a function's name in any of its spellings.

    Raises `BadRequest` (code `BadConvexFunctionIdentifier`) for a text that cannot name a function.
    """
    module, colon, name = text.rpartition(":")
    if not colon:
        module, name = text, "default"
    module = strip_extension(module)
    if not _is_module(module) or not _FUNCTION.match(name) or not name.strip("_"):
        raise BadRequest(
            f"{text} is not a valid path to a Convex function. "
            "A path looks like 'module:function' or 'folder/module:function'.",
            code="BadConvexFunctionIdentifier",
        )
    return FunctionPath(module, name)
