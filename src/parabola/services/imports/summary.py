"""What an import is going to change, to be confirmed by whoever started it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["TableChange", "summary"]

_HEAD: Final = ("table", "create", "delete")


@dataclass(frozen=True)
class TableChange:
    """How many documents of a table an import adds, and how many of those that are there it deletes."""

    table: str
    create: int
    delete: int = 0


def summary(changes: Iterable[TableChange], created: Sequence[str] = ()) -> str:
    """The changes as a table for people, with totals where there is more than one line.

    `created` are the paths of components that come into being.
    """
    changes = list(changes)
    lines = [(change.table, f"{change.create:,}", f"{change.delete:,}") for change in changes]
    if len(lines) > 1:
        create, delete = (sum(change.create for change in changes), sum(change.delete for change in changes))
        lines.append(("total", f"{create:,}", f"{delete:,}"))
    widths = [max(len(line[column]) for line in (_HEAD, *lines)) for column in range(3)]
    rows = [
        "  ".join((line[0].ljust(widths[0]), line[1].rjust(widths[1]), line[2].rjust(widths[2])))
        for line in (_HEAD, *lines)
    ]
    rule = "-" * len(rows[0])
    rows.insert(1, rule)
    if len(lines) > 1:
        rows.insert(-1, rule)
    return "\n".join(
        (
            "Documents that the import creates and deletes:",
            "",
            *rows,
            "",
            *_created(created),
            "Once the import has started, it will run in the background.",
            "Interrupting `npx convex import` will not cancel it.",
        )
    )


def _created(components: Sequence[str]) -> tuple[str, ...]:
    if not components:
        return ()
    one = len(components) == 1
    names = f"component {components[0]} is" if one else f"components {', '.join(components)} are"
    it = "it" if one else "them"
    return (f"The {names} not there yet: the data waits, unmounted, for a push that mounts {it}.", "")
