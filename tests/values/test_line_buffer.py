"""Lines come out as they were written, however they were cut on the way."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from parabola.values.line_buffer import LineBuffer


@given(st.lists(st.binary(max_size=8).map(lambda text: text.replace(b"\n", b"")), max_size=8), st.data())
def test_lines_come_out_as_they_were_written(lines: list[bytes], data: st.DataObject) -> None:
    text = b"".join(line + b"\n" for line in lines) + b"rest"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    buffer, found = LineBuffer(), []
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        found += buffer.feed(text[start:end])
    assert found == lines
    assert buffer.length == len(b"rest")
    assert buffer.take() == b"rest"
    assert buffer.length == 0


def test_a_line_that_is_taken_is_not_gone_on_with() -> None:
    buffer = LineBuffer()
    assert buffer.feed(b"begun") == []
    assert buffer.take() == b"begun"
    assert buffer.feed(b" and ended\nnext\n") == [b" and ended", b"next"]
