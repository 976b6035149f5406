"""The fields of a document type, as index and search definitions name them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["field_paths"]


def field_paths(validator: Mapping[str, Any], prefix: str = "") -> Iterator[str | None]:
    """The dotted paths of every field of a document; None where any further one may be."""
    kind = validator["type"]
    if kind == "union":
        for member in validator["value"]:
            yield from field_paths(member, prefix)
    elif kind == "object":
        for name, described in validator["value"].items():
            yield f"{prefix}{name}"
            yield from field_paths(described["fieldType"], f"{prefix}{name}.")
    elif kind in ("any", "record"):
        yield None
