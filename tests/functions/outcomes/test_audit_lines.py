"""Lines for the audit log: what they may be, and how much."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.functions.outcomes.audit_lines import VARIABLES, AuditLines
from parabola.values.errors import BadRequest

FILLED: dict[str, Any] = {
    "requestId": "r",
    "ip": "1.1.1.1",
    "userAgent": None,
    "now": 5.0,
    "convexActor": None,
}


def text_of(size: int) -> dict[str, str]:
    """A line of so many bytes."""
    return {"a": "x" * (size - len('{"a":""}'))}


def test_there_are_only_so_many_lines() -> None:
    lines = AuditLines()
    for _ in range(500):
        lines.add("m:f", "Query", {})
    with pytest.raises(BadRequest, match="may write 500 lines"):
        lines.add("m:f", "Query", {})
    assert len(lines.all()) == 500


def test_a_line_is_only_so_long() -> None:
    lines = AuditLines()
    lines.add("m:f", "Query", text_of(100_000))
    with pytest.raises(BadRequest, match="may have 100000 bytes, not 100001"):
        lines.add("m:f", "Query", text_of(100_001))


def test_all_lines_are_only_so_long() -> None:
    lines = AuditLines()
    for _ in range(40):
        lines.add("m:f", "Query", text_of(100_000))
    with pytest.raises(BadRequest, match="may write 4000000 bytes"):
        lines.add("m:f", "Query", {})


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ([], "is an object"),
        (None, "is an object"),
        ({"$set": 1}, 'must not start with "$": "$set"'),
        ({"a": [{"$var": "ip", "b": 1}]}, 'must not start with "$": "$var"'),
        ({"a": {"$var": "secret"}}, "no variable 'secret'"),
        ({"a": {"$var": ["ip"]}}, "no variable"),
    ],
)
def test_what_is_no_line_is_refused(body: Any, text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        AuditLines().add("m:f", "Query", body)
    assert text in refused.value.message


@pytest.mark.parametrize("levels", [300, 5000])
def test_a_line_has_only_so_many_levels(levels: int) -> None:
    body: Any = {}
    for _ in range(levels):
        body = {"a": body}
    with pytest.raises(BadRequest, match="nested too deeply"):
        AuditLines().add("m:f", "Query", body)


names = st.text(max_size=3).filter(lambda name: not name.startswith("$"))
variables = st.sampled_from(VARIABLES).map(lambda name: {"$var": name})
bodies = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3) | variables,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


def filled(value: Any) -> Any:
    if isinstance(value, list):
        return [filled(item) for item in value]
    if isinstance(value, dict):
        return (
            FILLED[value["$var"]] if "$var" in value else {name: filled(item) for name, item in value.items()}
        )
    return value


@given(st.dictionaries(names, bodies, max_size=4))
def test_variables_are_filled_in_wherever_they_stand(body: dict[str, Any]) -> None:
    row = AuditLines().add("m:f", "Query", body).row(0, "success", FILLED)
    assert orjson.loads(row.body) == filled(body)
    assert (row.request_id, row.time_ms) == ("r", 5.0)
