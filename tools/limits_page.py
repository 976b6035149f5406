# ruff: noqa: E501  (texts of the page are wrapped as pages are)
"""The reference of limits, drawn from `parabola.values.limits`: its headings, values and docstrings.

python tools/limits_page.py           write docs/reference/limits.md
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from parabola.values import limits

PAGE: Final = Path(__file__).parents[1] / "docs" / "reference" / "limits.md"
SOURCE: Final = Path(limits.__file__)
INTERNAL: Final = frozenset(
    {
        "Ids",
        "Between the engine and its hosts",
        "Error texts",
        "MAX_SYSTEM_DOCUMENTS_WRITTEN",
        "MAX_SYSTEM_BYTES_WRITTEN",
        "MAX_SHARED_MEMORY",
    }
)
"""Headings and names that nobody who writes functions meets."""
HEAD: Final = """# Limits

What functions and data are held to. A call that goes beyond a limit fails with a sentence that names it, and the limit; what it had
written is taken back. From four fifths of a limit of a transaction on, a warning is logged.

These are Convex's own limits, and so are their error texts. Times, memory and places of processes can be [set](settings.md); the others
cannot. What clients may send is bounded too: [in production](../how-to/production.md#limits).

A transaction is one query or mutation with all the functions that it calls with `ctx.run_query` and `ctx.run_mutation`. What it has used
so far is in `await ctx.meta.get_transaction_metrics()`.
"""


def page() -> str:
    """The text of the page."""
    return HEAD + "".join(_sections())


def _sections() -> Iterator[str]:
    text = SOURCE.read_text(encoding="utf-8")
    headings = {
        number: re.sub(r"\s*\([^)]*\)", "", line.removeprefix("# "))
        for number, line in enumerate(text.splitlines(), 1)
        if line.startswith("# ")
    }
    heading = ""
    body = ast.parse(text).body
    for node, following in zip(body, [*body[1:], None], strict=True):
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        above = [title for line, title in headings.items() if line < node.lineno]
        name, says = node.target.id, _docstring(following)
        if not above or above[-1] in INTERNAL or name in INTERNAL:
            continue
        if above[-1] != heading:
            heading = above[-1]
            yield f"\n## {heading}\n\n| | |\n|---|---|\n"
        if says is None:
            raise ValueError(f"{name} has no docstring, which docs/reference/limits.md needs")
        yield f"| {_plain(says)} | {_value(name, getattr(limits, name))} |\n"


def _docstring(node: ast.stmt | None) -> str | None:
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return node.value.value if is_text else None  # type: ignore[union-attr, return-value]


def _plain(says: str) -> str:
    """Without citations of the specification, and in one line."""
    plain = " ".join(re.sub(r"\s*\((?:semantics|js-runtime)[^)]*\)", "", says).split())
    return plain.replace("the documentation says", "Convex's documentation says").replace(
        "The documentation says", "Convex's documentation says"
    )


def _value(name: str, value: Any) -> str:
    if name.endswith("RATIO"):
        return f"{value:.0%}"
    if "TIME" in name or "SECONDS" in name:
        return f"{value / 60:g} minutes" if value >= 60 else f"{value:g} s"
    if abs(value) > 2**40:
        return "−2<sup>63</sup>" if value < 0 else "2<sup>63</sup> − 1"
    for size, unit in ((limits.MIB, "MiB"), (limits.KIB, "KiB")):
        if ("SIZE" in name or "BYTES" in name or "MEMORY" in name) and value % size == 0:
            return f"{value // size} {unit}"
    return f"{value:,}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
