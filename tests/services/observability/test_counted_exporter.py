"""An outage of a collector is said once, with the reason that the library found."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from parabola.services.observability.counted_exporter import CountedExporter

_log = logging.getLogger(__name__)  # as the library's own classes do


class Scripted:
    """Says what it is told, and answers so."""

    def __init__(self) -> None:
        self.says: list[str] = []
        self.answer = "FAILURE"
        self.is_shut_down = False

    def export(self, batch: Sequence[Any], /) -> Any:
        for said in self.says:
            _log.warning(said)
        return SimpleNamespace(name=self.answer)

    def shutdown(self) -> None:
        self.is_shut_down = True


def test_an_outage_is_one_line_and_all_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    exporter = Scripted()
    counted = CountedExporter(exporter, "traces")
    exporter.says = [
        "Transient error refused encountered while exporting spans batch, retrying in 1s.",
        "Failed to export spans batch due to timeout, max retries or shutdown.",
    ]
    for _ in range(3):
        counted.export(["a", "b"])
    assert counted.lost == 6
    assert [record.getMessage() for record in caplog.records] == [
        "No collector takes traces by OpenTelemetry; they are lost: Transient error refused"
    ]
    exporter.answer = "SUCCESS"
    counted.export(["a"])
    exporter.answer, exporter.says = "FAILURE", ["Failed to export spans batch code: 401, reason: no"]
    counted.export(["a"])
    assert counted.lost == 7
    assert caplog.records[-1].getMessage().endswith("code: 401, reason: no")
    counted.shutdown()
    assert exporter.is_shut_down
    _log.warning("said to everybody again")
    assert caplog.records[-1].getMessage() == "said to everybody again"
    assert counted.force_flush()
