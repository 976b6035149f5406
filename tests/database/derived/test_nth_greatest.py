"""Selection by counting."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.database.derived.segments import nth_greatest as module
from parabola.database.derived.segments.nth_greatest import nth_greatest

floats = st.floats(allow_nan=False, allow_infinity=False)


@pytest.fixture(autouse=True)
def few_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FEW", 3)
    monkeypatch.setattr(module, "_BUCKETS", 4)


@given(st.lists(st.one_of(floats, st.sampled_from([0.0, 1.0, 1.5])), min_size=1, max_size=40), st.data())
def test_it_is_the_one_that_sorting_finds(numbers: list[float], data: st.DataObject) -> None:
    n = data.draw(st.integers(1, len(numbers)))
    assert nth_greatest(np.array(numbers), n) == sorted(numbers)[-n]


def test_single_precision_and_many_equal_ones() -> None:
    random = Random(1)
    numbers = [np.float32(random.choice((0.5, 0.25, random.random()))) for _ in range(3000)]
    for n in (1, 2, 500, 1500, 3000):
        assert nth_greatest(np.array(numbers, np.float32), n) == sorted(numbers)[-n]
