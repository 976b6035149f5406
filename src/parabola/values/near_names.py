"""What somebody probably meant by a name that does not exist."""

from __future__ import annotations

import difflib
import heapq
from collections.abc import Iterable
from typing import Final

__all__ = ["did_you_mean"]

_NEAR: Final = 0.6
"""How alike two names are, from 0 to 1, for one to be taken for the other."""
_AS_NEAR: Final = 0.1
"""How much less alike than the likeliest others may be."""
_COMPARED: Final = 50
"""Names that are compared letter by letter, which takes long: those that share the most pairs of letters."""


def did_you_mean(name: str, known: Iterable[str], listed: int = 10) -> str:
    """A sentence, begun by a space, with the nearest of `known`, or up to `listed` of them when none is near.

    Empty when nothing is known.
    """
    names = sorted(set(known))
    near = difflib.get_close_matches(name, _likeliest(name, names), n=3, cutoff=_NEAR)
    likeness = [difflib.SequenceMatcher(None, each, name).ratio() for each in near]
    near = [each for each, ratio in zip(near, likeness, strict=True) if ratio >= likeness[0] - _AS_NEAR]
    if near:
        return f" Did you mean {_either([f'`{each}`' for each in near])}?"
    if not names:
        return ""
    shown = ", ".join(f"`{each}`" for each in names[:listed])
    return f" There is {shown}{f' and {len(names) - listed} more' if len(names) > listed else ''}."


def _likeliest(name: str, names: list[str]) -> list[str]:
    if len(names) <= _COMPARED:
        return names
    pairs = _pairs(name)
    return heapq.nlargest(_COMPARED, names, key=lambda each: len(pairs & _pairs(each)) / (len(each) + 1))


def _pairs(text: str) -> set[str]:
    return {text[at : at + 2] for at in range(len(text) - 1)}


def _either(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
