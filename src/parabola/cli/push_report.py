"""What a push changed, in lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from parabola.values.data_files import is_data_path

__all__ = ["describe", "of_components"]

_COMPONENTS: Final = {
    "create": "+ component {}",
    "remount": "+ component {}, with the data it had",
    "unmount": "- component {}, whose data stays",
    "modify": "~ component {}",
}


def describe(answer: Mapping[str, Any]) -> Iterator[str]:
    """Lines about the modules and indexes that a push added, removed or changed (the answer of
    `/api/parabola/push`).
    """
    modules, indexes = answer["modules"], answer["indexes"]
    for sign, title, names in (
        ("+", "module", modules["added"]),
        ("-", "module", modules["removed"]),
        ("~", "module", modules["changed"]),
        ("+", "index", indexes["added"]),
        ("-", "index", indexes["removed"]),
    ):
        for name in names:
            yield f"{sign} {'file' if title == 'module' and is_data_path(name) else title} {name}"
    for name in indexes.get("unique", ()):
        yield f"~ index {name}: unique from now on"
    for name in indexes.get("ordinary", ()):
        yield f"~ index {name}: not unique any more"
    yield from of_components(answer.get("components") or {})


def of_components(differences: Mapping[str, str]) -> Iterator[str]:
    """Lines about what becomes of components, by their paths."""
    for path, difference in differences.items():
        yield _COMPONENTS[difference].format(path)
