"""What type checkers make of code that uses the authoring API."""

from __future__ import annotations

import re
from pathlib import Path

from mypy import api

from type_checkers import mypy_cache

EXAMPLE = Path(__file__).with_name("typing_example.py")


def test_user_code_reads_well_to_mypy(tmp_path: Path) -> None:
    output, errors, _ = api.run(
        [
            "--strict",
            "--config-file=",
            "--python-version=3.11",
            "--no-error-summary",
            f"--cache-dir={mypy_cache('strict')}",
            str(EXAMPLE),
        ]
    )
    assert not errors
    lines = EXAMPLE.read_text().splitlines()
    said: dict[str, list[str]] = {}
    for line in output.splitlines():
        match = re.match(r".*typing_example\.py:(\d+): (error|note): (.*)", line)
        if match:
            said.setdefault(lines[int(match[1]) - 1].strip(), []).append(f"{match[2]}: {match[3]}")
    notes = {code: text[0] for code, text in said.items() if "reveal_type" in code}
    assert [note.removeprefix("note: Revealed type is ") for note in notes.values()] == [
        '"list[dict[str, Any]]"',
        '"dict[str, Any] | None"',
        '"dict[str, Any] | None"',
        '"parabola.authoring.functions.Function[[ctx: parabola.authoring.context.SyncQueryCtx], int]"',
    ]
    mistakes = {code: text for code, text in said.items() if "reveal_type" not in code}
    assert all("# error" in code for code in mistakes), mistakes
    missing_await, wrong_type, no_argument, no_order = (text[0] for text in mistakes.values())
    assert "must be used" in missing_await
    assert 'incompatible type "str"; expected "float | None"' in wrong_type
    assert 'Unexpected keyword argument "nope"' in no_argument
    assert "expected \"Literal['asc', 'desc']\"" in no_order
