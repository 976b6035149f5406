"""Which queries read far more than they return, and which index would find the same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from parabola.database.model.indexes import BY_CREATION_TIME, BY_ID

if TYPE_CHECKING:
    from parabola.database.model.tables import Registry
    from parabola.functions.calls.wide_reads import Reading, ReadingCounts
    from parabola.functions.deployed.deployment import Deployment

__all__ = ["full_scans"]

MOST: Final = 50


def full_scans(
    noted: Mapping[Reading, ReadingCounts], deployment: Deployment, registry: Registry
) -> list[dict[str, Any]]:
    """What was noted since the start, that which read most in vain first, with advice for each."""
    found = sorted(noted.items(), key=lambda each: each[1].returned - each[1].read)
    return [
        {
            "component": reading.component,
            "function": reading.function,
            "table": reading.table,
            "index": None if reading.index_name == BY_CREATION_TIME else reading.index_name,
            "times": counts.times,
            "rowsRead": counts.read,
            "rowsReturned": counts.returned,
            "newest": counts.newest_ms,
            **_advice(reading, _indexes(reading, deployment, registry)),
        }
        for reading, counts in found[:MOST]
    ]


def _indexes(reading: Reading, deployment: Deployment, registry: Registry) -> dict[str, tuple[str, ...]]:
    """The fields of each index that the table has now."""
    component = deployment.component_at(reading.component)
    table = None if component is None else registry.table(reading.table, component.id)
    if table is None:
        return {}
    return {
        index.name: index.fields
        for index in registry.indexes(table.tablet_id)
        if index.kind == "database" and index.name not in (BY_ID, BY_CREATION_TIME)
    }


def _advice(reading: Reading, indexes: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """What to do, in words; `proposed` is the name of an index with its fields where one is missing."""
    fields = (*reading.equal, *([] if reading.ranged is None else [reading.ranged]))
    if not fields:
        if reading.index_name != BY_CREATION_TIME:
            text = (
                "No index can do what this filter does. See whether a field of its own, which mutations "
                "keep, could say it."
            )
        else:
            text = (
                "All of the table goes to the function. Take a page of it or the first documents, or find "
                "what is needed by an index."
            )
        return {"advice": text, "proposed": None}
    for name, indexed in indexes.items():
        if _finds(indexed, reading.equal, reading.ranged):
            return {
                "advice": f"The index {name} is there for this: ask it in place of the filter.",
                "proposed": None,
            }
    name = "by_" + "_and_".join(re.sub(r"\W", "_", field) for field in fields)
    return {
        "advice": f"An index on {', '.join(fields)} finds the same without reading the others. "
        "Then ask it in place of the filter.",
        "proposed": {"name": name[:64], "fields": list(fields)},
    }


def _finds(indexed: tuple[str, ...], equal: tuple[str, ...], ranged: str | None) -> bool:
    """Whether one range of an index is what these fields say."""
    if set(indexed[: len(equal)]) != set(equal):
        return False
    return ranged is None or indexed[len(equal) : len(equal) + 1] == (ranged,)
