"""What a JSON text takes when it is parsed is never underestimated, and not by much overestimated."""

from __future__ import annotations

import json
import sys
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.server.http import json_weight as module
from parabola.server.http.json_weight import json_weight

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=60,
)


def taken(value: Any) -> int:
    """Bytes of a parsed value, without those of values that exist once in the interpreter."""
    if isinstance(value, list):
        return sys.getsizeof(value) + sum(map(taken, value))
    if isinstance(value, dict):
        return sys.getsizeof(value) + sum(taken(key) + taken(item) for key, item in value.items())
    return 0 if value is None or isinstance(value, bool) or value == "" else sys.getsizeof(value)


@given(VALUES, st.booleans(), st.booleans(), st.booleans())
def test_it_is_an_upper_bound(value: Any, ascii_only: bool, spaced: bool, exact: bool):
    text = json.dumps(value, ensure_ascii=ascii_only, separators=None if spaced else (",", ":"))
    parsed = msgspec.json.decode(text.encode())
    allowance = 64  # the outermost value itself
    with pytest.MonkeyPatch.context() as patch:
        if exact:
            patch.setattr(module, "_ROUGH_IS_ENOUGH", 0)
        assert taken(parsed) <= json_weight(text.encode()) + allowance
    assert taken(parsed) <= json_weight(text) + allowance


@given(st.text())
def test_what_is_in_strings_does_not_count_where_it_would_be_much(text: str):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_ROUGH_IS_ENOUGH", 0)
        of_text = json_weight(json.dumps({"a": text}, ensure_ascii=True).encode())
        of_nothing = json_weight(b'{"a":""}')
        assert of_text - of_nothing <= 4 * len(json.dumps({"a": text}))


@pytest.mark.parametrize("unit", [b"[],", b"{},", b'{"a":1},', b'"ab",', b"1.5,", b"[[[]]],"])
def test_dense_texts_weigh_what_they_take(unit: bytes):
    count = 200_000
    text = b"[" + unit * count + b"0]"
    assert taken(msgspec.json.decode(text)) <= json_weight(text) <= 4 * taken(msgspec.json.decode(text))


@pytest.mark.parametrize("text", [b'"', b'"\\', b'"\\"' * 100_000, b'["' * 100_000, b"\\" * 100_000, b""])
def test_what_is_no_json_weighs_little_and_takes_no_time(text: bytes, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_ROUGH_IS_ENOUGH", 0)
    assert json_weight(text) <= 400 * (len(text) + 1)
