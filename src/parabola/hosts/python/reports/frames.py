"""Exceptions as the engine reports them: `Uncaught ValueError: boom` and user frames (js-runtime 6.1)."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import parabola
from parabola.hosts.python.world.refusals import user_files
from parabola.values.encoding import encode, normalize
from parabola.values.errors import ArgumentMismatch, ConvexError, InvalidValue, ParabolaError, UserError
from parabola.values.limits import MAX_ERROR_MESSAGE_BYTES, MAX_RESULT_SIZE
from parabola.values.sizes import humanize, size_of
from parabola.values.texts import repaired

__all__ = [
    "MAX_FRAMES",
    "MAX_NAME",
    "ResultTooLarge",
    "code_name",
    "describe_error",
    "error_text",
    "frames_beside",
    "single_cause",
    "type_name",
    "uncaught_text",
    "user_frames",
]

_INSTALLED: Final = (sysconfig.get_path("stdlib"), str(Path(parabola.__file__).parent))
MAX_FRAMES: Final = 64
"""Frames kept of one error; of a runaway recursion the innermost ones."""
MAX_NAME: Final = 256
"""Characters of the name of an exception's type."""


class ResultTooLarge(UserError):
    """A function returned more than it may. The text is the engine's, which says it of other languages."""


def describe_error(error: BaseException) -> dict[str, Any]:
    """The `error` of a `failed` message: `message`, `frames` and, for a `ConvexError`, `data`.

    Exceptions are user code: what they say of themselves may raise, be anything, or take for ever. So this
    belongs into the function's own time; it answers whatever happens, but for that time's end.
    """
    try:
        return _describe(single_cause(error))
    except (Exception, SystemExit, KeyboardInterrupt, GeneratorExit):
        return {"message": f"Uncaught {type_name(error)}", "frames": user_frames(error.__traceback__)}


def _describe(error: BaseException) -> dict[str, Any]:
    is_ours = type(error) is ResultTooLarge or type(error) is ArgumentMismatch
    message = str.__str__(error.message) if is_ours else uncaught_text(error)  # type: ignore[attr-defined]
    described: dict[str, Any] = {"message": message, "frames": user_frames(error.__traceback__)}
    if isinstance(error, ConvexError):
        try:
            data = normalize(error.data)
            size = size_of(data)
            if size > MAX_RESULT_SIZE:
                raise InvalidValue(
                    f"it is too large (actual: {humanize(size)}, limit: {humanize(MAX_RESULT_SIZE)})"
                )
            described["data"] = encode(data)
        except Exception as problem:
            described["message"] = f"ConvexError with invalid data: {_said_by(problem)}"[
                :MAX_ERROR_MESSAGE_BYTES
            ]
    described["message"] = repaired(described["message"])
    return described


def single_cause(error: BaseException) -> BaseException:
    """The one error inside an exception group that holds just one, as task groups make them."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def uncaught_text(error: BaseException) -> str:
    """`Uncaught Name: message`. What the engine refused reads `Error`, the same as in other languages."""
    return f"Uncaught {error_text(error)}"


def error_text(error: BaseException) -> str:
    """`Name: message`."""
    name = type_name(error)
    if isinstance(error, ParabolaError) and not isinstance(error, ConvexError):
        name = "Error"
    if isinstance(error, BaseExceptionGroup):
        inner = "; ".join(error_text(part) for part in error.exceptions)
        return f"{name}: {error.message}: {inner}"[:MAX_ERROR_MESSAGE_BYTES]
    message = _said_by(error)
    return f"{name}: {message}"[:MAX_ERROR_MESSAGE_BYTES] if message else name


def type_name(error: BaseException) -> str:
    """The name of an exception's type, with nothing asked of the exception."""
    return repaired(str.__str__(type.__getattribute__(type(error), "__name__")))[:MAX_NAME]


def _said_by(error: BaseException) -> str:
    """What an exception says of itself."""
    try:
        return str.__str__(str(error))
    except (Exception, SystemExit, KeyboardInterrupt, GeneratorExit) as problem:
        return f"(its message cannot be shown: {type_name(problem)})"


def user_frames(traceback: TracebackType | None, files: Mapping[str, str] = user_files) -> list[str]:
    """`create (convex/tasks.py:12)` for each frame of user code, innermost first."""
    frames = [
        f"{code_name(frame)} ({files[frame.tb_frame.f_code.co_filename]}:{frame.tb_lineno})"
        for frame in _walk(traceback)
        if frame.tb_frame.f_code.co_filename in files
    ]
    return frames[::-1][:MAX_FRAMES]


def frames_beside(error: BaseException) -> list[str]:
    """`<module> (shop/prices.py:3)` for frames of modules beside the functions, which nobody has installed;
    innermost first. A text that is not Python comes before all of them.
    """
    places = [
        (code_name(frame), frame.tb_frame.f_code.co_filename, frame.tb_lineno)
        for frame in _walk(error.__traceback__)
    ]
    if isinstance(error, SyntaxError) and error.filename is not None:
        places.append(("<module>", error.filename, error.lineno or 1))
    here = os.getcwd()
    return [
        f"{name} ({os.path.relpath(file, here) if file.startswith(here) else file}:{line})"
        for name, file, line in reversed(places)
        if os.path.isabs(file) and file not in user_files and not _is_installed(file)
    ][:MAX_FRAMES]


def _is_installed(file: str) -> bool:
    return file.startswith(_INSTALLED) or "site-packages" in file or "dist-packages" in file


def code_name(frame: TracebackType) -> str:
    """The name of the function a frame runs, qualified where Python knows it."""
    code = frame.tb_frame.f_code
    return str(code.co_qualname).replace("<locals>.", "")


def _walk(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next
