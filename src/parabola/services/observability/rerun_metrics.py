"""How often live queries ran again since the start, and how long their clients waited for that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from parabola.services.observability.function_metrics import UNKNOWN, NamedFunction
from parabola.services.observability.latencies import Latencies

if TYPE_CHECKING:
    from parabola.functions.queries.query_cache import QueryKey

__all__ = ["RerunMetrics"]


class RerunMetrics:
    """Counts of reruns. `is_deployed` tells which names are good."""

    def __init__(self, is_deployed: Callable[[NamedFunction], bool]) -> None:
        self._is_deployed = is_deployed
        self.numbers: Counter[tuple[NamedFunction, bool]] = Counter()
        """By function, and whether the result was another one."""
        self.lag = Latencies()
        """From the commit that ended a result until there was a new one."""

    def count(self, key: QueryKey, seconds: float, *, changed: bool) -> None:
        """A query has run again, so many seconds after the commit that made it."""
        function = NamedFunction(key.component, key.name.canonical, "Query")
        if (function, changed) not in self.numbers and not self._is_deployed(function):
            function = UNKNOWN
        self.numbers[function, changed] += 1
        self.lag.add(seconds)
