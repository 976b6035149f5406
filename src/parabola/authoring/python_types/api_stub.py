"""`_generated/api.pyi`: a reference for each function, with the types of its arguments and its result."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from parabola.authoring.component_types import ComponentModules
from parabola.authoring.python_types.python_types import Json, TypeWriter, camel, is_attribute, quoted
from parabola.authoring.python_types.server_stub import SchemaTypes
from parabola.authoring.python_types.texts import HEADER
from parabola.values.analyzed_modules import AnalyzedFunction, AnalyzedModule

__all__ = ["api_stub"]

_HEAD: Final = (
    HEADER
    + """\
# pyright: reportPrivateUsage=false, reportUnusedImport=false
\"\"\"References to this project's functions: `api.module.function`.\"\"\"

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, Never, TypeAlias, TypedDict, overload
from uuid import UUID

from typing_extensions import NotRequired, ReadOnly

from parabola.authoring.typed_contexts import (
    ActionReference,
    ActionReferenceMaybeArgs,
    Items,
    MutationReference,
    MutationReferenceMaybeArgs,
    QueryReference,
    QueryReferenceMaybeArgs,
    Record,
)
from parabola.values.int64 import Int64
from parabola.values.placeholders import CommitTs
"""
)
_COMPONENTS: Final = (
    'components: _components\n"""References to the functions of the components that are used."""\n'
)
_UNKNOWN_COMPONENTS: Final = "from parabola import components as components\n"
_WORD: Final = re.compile(r"[A-Za-z_]\w*")


@dataclass
class _Node:
    """A name below `api`: a folder or module with what is in it, a function, or both at once."""

    function: str | None = None
    is_open: bool = False
    """Whether it is not known what is in it."""
    children: dict[str, _Node] = field(default_factory=dict)

    def child(self, name: str) -> _Node:
        return self.children.setdefault(name, _Node())


def api_stub(
    types: SchemaTypes,
    modules: Mapping[str, AnalyzedModule],
    unknown: Iterable[str] = (),
    components: ComponentModules | None = None,
) -> str:
    """The text of `api.pyi`, to be made after that of `server.pyi`.

    `modules` are those of both languages, `unknown` the paths of modules that nobody has analysed, in which
    anything may be. `components` are those that are used; None where nobody knows.
    """
    writer = TypeWriter(
        set(types.writer.taken) | {"api", "internal", "components"},
        known=dict(types.writer.known),
        documents=dict(types.writer.documents),
    )
    trees = {name: _Node() for name in ("api", "internal")}
    for path in sorted(modules):
        segments = path.rpartition(".")[0].split("/")
        for function in modules[path].functions:
            node = trees["api" if function.exposure == "public" else "internal"]
            for segment in segments:
                node = node.child(segment)
            node.child(function.name).function = _reference(writer, function, segments)
    for path in unknown:
        for node in trees.values():
            for segment in path.rpartition(".")[0].split("/"):
                node = node.child(segment)
            node.is_open = True
    if components is not None:
        trees["components"] = _components_tree(writer, components)
    classes: list[str] = []
    for name, tree in trees.items():
        _write(tree, [name], classes, writer)
    text = "".join(f"\n{each}" for each in (*writer.definitions.values(), *classes))
    words = set(_WORD.findall(text))
    imported = sorted(name for name in types.writer.definitions if name in words)
    imports = "".join(f"from .server import {name} as {name}\n" for name in imported)
    return (
        f"{_HEAD}{imports}{text}\n"
        'api: _api\n"""References to the public functions."""\n'
        'internal: _internal\n"""References to every function that only other functions may call."""\n'
        + (_UNKNOWN_COMPONENTS if components is None else _COMPONENTS)
    )


def _components_tree(writer: TypeWriter, components: ComponentModules) -> _Node:
    root = _Node()
    for name, modules in components.items():
        for path in sorted(modules):
            segments = path.rpartition(".")[0].split("/")
            for function in modules[path].functions:
                node = root.child(name)
                for segment in segments:
                    node = node.child(segment)
                shown = [camel("components"), name, *segments]
                node.child(function.name).function = _reference(writer, function, shown)
    return root


def _reference(writer: TypeWriter, function: AnalyzedFunction, segments: list[str]) -> str:
    name = "".join(map(camel, [*segments, function.name]))
    args, returns = _parse(function.args), _parse(function.returns)
    needs_args = False
    if args is None or args["type"] != "object":
        args_type = "Mapping[str, Any]"
    else:
        # Called after the function even where a table looks the same: complaints name it.
        args_type = writer.name(f"_{name}Args")
        writer.define(args_type, writer.fields(args, f"{name}Args", "write"))
        needs_args = any(not described["optional"] for described in args["value"].values())
    result = "Any" if returns is None else writer.type_of(returns, f"{name}Result", "read")
    kind = f"{function.udf_type}Reference{'' if needs_args else 'MaybeArgs'}"
    return f"{kind}[{args_type}, {result}]"


def _parse(text: str | None) -> Json | None:
    parsed: dict[str, Any] | None = None if text is None else json.loads(text)
    return parsed


def _write(node: _Node, path: list[str], classes: list[str], writer: TypeWriter) -> str:
    """Write the class of a node after those of what is in it; its name."""
    name = writer.name("_" + "_".join(part if is_attribute(f"x{part}") else camel(part) for part in path))
    attributes: list[str] = []
    items: list[str] = []
    for each in sorted(node.children):
        child = node.children[each]
        type = child.function
        if child.children or child.is_open or type is None:
            type = _write(child, [*path, each], classes, writer)
        if is_attribute(each):
            attributes.append(f"    {each}: {type}\n")
        else:
            items.append(f"__getitem__(self, name: Literal[{quoted(each)}]) -> {type}")
    if node.is_open:
        attributes.append("    def __getattr__(self, name: str) -> Any: ...\n")
    head = "    @overload\n" if len(items) > 1 else ""
    attributes += [f"{head}    def {item}: ...\n" for item in items]
    bases = "" if node.function is None else f"({node.function})"
    classes.append(f"class {name}{bases}:\n{''.join(attributes) or '    pass' + chr(10)}")
    return name
