"""Types of the standard library that stand for plain values: times, `UUID`, `Decimal`, enumerations."""

from __future__ import annotations

import datetime
import enum
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, Literal

from msgspec import Struct

__all__ = ["LIBRARY_TYPES", "LibraryType", "is_enumeration", "library_type_of"]

_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MILLISECOND: Final = datetime.timedelta(milliseconds=1)


class LibraryType(Struct, frozen=True):
    """How the instances of one class are written as values, and read again.

    `to_plain` raises `ValueError` for an instance that stands for no value, `from_plain` for a value that
    stands for no instance; both say why.
    """

    cls: type
    plain: Literal["string", "number"]
    to_plain: Callable[[Any], str | float]
    from_plain: Callable[[Any], Any]


def _milliseconds(moment: datetime.datetime) -> float:
    if moment.tzinfo is None:
        raise ValueError(
            f"{moment!r} does not say its time zone. Make it with one, for example datetime.now(UTC) or "
            "moment.replace(tzinfo=UTC)"
        )
    return (moment - _EPOCH) / _MILLISECOND


def _moment(milliseconds: float) -> datetime.datetime:
    try:
        return _EPOCH + datetime.timedelta(milliseconds=milliseconds)
    except (OverflowError, ValueError):
        raise ValueError("it is no time between the years 1 and 9999") from None


def _duration(milliseconds: float) -> datetime.timedelta:
    try:
        return datetime.timedelta(milliseconds=milliseconds)
    except (OverflowError, ValueError):
        raise ValueError("it is out of the range of durations") from None


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except ArithmeticError:
        raise ValueError("it is not a decimal number") from None


def _date(text: str) -> datetime.date:
    date = datetime.date.fromisoformat(text) if len(text) == 10 else None
    if date is None or date.isoformat() != text:  # other forms of ISO 8601 would sort otherwise
        raise ValueError("it is not a date such as '2026-01-31'")
    return date


LIBRARY_TYPES: Final = (
    LibraryType(datetime.datetime, "number", _milliseconds, _moment),
    LibraryType(datetime.date, "string", datetime.date.isoformat, _date),
    LibraryType(datetime.time, "string", datetime.time.isoformat, datetime.time.fromisoformat),
    LibraryType(datetime.timedelta, "number", lambda span: span / _MILLISECOND, _duration),
    LibraryType(uuid.UUID, "string", str, uuid.UUID),
    LibraryType(Decimal, "string", str, _decimal),
)
"""Each class with what it is written as. Times are milliseconds since 1970 in UTC, as `_creationTime` is; the
others are the texts that Python writes, dates and times those of ISO 8601. A number of milliseconds tells
microseconds apart in the years 1700 to 2247. A `datetime` is also a `date`, so it stands first."""

_BY_CLASS: Final = {each.cls: each for each in LIBRARY_TYPES}


def library_type_of(cls: Any) -> LibraryType | None:
    """What a class, or one that it is derived from, is written as; None for any other."""
    found = _BY_CLASS.get(cls) if isinstance(cls, type) else None
    if found is None and isinstance(cls, type):
        found = next((each for each in LIBRARY_TYPES if issubclass(cls, each.cls)), None)
    return found


def is_enumeration(cls: Any) -> bool:
    """True for a class made with `enum`."""
    return isinstance(cls, enum.EnumMeta)
