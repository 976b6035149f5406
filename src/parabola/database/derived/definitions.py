"""From the row of a search or vector index to what is built from it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from parabola.database.derived.entries import TextDefinition, VectorDefinition
from parabola.database.derived.segments.segment_files import SegmentFiles
from parabola.database.derived.text.text_index import TextIndex
from parabola.database.derived.vectors.vector_index import VectorIndex
from parabola.database.model.indexes import Index

__all__ = ["Definition", "Structure", "definition_of", "open_structure"]

Definition: TypeAlias = TextDefinition | VectorDefinition
Structure: TypeAlias = TextIndex | VectorIndex


def definition_of(index: Index) -> Definition:
    """The definition in the options of an index that is no database index."""
    options = dict(index.options)
    filter_fields = tuple(options.get("filterFields", ()))
    if index.kind == "search":
        return TextDefinition(options["searchField"], filter_fields)
    return VectorDefinition(options["vectorField"], int(options["dimensions"]), filter_fields)


async def open_structure(
    definition: Definition, directory: Path | None, live: Mapping[str, int], ts: int
) -> tuple[Any, list[str]]:
    """What is saved of an index, as of `ts`, and the ids of `live` documents that are still to be filled in.

    `live` has the timestamp at which each document was written.
    """
    files = None if directory is None else SegmentFiles(directory)
    if isinstance(definition, TextDefinition):
        return await TextIndex.open(definition, files, live, ts)
    return await VectorIndex.open(definition, files, live, ts)
