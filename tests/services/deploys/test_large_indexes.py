"""Which pushes are refused for the indexes of large tables."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.services.deploys.large_indexes import LARGE_INDEXES, refuse_large_indexes
from parabola.values.errors import Conflict

INDEXES = st.lists(
    st.builds(
        lambda number, change, needed, staged, documents: {
            "name": f"t.i{number}",
            "change": change,
            "needsBackfill": needed,
            "staged": staged,
            "numDocs": documents,
        },
        st.integers(0, 99),
        st.sampled_from(["added", "enabled", "disabled", "dropped"]),
        st.booleans(),
        st.booleans(),
        st.integers(0, 20),
    ),
    unique_by=lambda index: index["name"],
)


def is_asked_about(index: dict[str, Any], documents: int) -> bool:
    waits = index["change"] in ("added", "enabled") and index["needsBackfill"]
    return index["numDocs"] >= documents and not index["staged"] and (waits or index["change"] == "dropped")


@given(INDEXES, st.integers(0, 20))
def test_those_that_wait_for_a_large_table_or_lose_its_index(
    indexes: list[dict[str, Any]], documents: int
) -> None:
    expected = [index["name"] for index in indexes if is_asked_about(index, documents)]
    if not expected:
        refuse_large_indexes({"indexes": indexes}, documents)
        return
    with pytest.raises(Conflict) as caught:
        refuse_large_indexes({"indexes": indexes}, documents)
    assert caught.value.code == LARGE_INDEXES
    named = [line for line in str(caught.value).splitlines() if line.startswith("This push")]
    assert sorted(line.split(" index ")[1].split()[0] for line in named) == sorted(expected)
