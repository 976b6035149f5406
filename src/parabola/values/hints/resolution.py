"""From an annotation to the hint it spells, and from a hint back to the line it stands on."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
import types
import typing
from collections.abc import Callable
from typing import Any, Final

__all__ = [
    "advice_for",
    "is_type_alias",
    "line_of_hint",
    "resolve_hint",
    "signature_of",
    "source_file",
    "spelled",
]

_ADVICE: Final = {
    **dict.fromkeys(
        ("QueryCtx", "MutationCtx", "ActionCtx", "SyncQueryCtx", "SyncMutationCtx", "SyncActionCtx"),
        "The context is the first parameter, and there is only one.",
    ),
    "bytearray": "Use bytes.",
    "deque": "Use list[T].",
    "complex": "Use a TypedDict of two floats.",
    "Id": 'Name the table: Id["tasks"].',
    "Doc": 'Name the table: Doc["tasks"].',
    "NewDoc": 'Name the table: NewDoc["tasks"].',
    "PatchDoc": 'Name the table: PatchDoc["tasks"].',
}


def signature_of(function: Callable[..., Any]) -> inspect.Signature:
    """The signature of a function, hints that name nothing at run time included."""
    if sys.version_info >= (3, 14):
        from annotationlib import Format

        return inspect.signature(function, annotation_format=Format.FORWARDREF)
    return inspect.signature(function)


def resolve_hint(function: Callable[..., Any], annotation: Any) -> Any:
    """The hint an annotation of `function` spells: strings are evaluated where the function was defined.

    Each is resolved alone, so that a context type imported for type checkers only does not stand in the way.
    """
    holder = types.SimpleNamespace(__annotations__={"hint": annotation})
    # The hidden parameter names of a closure are all of its surroundings that can still be seen.
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    surroundings = {name: cell.cell_contents for name, cell in cells if _is_filled(cell)}
    return typing.get_type_hints(
        holder, globalns=function.__globals__, localns=surroundings, include_extras=True
    )["hint"]


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018  # asking is the only way to know
    except ValueError:
        return False
    return True


def is_type_alias(hint: Any) -> bool:
    """True for what `type X = ...` makes, of `typing` (Python 3.12) or `typing_extensions`."""
    return type(hint).__name__ == "TypeAliasType"


def spelled(hint: Any) -> str:
    """A hint as its author wrote it, as nearly as that can be known."""
    if hint is type(None):
        return "None"
    if isinstance(hint, type) and not typing.get_args(hint):
        return hint.__qualname__
    return repr(hint).replace("typing.", "")


def advice_for(hint: Any) -> str:
    """What to write instead of a hint for which there is no validator."""
    origin = typing.get_origin(hint) or hint
    name = getattr(origin, "__name__", "")
    advice = _ADVICE.get(name)
    if advice is not None:
        return advice
    if isinstance(hint, typing.TypeVar):
        return "Functions cannot be generic: name a type."
    if isinstance(hint, type):
        return "Make it a TypedDict, a dataclass, a msgspec.Struct or a Pydantic model."
    return (
        "Use str, float, int, bool, bytes, None, Int64, Id[...], list, dict, Literal, a union or a TypedDict."
    )


def source_file(function: Callable[..., Any]) -> str:
    """The file a function stands in."""
    return function.__code__.co_filename


def line_of_hint(function: Callable[..., Any], parameter: str) -> int:
    """The line of a parameter (or `return`) of a function; without the source, the function's own."""
    first = function.__code__.co_firstlineno
    try:
        lines, start = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, SyntaxError, TypeError):
        return first
    definition = tree.body[0]
    if not isinstance(definition, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return first
    if parameter == "return":
        return start - 1 + (definition.returns or definition).lineno
    arguments = definition.args
    every = [
        *arguments.posonlyargs,
        *arguments.args,
        *arguments.kwonlyargs,
        arguments.vararg,
        arguments.kwarg,
    ]
    for argument in every:
        if argument is not None and argument.arg == parameter:
            return start - 1 + argument.lineno
    return first
