"""Secrets that are given in files, where neither the list of processes nor a shell's history has them."""

from __future__ import annotations

from pathlib import Path

from parabola.values.errors import BadRequest

__all__ = ["read_secret_file"]


def read_secret_file(file: Path, what: str, code: str | None = None) -> str:
    """The secret in a file that has nothing else; `what` it is, for the text.

    Raises `BadRequest` (`code`) for a file that cannot be read.
    """
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise BadRequest(f"The {what} cannot be read from {file}: {why}.", code=code) from None
