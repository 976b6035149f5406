"""What `parabola env list` writes is read back as what it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from parabola.cli.dotenv_lines import dotenv_line, parse_dotenv, read_dotenv
from parabola.values.errors import BadRequest

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,10}", fullmatch=True)
# No environment has a NUL in it, and readers of such files turn CR LF into LF.
values = st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"])) | st.text(
    "ab \n\\\"'`#$={}\t", max_size=12
)


@given(st.dictionaries(names, values))
@example({"KEY": "-----BEGIN KEY-----\nMII=\n-----END KEY-----\n"})
@example({"A": 'it\'s "quoted"\nand # no comment', "B": "\\", "C": "", "D": " padded ", "E": "${A}"})
def test_whatever_variables_there_are_they_come_back(variables: dict[str, str]) -> None:
    text = "".join(f"{dotenv_line(name, value)}\n" for name, value in variables.items())
    assert parse_dotenv(text) == variables


def test_what_needs_no_quotes_has_none() -> None:
    for value in ("hello world", "https://a.example/?x=1&y=2", "a=b", "", "sk_live_123", "it's"):
        assert dotenv_line("NAME", value) == f"NAME={value}"


def test_files_of_other_editors_are_read_or_named(tmp_path: Path) -> None:
    file = tmp_path / "x.env"
    file.write_bytes("\ufeffA=1\r\n# B=2\r\nexport C='3'\r\n".encode())
    assert read_dotenv(file) == {"A": "1", "C": "3"}
    file.write_bytes("A=1\n".encode("utf-16"))
    with pytest.raises(BadRequest, match=r"x\.env is UTF-16, not UTF-8\. Save it as UTF-8"):
        read_dotenv(file)
    with pytest.raises(BadRequest, match=r"nowhere\.env cannot be read: No such file"):
        read_dotenv(tmp_path / "nowhere.env")
