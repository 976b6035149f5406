"""What functions did over time, in equal parts of a window: the charts of dashboards.

What is kept is minutes, so a part shorter than a minute has what began in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from parabola.services.observability.latencies import Latencies
from parabola.values.errors import BadRequest

if TYPE_CHECKING:
    from parabola.services.observability.function_metrics import Metric, NamedFunction, Runs

__all__ = ["Point", "Window", "call_series", "latency_series", "share_series", "top"]

MAX_PARTS: Final = 1_000

Point = tuple[float, float | None]
"""When a part begins, in seconds since 1970, and its value; None where nothing ran."""


class Numbered(Protocol):
    """What happened in one minute. `number`: minutes since 1970."""

    @property
    def number(self) -> int: ...


AMinute = TypeVar("AMinute", bound=Numbered)


@dataclass(frozen=True, slots=True)
class Window:
    """From a time on and before another, in seconds since 1970, in so many parts."""

    start: float
    end: float
    parts: int

    @classmethod
    def of(cls, given: Any) -> Window:
        """The window of a request: `{start, end, num_buckets}`, with times as `{secs_since_epoch,
        nanos_since_epoch}`. Raises `BadRequest`.
        """
        try:
            window = cls(_time(given["start"]), _time(given["end"]), int(given["num_buckets"]))
        except (KeyError, TypeError, ValueError):
            raise BadRequest(
                "The window must be `{start, end, num_buckets}`, and its times "
                "`{secs_since_epoch, nanos_since_epoch}`.",
                code="BadWindow",
            ) from None
        if not 0 < window.parts <= MAX_PARTS or not window.start < window.end:
            raise BadRequest(
                f"The window must end after it starts, and have 1 to {MAX_PARTS} parts.", code="BadWindow"
            )
        return window

    def divided(self, minutes: Iterable[AMinute]) -> list[tuple[float, list[AMinute]]]:
        """Each part's beginning with the minutes that began in it."""
        length = (self.end - self.start) / self.parts
        parts: list[tuple[float, list[AMinute]]] = [
            (self.start + place * length, []) for place in range(self.parts)
        ]
        for minute in minutes:
            began = minute.number * 60
            # A minute that was under way when the window began counts for the first part.
            # Multiplied first: the length of a part may be no number that there is.
            place = int((max(began, self.start) - self.start) * self.parts // (self.end - self.start))
            if began + 60 > self.start and began < self.end and place < self.parts:
                parts[place][1].append(minute)
        return parts


def call_series(runs: Runs | None, metric: Metric, window: Window) -> list[Point]:
    """How much of a metric there was in each part."""
    return [
        (start, float(sum(minute.amount(metric) for minute in minutes)))
        for start, minutes in window.divided(runs.minutes if runs else ())
    ]


def share_series(runs: Runs | None, part: Metric, window: Window) -> list[Point]:
    """How many of a hundred calls were of a kind, in each part in which there was any."""
    points: list[Point] = []
    for start, minutes in window.divided(runs.minutes if runs else ()):
        whole = sum(minute.runs for minute in minutes)
        some = sum(minute.amount(part) for minute in minutes)
        points.append((start, 100 * some / whole if whole else None))
    return points


def latency_series(runs: Runs | None, percent: float, window: Window) -> list[Point]:
    """A percentile of the seconds that runs took, in each part."""
    return [
        (start, Latencies.merged(minute.latencies for minute in minutes).percentile(percent))
        for start, minutes in window.divided(runs.minutes if runs else ())
    ]


def top(
    functions: Mapping[NamedFunction, Runs], metric: Metric, window: Window, most: int
) -> list[tuple[NamedFunction, Runs]]:
    """The functions with most of a metric in the window, those with any, the most first."""
    first, last = int(window.start // 60), int(-(-window.end // 60))
    amounts = {
        function: sum(minute.amount(metric) for minute in runs.between(first, last))
        for function, runs in functions.items()
    }
    ranked = sorted((name for name in amounts if amounts[name]), key=lambda name: (-amounts[name], name))
    return [(function, functions[function]) for function in ranked[:most]]


def _time(given: Any) -> float:
    return float(given["secs_since_epoch"]) + float(given.get("nanos_since_epoch", 0)) / 1e9
