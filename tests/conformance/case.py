"""What one statement of the references is checked with."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

LANGUAGES: Final = ("typescript", "python")
Json = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """A call and what comes of it.

    `item` is the section of `js-runtime.md` (js) or `semantics.md` (sem), with a word on the statement.
    `documents` are in the table `items` before. `value` is the exact result, or a pattern of a text;
    `error` a pattern that the text of the failure contains; `data` the data of a `ConvexError`; `logs` the
    exact lines, or their patterns. Each may be given per language. `then` are further calls, checked the
    same way.
    """

    item: str
    function: str
    args: Json = field(default_factory=dict)
    value: Any = ...
    error: Any = None
    data: Any = ...
    logs: Any = None
    documents: Sequence[Json] = ()
    then: Sequence[Case] = ()
    languages: Sequence[str] = LANGUAGES
    deviation: Mapping[str, str] = field(default_factory=dict)
    """Why the product does not do this, by language."""

    def __str__(self) -> str:
        return self.item


class PerLanguage(dict[str, Any]):
    """An expectation that depends on the language."""


def in_language(expected: Any, language: str) -> Any:
    return expected.get(language, ...) if isinstance(expected, PerLanguage) else expected


def typescript_name(function: str) -> str:
    """`queries:in_range` is `queries:inRange` there."""
    return re.sub(r"_(\w)", lambda match: match[1].upper(), function)
