"""Which strings may name a field, a table, an index or a declared field (semantics 1.4 and 1.5)."""

from __future__ import annotations

import re
from typing import Final

from parabola.values.errors import BadRequest, InvalidValue
from parabola.values.limits import MAX_FIELD_NAME_LENGTH, MAX_IDENTIFIER_LENGTH

__all__ = [
    "check_field_name",
    "check_identifier",
    "field_name_problem",
    "identifier_problem",
    "is_identifier",
    "known_names",
    "remember_name",
]

_PRINTABLE_ASCII: Final = re.compile(r"[ -~]*\Z")
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")

# Names of fields that are known to be fine: the same few come back in every document.
known_names: set[str] = {"_id", "_creationTime"}
_MAX_KNOWN_NAMES: Final = 10_000


def field_name_problem(name: str) -> str | None:
    """Why `name` cannot name a field of an object, or None: printable ASCII without a leading `$` can."""
    if name.startswith("$"):
        return f"Field name {name} starts with '$', which is reserved."
    if len(name) > MAX_FIELD_NAME_LENGTH:
        return f"Field name is too long ({len(name)} > maximum {MAX_FIELD_NAME_LENGTH})"
    if not _PRINTABLE_ASCII.match(name):
        character = next(c for c in name if not " " <= c <= "~")
        return (
            f"Field name {name} has invalid character '{character}': "
            "Field names can only contain non-control ASCII characters"
        )
    return None


def check_field_name(name: str) -> None:
    """Raise `InvalidValue` unless `name` may name a field of an object; remember it if it may."""
    problem = field_name_problem(name)
    if problem is not None:
        raise InvalidValue(problem, "InvalidFieldName")
    remember_name(name)


def remember_name(name: str) -> None:
    """Keep a checked name in `known_names`, which is emptied rather than let grow without bound."""
    if len(known_names) >= _MAX_KNOWN_NAMES:
        known_names.clear()
    known_names.add(name)


def identifier_problem(name: str) -> str | None:
    """Why `name` is not an identifier, or None. Tables, indexes and declared fields need identifiers."""
    if not name:
        return "Identifier cannot be empty"
    first = name[0]
    if not (first == "_" or (first.isascii() and first.isalpha())):
        return (
            f"Invalid first character '{first}' in {name}: "
            "Identifiers must start with an alphabetic character or underscore"
        )
    if not _IDENTIFIER.match(name):
        character = next(c for c in name if not (c == "_" or (c.isascii() and c.isalnum())))
        return (
            f"Identifier {name} has invalid character '{character}': "
            "Identifiers can only contain alphanumeric characters or underscores"
        )
    if len(name) > MAX_IDENTIFIER_LENGTH:
        return f"Identifier is too long ({len(name)} > maximum {MAX_IDENTIFIER_LENGTH})"
    if not name.strip("_"):
        return f"Identifier {name} cannot have exclusively underscores"
    return None


def is_identifier(name: str) -> bool:
    """True when `name` is an identifier."""
    return identifier_problem(name) is None


def check_identifier(name: str, code: str = "InvalidIdentifier") -> None:
    """Raise `BadRequest` unless `name` is an identifier."""
    problem = identifier_problem(name)
    if problem is not None:
        raise BadRequest(problem, code)
