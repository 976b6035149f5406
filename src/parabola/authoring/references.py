"""References to functions: `api.tasks.list`, `internal.jobs.clean`, `components.mailer.lib.send`."""

from __future__ import annotations

from typing import Any, Final

from parabola.values.errors import BadRequest
from parabola.values.validators.handles import HANDLE_SCHEME

__all__ = ["FunctionReference", "api", "components", "function_address", "function_name", "internal"]

_CHILD: Final = "_reference/childComponent/"


class FunctionReference:
    """A function by name. Attributes lead to modules and then to functions: `api.admin.users.ban`.

    `api` and `internal` name the same functions; the two words say what the author expects.
    """

    __slots__ = ("_parts", "_root")

    def __init__(self, root: str, parts: tuple[str, ...] = ()) -> None:
        self._root = root
        self._parts = parts

    def __getattr__(self, name: str) -> FunctionReference:
        if name.startswith("__"):
            raise AttributeError(name)
        return FunctionReference(self._root, (*self._parts, name))

    __getitem__ = __getattr__

    def __repr__(self) -> str:
        return ".".join((self._root, *self._parts))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FunctionReference) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash((self._root, self._parts))


def function_address(function: Any) -> dict[str, str]:
    """How a syscall names a function: by `name`, `reference` or `functionHandle` (js-runtime 1.7).

    Takes a reference, `"tasks:list"`, a function handle, or the decorated function itself. Raises
    `BadRequest` for anything else.
    """
    if isinstance(function, FunctionReference):
        return _reference_address(function)
    if isinstance(function, str):
        if function.startswith(HANDLE_SCHEME):
            return {"functionHandle": function}
        return {"name": _canonical(function)}
    name = getattr(function, "reference_name", None)
    if isinstance(name, str):
        return {"name": name}
    raise BadRequest(
        f"{function!r} is not a functionReference. Pass `api.module.function`, 'module:function' or the "
        "decorated function.",
        "InvalidFunctionReference",
    )


def function_name(function: Any) -> str:
    """`"tasks:list"` for what `function_address` takes; component references and handles are refused."""
    address = function_address(function)
    if "name" not in address:
        raise BadRequest(
            f"Expected a function of this app like `api.file.func`, found {function!r}.",
            "InvalidFunctionReference",
        )
    return address["name"]


def _reference_address(reference: FunctionReference) -> dict[str, str]:
    parts = reference._parts
    if reference._root == "components":
        if len(parts) < 2:
            raise BadRequest(
                "API path is expected to be of the form `components.childComponent.moduleName.functionName`. "
                f"Found: `{reference!r}`",
                "InvalidFunctionReference",
            )
        return {"reference": _CHILD + "/".join(parts)}
    if len(parts) < 2:
        raise BadRequest(
            f"API path is expected to be of the form `{reference._root}.moduleName.functionName`. "
            f"Found: `{reference!r}`",
            "InvalidFunctionReference",
        )
    return {"name": _canonical(f"{'/'.join(parts[:-1])}:{parts[-1]}")}


def _canonical(name: str) -> str:
    return name.removesuffix(":default")


api: Final = FunctionReference("api")
internal: Final = FunctionReference("internal")
components: Final = FunctionReference("components")
