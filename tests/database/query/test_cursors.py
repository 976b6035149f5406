"""Cursors: opaque, deterministic, and of no use to anyone but the query and instance they belong to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.database.query.cursors import END, CursorCodec, Position
from parabola.values.errors import ConvexError

CODEC = CursorCodec("happy-animal-123", b"secret" * 5)
QUERY = bytes(32)

positions = st.one_of(st.just(END), st.builds(Position, st.binary(max_size=60)))
fingerprints = st.binary(min_size=32, max_size=32)


def assert_invalid(error: ConvexError, reason: str) -> None:
    """What the client hooks restart on (sync-and-http 1.14)."""
    assert error.data == {"isConvexSystemError": True, "paginationError": "InvalidCursor"}
    assert error.message == f"InvalidCursor: {reason}"
    assert error.code == "InvalidCursor"


@given(positions, fingerprints)
def test_a_cursor_leads_back_to_its_position(position: Position, fingerprint: bytes) -> None:
    cursor = CODEC.encode(position, fingerprint)
    assert CODEC.decode(cursor, fingerprint) == position
    assert CODEC.decode_journal(CODEC.encode_journal(position, fingerprint), fingerprint) == position
    assert cursor.isascii()
    assert cursor.replace("-", "").replace("_", "").isalnum()


@given(positions, positions, fingerprints)
def test_equal_positions_are_equal_strings(one: Position, two: Position, fingerprint: bytes) -> None:
    assert (CODEC.encode(one, fingerprint) == CODEC.encode(two, fingerprint)) == (one == two)


@given(positions, fingerprints, fingerprints)
def test_a_cursor_of_another_query_is_refused(position: Position, one: bytes, two: bytes) -> None:
    if one != two:
        with pytest.raises(ConvexError) as caught:
            CODEC.decode(CODEC.encode(position, one), two)
        assert_invalid(
            caught.value,
            "Tried to run a query starting from a cursor, "
            "but it looks like this cursor is from a different query.",
        )


@given(st.text(max_size=80))
def test_any_other_text_is_refused(text: str) -> None:
    for decode in (CODEC.decode, CODEC.decode_journal):
        with pytest.raises(ConvexError) as caught:
            decode(text, QUERY)
        assert_invalid(caught.value, "Failed to parse cursor")


@given(positions, st.data())
def test_a_changed_cursor_is_refused(position: Position, data: st.DataObject) -> None:
    cursor = CODEC.encode(position, QUERY)
    at = data.draw(st.integers(0, len(cursor) - 2))
    changed = cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1 :]
    with pytest.raises(ConvexError) as caught:
        CODEC.decode(changed, QUERY)
    assert_invalid(caught.value, "Failed to parse cursor")


def test_cursors_and_journals_of_other_instances_and_secrets_are_refused() -> None:
    position = Position(b"key")
    for other in (CursorCodec("happy-animal-124", b"secret" * 5), CursorCodec("happy-animal-123", b"x" * 30)):
        for text, decode in (
            (other.encode(position, QUERY), CODEC.decode),
            (other.encode_journal(position, QUERY), CODEC.decode_journal),
        ):
            with pytest.raises(ConvexError) as caught:
                decode(text, QUERY)
            assert_invalid(caught.value, "Failed to parse cursor")


def test_a_journal_is_no_cursor() -> None:
    with pytest.raises(ConvexError):
        CODEC.decode(CODEC.encode_journal(END, QUERY), QUERY)


def test_a_cursor_survives_a_restart() -> None:
    again = CursorCodec("happy-animal-123", b"secret" * 5)
    assert again.decode(CODEC.encode(Position(b"key"), QUERY), QUERY) == Position(b"key")
