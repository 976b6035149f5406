"""What is said of an attribute that does not exist: how Python spells it, or what was probably meant."""

from __future__ import annotations

import re
from typing import Final

from parabola.values.near_names import did_you_mean

__all__ = ["absent", "snake_case"]

_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def absent(owner: object, shown: str, name: str) -> AttributeError:
    """The error for `owner.name`, where `shown` is what the author calls the owner: `ctx.db`.

    Names are those of the official library in snake case, so that somebody who knows TypeScript is told how
    a name is spelled here.
    """
    if name.startswith("_"):
        return AttributeError(name)
    known = [each for each in dir(owner) if not each.startswith("_")]
    for spelled in (snake_case(name), f"{snake_case(name)}_"):
        if spelled in known:
            return AttributeError(f"`{shown}` has no attribute {name!r}. In Python it is `{spelled}`.")
    return AttributeError(f"`{shown}` has no attribute {name!r}.{did_you_mean(snake_case(name), known)}")


def snake_case(name: str) -> str:
    """`withIndex` as `with_index`."""
    return _HUMP.sub("_", name).lower()
