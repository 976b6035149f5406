"""Names of indexes in Python functions that no table has: found at a push, not at the first call."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from parabola.project import Project
from parabola.values.near_names import did_you_mean

__all__ = ["index_names", "index_warnings", "unknown_indexes"]

_METHODS: Final = ("with_index", "with_search_index")
_BUILT_IN: Final = ("by_id", "by_creation_time")


def index_warnings(
    project: Project, modules: Mapping[str, str], schema: Mapping[str, Any] | None
) -> Iterator[str]:
    """What to say of the indexes that the modules of a push name: their texts by path, and the JSON of the
    schema that is deployed with them.
    """
    sources = {project.display(path): source for path, source in modules.items()}
    yield from unknown_indexes(sources, index_names(schema))


def index_names(schema: Mapping[str, Sequence[Mapping[str, object]]] | None) -> dict[str, list[str]] | None:
    """The indexes of every table, from the JSON of a schema (deploy-api 7.4); None without one."""
    if schema is None:
        return None
    lists = ("indexes", "stagedDbIndexes", "searchIndexes", "stagedSearchIndexes")
    return {
        str(table["tableName"]): [
            str(index["indexDescriptor"])
            for each in lists
            for index in table.get(each) or ()  # type: ignore[attr-defined]
        ]
        for table in schema["tables"]
    }


def unknown_indexes(sources: Mapping[str, str], indexes: Mapping[str, Iterable[str]] | None) -> Iterator[str]:
    """A line for each literal name in `.with_index("…")` that the table it is asked of does not have, or
    where the source does not tell the table, no table has.

    `sources` are texts by path, which the push has taken, so that they can be parsed; without `indexes` of a
    schema there is nothing to hold them to.
    """
    if indexes is None:
        return
    for path, source in sources.items():
        if any(method in source for method in _METHODS):
            for line, table, name in _used(ast.parse(source)):
                known = indexes.get(table) if table is not None else None
                names = {*_BUILT_IN, *(_all(indexes) if known is None else known)}
                if name not in names:
                    owner = "no table" if known is None else f'the table "{table}"'
                    verb = "has an" if known is None else "has no"
                    yield f'{path}:{line}: {owner} {verb} index "{name}".{did_you_mean(name, names)}'


def _all(indexes: Mapping[str, Iterable[str]]) -> Iterator[str]:
    for names in indexes.values():
        yield from names


def _used(tree: ast.AST) -> Iterator[tuple[int, str | None, str]]:
    """Line, table if it stands there, and name of every index that is named by a literal."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
            name = _literal(node)
            if name is not None:
                yield node.lineno, _table(node.func.value), name


def _table(queried: ast.expr) -> str | None:
    if (
        isinstance(queried, ast.Call)
        and isinstance(queried.func, ast.Attribute)
        and queried.func.attr == "query"
    ):
        return _literal(queried)
    return None


def _literal(call: ast.Call) -> str | None:
    first = call.args[0] if call.args else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
