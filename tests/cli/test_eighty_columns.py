"""A terminal of eighty columns: words whole, what goes on indented, wide documents as records."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from parabola.cli.commands import data
from parabola.cli.console import print_hanging

WORDS = st.lists(st.text("abc(:,", min_size=1, max_size=30), min_size=1, max_size=40)


def printed(text: str, indent: int, *, terminal: bool = True) -> list[str]:
    output = Console(file=io.StringIO(), width=80, force_terminal=terminal, color_system=None, soft_wrap=True)
    print_hanging(output, Text(text), indent)
    return output.file.getvalue().splitlines()  # type: ignore[attr-defined]


@given(WORDS, st.integers(0, 30))
def test_no_line_is_longer_and_no_word_is_cut(words: list[str], indent: int) -> None:
    head = "h" * indent
    lines = printed(head + " ".join(words), indent)
    assert all(len(line) <= 80 for line in lines)
    assert lines[0].startswith(head)
    assert all(line.startswith(" " * indent) for line in lines[1:])
    assert " ".join(line[indent:] for line in lines).split() == words


@given(WORDS)
def test_what_is_no_terminal_gets_one_line(words: list[str]) -> None:
    assert printed(" ".join(words), 4, terminal=False) == [" ".join(words)]


def test_lines_of_a_text_stay_lines() -> None:
    lines = printed("✗ first\n    at f\n\nlast", 2)
    assert [line.rstrip() for line in lines] == ["✗ first", "      at f", "", "  last"]


def test_wide_documents_are_records(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    wide = {"_id": "j" * 32, "_creationTime": 0.0, "title": "word " * 30, "done": False}
    data._print_table([wide, {**wide, "done": True}])
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert lines[0].startswith("title:")
    assert lines.count("") == 1
    data._print_table([{"_id": "j", "title": "short"}])
    assert capsys.readouterr().out.splitlines()[0].split() == ["title", "_id"]
