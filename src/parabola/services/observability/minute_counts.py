"""Amounts by name and minute: what is counted beside calls, for the charts of dashboards."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from parabola.services.observability.function_metrics import MINUTES_KEPT

if TYPE_CHECKING:
    from parabola.services.observability.time_series import Point, Window

__all__ = ["MAX_NAMES", "MinuteCounts"]

MAX_NAMES: Final = 2_000
"""Names that are counted at a time; the one that was counted first goes."""

Name = TypeVar("Name", bound=Hashable)


class MinuteAmount:
    """An amount in one minute. `number`: minutes since 1970."""

    __slots__ = ("amount", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.amount = 0.0


class MinuteCounts(Generic[Name]):
    """Amounts of many names, minute by minute."""

    def __init__(self, merge: Callable[[float, float], float] = float.__add__) -> None:
        """`merge` makes one amount of two that are told of a minute, in which there is 0 before."""
        self._merge = merge
        self._minutes: dict[Name, deque[MinuteAmount]] = {}

    def add(self, name: Name, minute: int, amount: float = 1.0) -> None:
        """There was so much in a minute, which is not before the last one that was told."""
        minutes = self._minutes.get(name)
        if minutes is None:
            if len(self._minutes) >= MAX_NAMES:
                del self._minutes[next(iter(self._minutes))]
            minutes = self._minutes[name] = deque(maxlen=MINUTES_KEPT)
        if not minutes or minutes[-1].number < minute:
            minutes.append(MinuteAmount(minute))
        minutes[-1].amount = self._merge(minutes[-1].amount, amount)

    def names(self) -> Iterable[Name]:
        """All that was counted."""
        return list(self._minutes)

    def series(self, name: Name, window: Window, *, none: float | None = 0.0) -> list[Point]:
        """The amount in each part of a window, `none` where nothing was told."""
        points: list[Point] = []
        for start, minutes in window.divided(self._minutes.get(name, ())):
            amounts = [minute.amount for minute in minutes]
            whole = none
            for number, amount in enumerate(amounts):
                whole = self._merge(whole or 0.0, amount) if number else amount
            points.append((start, whole))
        return points

    def top(self, window: Window, most: int) -> Mapping[Name, float]:
        """The names with most in a window, with how much that is, the most first."""
        first, last = int(window.start // 60), int(-(-window.end // 60))
        amounts = {
            name: sum(minute.amount for minute in minutes if first <= minute.number < last)
            for name, minutes in self._minutes.items()
        }
        ranked = sorted(
            (name for name in amounts if amounts[name]), key=lambda name: (-amounts[name], str(name))
        )
        return {name: amounts[name] for name in ranked[:most]}
