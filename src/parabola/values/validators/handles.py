"""The validator of function handles, and their type in hints (semantics 12)."""

from __future__ import annotations

from typing import Any, Final, Literal, NewType

from parabola.values.errors import InvalidId, InvalidValidator
from parabola.values.ids import decode_id
from parabola.values.validators.base import Accepts, Validator, required

__all__ = ["HANDLE_SCHEME", "FunctionHandle", "FunctionType", "FunctionValidator", "is_handle"]

HANDLE_SCHEME: Final = "function://"

FunctionHandle = NewType("FunctionHandle", str)
"""What `ctx.meta.create_function_handle` gives: a string that names a function, to be stored or called.

As a hint it stands for `v.function()`.
"""

FunctionType = Literal["query", "mutation", "action"]
_TYPES: Final = ("query", "mutation", "action")


def is_handle(text: str) -> bool:
    """Whether a text has the form of a handle: `function://<id>`, with or without `#<name>` behind it."""
    if not text.startswith(HANDLE_SCHEME):
        return False
    try:
        decode_id(text.removeprefix(HANDLE_SCHEME).partition("#")[0])
    except InvalidId:
        return False
    return True


class FunctionValidator(Validator[FunctionHandle]):
    """`v.function()`: a function handle, well-formed; the function itself may be gone by now.

    The kind of function, its arguments and its result are for types in generated code: no value is checked
    against them.
    """

    __slots__ = ("args", "fn_type", "returns")

    def __init__(
        self,
        fn_type: FunctionType | None = None,
        args: Validator[Any] | None = None,
        returns: Validator[Any] | None = None,
    ) -> None:
        if fn_type is not None and fn_type not in _TYPES:
            raise InvalidValidator(
                f'v.function() takes "query", "mutation" or "action" as the type, not {fn_type!r}'
            )
        self.fn_type = fn_type
        self.args = None if args is None else required(args, "the arguments of v.function()")
        self.returns = None if returns is None else required(returns, "the result of v.function()")
        super().__init__("function")

    def to_json(self) -> dict[str, Any]:
        json: dict[str, Any] = {"type": "function"}
        if self.fn_type is not None:
            json["fnType"] = self.fn_type
        if self.args is not None:
            json["args"] = self.args.to_json()
        if self.returns is not None:
            json["returns"] = self.returns.to_json()
        return json

    def _compile(self) -> Accepts:
        return lambda value, tables: type(value) is str and is_handle(value)
