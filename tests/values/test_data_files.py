"""Data files as texts, and which paths they may have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.values.data_files import DataFileError, check_data_path, data_of, is_data_path, written


@given(st.binary() | st.text().map(str.encode) | st.binary().map(lambda end: b"data:;base64," + end))
def test_every_content_comes_back(content: bytes) -> None:
    assert data_of(written(content)) == content


@given(st.text().filter(lambda text: not text.startswith("data:")))
def test_a_text_stands_for_itself(text: str) -> None:
    assert written(text.encode()) == text


def test_what_is_not_written_so_is_refused() -> None:
    with pytest.raises(DataFileError, match="cannot be read"):
        data_of("data:;base64,?")


@pytest.mark.parametrize(
    "path", ["", "../x.txt", "a//b.txt", "/a.txt", "a/.b", ".env", "a\\b", "a\x00b", "x" * 256]
)
def test_paths_that_lead_elsewhere_are_refused(path: str) -> None:
    with pytest.raises(DataFileError):
        check_data_path(path)


@pytest.mark.parametrize("path", ["system-prompt.txt", "a/b c/ä.json", "x.tar.gz"])
def test_other_paths_are_those_of_data_files(path: str) -> None:
    check_data_path(path)
    assert is_data_path(path)
    assert not is_data_path(path + ".py")
