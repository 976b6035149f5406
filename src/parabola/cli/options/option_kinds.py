"""How the values of options are written: `500MB`, `14d`, `64`, as a flag, as a variable and in a file."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

__all__ = [
    "BACKUP_TIMES",
    "COUNT",
    "FILE",
    "FOLDER",
    "PORT",
    "SIZE",
    "SWITCH",
    "TEXT",
    "TIME",
    "Kind",
    "choice",
]


class Kind(Struct, frozen=True):
    """A way to write values. `read` raises `ValueError`, whose text says what to write instead."""

    metavar: str
    read: Callable[[str], Any]
    write: Callable[[Any], str] = str
    in_file: tuple[type, ...] = (str,)
    """What stands for it in a configuration file."""
    choices: tuple[str, ...] = ()
    """The only values there are, if they can be listed."""


_NUMBER: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)\Z", re.IGNORECASE)
_SIZES: Final = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_TIMES: Final = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 24 * 3600.0}


def _read_size(text: str) -> int:
    found = _NUMBER.match(text.strip())
    unit = found and re.sub(r"(?<=.)i?b\Z|\Ab\Z", "", found[2].lower())
    if found is None or unit not in _SIZES:
        raise ValueError("give a number of bytes, or one with KB, MB, GB or TB, such as 500MB")
    return int(float(found[1]) * _SIZES[unit])


def _write_size(size: int) -> str:
    for unit in ("t", "g", "m", "k"):
        if size and size % _SIZES[unit] == 0:
            return f"{size // _SIZES[unit]}{unit.upper()}B"
    return str(size)


def _read_time(text: str) -> float:
    found = _NUMBER.match(text.strip())
    if found is None or found[2].lower() not in _TIMES:
        raise ValueError("give a number of seconds, or one with s, m, h or d, such as 90s or 14d")
    return float(found[1]) * _TIMES[found[2].lower()]


def _write_time(seconds: float) -> str:
    for unit in ("d", "h", "m"):
        if seconds and seconds % _TIMES[unit] == 0:
            return f"{int(seconds / _TIMES[unit])}{unit}"
    return f"{int(seconds) if seconds % 1 == 0 else seconds}s"


def _read_count(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        if text.startswith("tcp://"):
            raise ValueError(
                "give a whole number (Kubernetes sets such variables for a service of this name; say"
                " `enableServiceLinks: false` in the pod)"
            ) from None
        raise ValueError("give a whole number") from None


def _read_switch(text: str) -> bool:
    if text.lower() in ("true", "1", "yes", "on"):
        return True
    if text.lower() in ("false", "0", "no", "off"):
        return False
    raise ValueError("give true or false")


def choice(*values: str) -> Kind:
    """One of a few words."""

    def read(text: str) -> str:
        if text not in values:
            raise ValueError(f"give {' or '.join(values)}")
        return text

    return Kind("|".join(values), read, choices=values)


def _read_backup_times(text: str) -> str:
    from parabola.services.backups.backup_times import BackupTimes

    return BackupTimes.read(text).text


BACKUP_TIMES: Final = Kind("HH:MM|TIME", _read_backup_times)
COUNT: Final = Kind("N", _read_count, in_file=(int,))
PORT: Final = Kind("PORT", _read_count, in_file=(int,))
SIZE: Final = Kind("SIZE", _read_size, _write_size, (int, str))
TIME: Final = Kind("TIME", _read_time, _write_time, (int, float, str))
TEXT: Final = Kind("TEXT", str)
FOLDER: Final = Kind("FOLDER", Path)
FILE: Final = Kind("FILE", Path)
SWITCH: Final = Kind("", _read_switch, lambda value: str(value).lower(), (bool,))
