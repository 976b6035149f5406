"""Putting functions in the place of others, and putting everything back."""

from __future__ import annotations

import ctypes
import gc
from typing import Any, Final

__all__ = ["Replacements"]

_ABSENT: Final = object()


class Replacements:
    """What was replaced, in order; `undo` restores it."""

    def __init__(self) -> None:
        self._before: list[tuple[Any, str, Any]] = []

    def set(self, holder: Any, name: str, value: Any) -> None:
        """Give `holder` (a module or a class) the attribute. Builtin classes are opened for it."""
        if isinstance(holder, type) and not holder.__flags__ & _HEAP_TYPE:
            names = _names_of(holder)
            self._before.append((holder, name, names.get(name, _ABSENT)))
            names[name] = value
            ctypes.pythonapi.PyType_Modified(ctypes.py_object(holder))
        else:
            self._before.append((holder, name, vars(holder).get(name, _ABSENT)))
            setattr(holder, name, value)

    def undo(self) -> None:
        """Restore everything, the latest first."""
        while self._before:
            holder, name, value = self._before.pop()
            if isinstance(holder, type) and not holder.__flags__ & _HEAP_TYPE:
                names = _names_of(holder)
                if value is _ABSENT:
                    names.pop(name, None)
                else:
                    names[name] = value
                ctypes.pythonapi.PyType_Modified(ctypes.py_object(holder))
            elif value is _ABSENT:
                delattr(holder, name)
            else:
                setattr(holder, name, value)


_HEAP_TYPE: Final = 1 << 9  # Py_TPFLAGS_HEAPTYPE


def _names_of(holder: type) -> dict[str, Any]:
    """The dictionary behind a builtin class, which Python code usually sees through a read-only proxy.

    It is the way to freeze `datetime.now` without replacing the class: a subclass in its place would break
    `isinstance`, pickles, and everything that imported `datetime` before.
    """
    (names,) = (thing for thing in gc.get_referents(holder.__dict__) if isinstance(thing, dict))
    return names
