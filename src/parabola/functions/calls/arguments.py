"""Arguments of calls: as callers send them, and as functions get them (semantics §4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec import UNSET, DecodeError, Struct, json

from parabola.functions.calls.refusals import refused
from parabola.functions.deployed.runtimes import RUNTIMES, language_of
from parabola.values.encoding import decode, dumps
from parabola.values.errors import UserError, ValidationError
from parabola.values.limits import MAX_ARGUMENTS_SIZE
from parabola.values.sizes import humanize, size_by_json

if TYPE_CHECKING:
    from parabola.functions.deployed.deployment import FunctionSpec
    from parabola.values.validators.builder import TableNames

__all__ = [
    "NO_ARGUMENTS",
    "UNREADABLE",
    "Arguments",
    "EncodedArguments",
    "check_arguments",
    "decode_arguments",
]

UNREADABLE: Final = (DecodeError, UnicodeError, RecursionError)
"""Why JSON text cannot be read, though its end was found when the message around it was."""


class Arguments(Struct, frozen=True):
    """Decoded arguments: the one object, and its canonical JSON, by which the cache knows it.

    `size` is that of `size_by_json`.
    """

    value: dict[str, Any]
    json: bytes
    size: int


NO_ARGUMENTS: Final = Arguments({}, b"{}", 2)


class EncodedArguments:
    """Arguments as their caller sent them: the encoded form of one object, bare or as the only element of a
    list.

    What came as JSON text stays text until somebody wants to know what is in it; whatever is found out is
    found out once.
    """

    __slots__ = ("_decoded", "_parsed", "text")

    def __init__(self, parsed: list[Any] | dict[str, Any]) -> None:
        self.text: bytes | None = None
        """The text as it came, if it came as one."""
        self._parsed: Any = parsed
        self._decoded: Arguments | None = None

    @classmethod
    def of_text(cls, text: bytes) -> EncodedArguments:
        """Arguments in a message that has been read as far as to know that this is JSON."""
        arguments = cls.__new__(cls)
        arguments.text = text
        arguments._parsed = UNSET
        arguments._decoded = None
        return arguments

    @classmethod
    def of_value(cls, arguments: Arguments) -> EncodedArguments:
        """Arguments that are decoded already."""
        encoded = cls.of_text(arguments.json)
        encoded._decoded = arguments
        return encoded

    def parse(self) -> Any:
        """What the text says. Raises one of `UNREADABLE` for a number that is none, or endless nesting."""
        if self._parsed is UNSET:
            assert self.text is not None
            self._parsed = json.decode(self.text)
        return self._parsed

    def decode(self, path: str) -> Arguments:
        """The arguments; `path` of the function is for the texts. Raises `CallRefused`."""
        if self._decoded is None:
            try:
                parsed = self.parse()
            except RecursionError:
                raise refused(f"Invalid arguments for {path}: they are nested too deeply.") from None
            except UNREADABLE as error:
                raise refused(f"Invalid arguments for {path}: {error}") from None
            self._decoded = decode_arguments(parsed, path)
            self._parsed = UNSET if self.text is not None else parsed
        return self._decoded


def decode_arguments(args: Any, path: str, *, in_mutation: bool = False) -> Arguments:
    """Decode what a caller sent; `path` is for the texts. Calls inside a mutation may pass the commit
    timestamp that is still to come (semantics §1.6). Raises `CallRefused`.
    """
    if isinstance(args, list):
        if len(args) != 1:
            shown = _show(args)
            raise refused(
                "ArgumentValidationError: Expected to receive a single object as the function's argument. "
                f"Instead received {len(args)} arguments: {shown}"
            )
        given: Any = args[0]
    else:
        given = args
    if not given and isinstance(given, dict):
        return NO_ARGUMENTS
    try:
        value = decode(given, check_size=False, allow_commit_ts=in_mutation)
    except UserError as error:
        raise refused(f"Invalid arguments for {path}: {error.message}") from None
    if not isinstance(value, dict):
        raise refused(
            "ArgumentValidationError: Expected to receive an object as the function's argument. "
            f"Instead received: {_show(given)}"
        )
    json = dumps(value)
    size = size_by_json(value, json)
    if size > MAX_ARGUMENTS_SIZE:
        raise refused(
            f"Arguments for {path} are too large "
            f"(actual: {humanize(size)}, limit: {humanize(MAX_ARGUMENTS_SIZE)})"
        )
    return Arguments(value, json, size)


def check_arguments(spec: FunctionSpec, arguments: Arguments, tables: TableNames) -> None:
    """Validate arguments against the function's `args`. Raises `CallRefused`."""
    limit = RUNTIMES[spec.runtime].argument_bytes
    if (
        arguments.size > limit
    ):  # of a runtime that takes less than others, which is the one of Node.js actions
        raise refused(
            "Node actions arguments size is too large. The maximum size is "
            f"{humanize(limit)} (actual: {humanize(arguments.size)})."
        )
    if spec.args is None:
        return
    try:
        spec.args.check(arguments.value, tables)
    except ValidationError as error:
        advice = error.advice if language_of(spec.runtime).is_advised else ""
        raise refused(f"ArgumentValidationError: {error.message}{advice}") from None


def _show(args: Any) -> str:
    from parabola.values.encoding import display

    try:
        return str(display(decode(args)))
    except UserError as error:
        return f"what is no value ({error.message})"
