"""What sends spans or records, with a count of those that nobody took: said once an outage, not each time."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Final, Protocol

__all__ = ["CountedExporter", "Exporter"]

_log: Final = logging.getLogger(__name__)


class Exporter(Protocol):
    """What the library has to send one kind of thing."""

    def export(self, batch: Sequence[Any], /) -> Any:
        """The library's word for whether it was taken."""

    def shutdown(self) -> None: ...


class CountedExporter:
    """An exporter as the library wants one, around one of its own. What that says while it tries is kept for
    the one line that tells of an outage.
    """

    def __init__(self, exporter: Exporter, signal: str) -> None:
        self.signal = signal
        self.lost = 0
        """Spans or records that were not taken."""
        self._exporter = exporter
        self._is_failing = False
        self._said = ""
        logging.getLogger(type(exporter).__module__).addFilter(self._keep)

    def export(self, batch: Sequence[Any]) -> Any:
        """Send a batch, with as many tries as the library makes. Blocking."""
        self._said = ""
        result = self._exporter.export(batch)
        if result.name == "SUCCESS":
            self._is_failing = False
            return result
        self.lost += len(batch)
        if not self._is_failing:
            self._is_failing = True
            reason = f": {self._said}" if self._said else ""
            _log.warning("No collector takes %s by OpenTelemetry; they are lost%s", self.signal, reason)
        return result

    def shutdown(self) -> None:
        """Send nothing more."""
        self._exporter.shutdown()
        logging.getLogger(type(self._exporter).__module__).removeFilter(self._keep)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing waits here."""
        return True

    def _keep(self, record: logging.LogRecord) -> bool:
        said = record.getMessage().partition(" encountered while")[0]
        if not self._said or "due to timeout" not in said:  # which does not say why
            self._said = said
        return False
