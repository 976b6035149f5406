"""Exceptions as the engine reports them: ``Uncaught ValueError: boom`` and user frames (js-runtime 6.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Final

from parabola.hosts.python.refusals import user_files
from parabola.values.encoding import encode, normalize
from parabola.values.errors import ConvexError, ParabolaError

MAXIMUM_FRAMES: Final = 64
"""Frames kept of one error; of a runaway recursion the innermost ones."""
MAXIMUM_MESSAGE: Final = 64 * 1024


def describe_error(error: BaseException) -> dict[str, Any]:
    """The ``error`` of a ``failed`` message: ``message``, ``frames`` and, for a ``ConvexError``, ``data``."""
    error = single_cause(error)
    described: dict[str, Any] = {"message": uncaught_text(error), "frames": user_frames(error.__traceback__)}
    if isinstance(error, ConvexError):
        try:
            described["data"] = encode(normalize(error.data))
        except Exception as problem:
            described["message"] = f"ConvexError with invalid data: {problem}"
    return described


def single_cause(error: BaseException) -> BaseException:
    """The one error inside an exception group that holds just one, as task groups make them."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def uncaught_text(error: BaseException) -> str:
    """``Uncaught Name: message``. What the engine refused reads ``Error``, the same as in other languages."""
    return f"Uncaught {error_text(error)}"


def error_text(error: BaseException) -> str:
    """``Name: message``."""
    name = type(error).__name__
    if isinstance(error, ParabolaError) and not isinstance(error, ConvexError):
        name = "Error"
    if isinstance(error, BaseExceptionGroup):
        inner = "; ".join(error_text(part) for part in error.exceptions)
        return f"{name}: {error.message}: {inner}"[:MAXIMUM_MESSAGE]
    try:
        message = str(error)
    except Exception as problem:
        message = f"(its message cannot be shown: {type(problem).__name__})"
    return f"{name}: {message}"[:MAXIMUM_MESSAGE] if message else name


def user_frames(traceback: TracebackType | None, files: Mapping[str, str] = user_files) -> list[str]:
    """``create (convex/tasks.py:12)`` for each frame of user code, innermost first."""
    frames = [
        f"{code_name(frame)} ({files[frame.tb_frame.f_code.co_filename]}:{frame.tb_lineno})"
        for frame in _walk(traceback)
        if frame.tb_frame.f_code.co_filename in files
    ]
    return frames[::-1][:MAXIMUM_FRAMES]


def code_name(frame: TracebackType) -> str:
    """The name of the function a frame runs, qualified where Python knows it."""
    code = frame.tb_frame.f_code
    return str(code.co_qualname).replace("<locals>.", "")


def _walk(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next
