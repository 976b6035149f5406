"""Log lines: limits, order, forms (js-runtime §5.9)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from parabola.functions.outcomes.logs import LogCollector, LogLine
from parabola.values.limits import MAX_LOG_LINE_BYTES


def raw(*messages: str, **more: object) -> dict:
    return {"level": "LOG", "messages": list(messages), "timestamp": 1, "isTruncated": False, **more}


def test_clients_read_one_text() -> None:
    assert str(LogLine("WARN", ("'hi'", "[ 1, 2 ]"), 1)) == "[WARN] 'hi' [ 1, 2 ]"
    assert str(LogLine("LOG", ("a",), 1, is_truncated=True)) == "[LOG] a (truncated due to length)"


@given(
    st.builds(
        LogLine,
        st.sampled_from(["DEBUG", "INFO", "LOG", "WARN", "ERROR"]),
        st.lists(st.text()).map(tuple),
        st.integers(0, 2**53),
        st.booleans(),
        st.none() | st.text(),
        st.none() | st.just(""),
        st.none() | st.just("a:b"),
    )
)
def test_a_stored_line_is_read_back(line: LogLine) -> None:
    read = LogLine.from_json(line.to_json())
    if line.udf_path is None:
        assert (read.level, read.messages, read.code) == (line.level, line.messages, line.code)
    else:
        assert read == line


def test_odd_lines_are_made_harmless() -> None:
    line = LogLine.from_json({"level": "SHOUT", "messages": [1, None]})
    assert (line.level, line.messages, line.timestamp) == ("LOG", ("1", "None"), 0)


def test_255_lines_and_a_remark() -> None:
    collector = LogCollector()
    kept = collector.write(raw(str(n)) for n in range(300))
    assert len(kept) == 256
    lines = collector.lines()
    assert len(lines) == 256
    assert str(lines[-1]) == "[ERROR] Log overflow (maximum 256). Remaining log lines omitted."
    collector.write([raw("more")])
    assert len(collector.lines()) == 256


def test_exactly_255_lines_need_no_remark() -> None:
    collector = LogCollector()
    collector.write(raw(str(n)) for n in range(255))
    assert [line.messages[0] for line in collector.lines()] == [str(n) for n in range(255)]


def test_warnings_of_the_engine_are_not_counted() -> None:
    collector = LogCollector()
    collector.write(raw(str(n)) for n in range(300))
    collector.warn("careful", "TooManyReads")
    line = collector.lines()[-1]
    assert (line.level, line.messages, line.code) == ("WARN", ("careful",), "warning:TooManyReads")
    assert line.to_json()["systemMetadata"] == {"code": "warning:TooManyReads"}


@given(st.lists(st.text(max_size=20).map(lambda text: text * 3000), max_size=4))
def test_long_lines_are_cut_at_a_character(messages: list[str]) -> None:
    collector = LogCollector()
    (line,) = collector.write([raw(*messages)])
    encoded = [message.encode("utf-8", "surrogatepass") for message in line.messages]
    assert sum(map(len, encoded)) <= MAX_LOG_LINE_BYTES
    assert line.is_truncated == (
        sum(len(m.encode("utf-8", "surrogatepass")) for m in messages) > MAX_LOG_LINE_BYTES
    )
    for kept, whole in zip(line.messages, messages, strict=False):
        assert whole.startswith(kept)


def test_lines_of_nested_calls_keep_the_name_of_the_innermost() -> None:
    inner = LogCollector()
    inner.write([raw("deep")])
    middle = LogCollector()
    middle.nest(inner.lines(), "m:inner", "")
    middle.write([raw("shallow")])
    outer = LogCollector()
    outer.nest(middle.lines(), "m:middle", "")
    assert [(line.messages[0], line.udf_path) for line in outer.lines()] == [
        ("deep", "m:inner"),
        ("shallow", "m:middle"),
    ]
    assert outer.lines()[0].to_json()["componentPath"] == ""
