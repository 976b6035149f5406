"""The rooms of the house and the imports between them, drawn from the code itself.

    python tools/rooms.py           write the picture into docs/explanation/architecture.md
    python tools/rooms.py --check   say whether it is up to date, and whether the contracts name every room

The order of a floor's rooms is that of its contract for import-linter in pyproject.toml; the arrows are the
imports that run, without those for type checkers alone.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "parabola"
PAGE = ROOT / "docs" / "explanation" / "architecture.md"
BEGIN, END = "<!-- rooms: made by tools/rooms.py -->", "<!-- end of rooms -->"


def contracts() -> list[dict[str, Any]]:
    """The contracts for import-linter."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return list(settings["tool"]["importlinter"]["contracts"])


def layers() -> dict[str, list[list[str]]]:
    """For each floor that has a contract of its own its rooms from above, those of one height together."""
    floors: dict[str, list[list[str]]] = {}
    for contract in contracts():
        match = re.fullmatch(r"the rooms of ([\w.]+)", contract["name"])
        if match:
            prefix = f"parabola.{match[1]}."
            floors[match[1]] = [
                [name.strip().removeprefix(prefix) for name in re.split("[|:]", layer)]
                for layer in contract["layers"]
            ]
    return floors


def modules() -> Iterator[tuple[str, Path]]:
    """Every module by its dotted name below the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        yield name.removesuffix("__init__").removesuffix("."), path


def imports_of(path: Path, known: set[str], *, for_types: bool = False) -> set[str]:
    """The modules of the package that a file imports when it runs, or also `for_types` alone."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            is_for_types = isinstance(child, ast.If) and getattr(child.test, "id", None) == "TYPE_CHECKING"
            if is_for_types and not for_types:
                continue
            if isinstance(child, ast.ImportFrom) and (child.module or "").startswith("parabola"):
                base = (child.module or "").removeprefix("parabola").removeprefix(".")
                for alias in child.names:
                    full = f"{base}.{alias.name}".removeprefix(".")
                    found.add(full if full in known else base)
            visit(child)

    visit(ast.parse(path.read_text()))
    return found


def room_of(module: str, floor: str) -> str | None:
    """The room of a module on a floor: the folder below it, or the module itself if it stands alone."""
    if not module.startswith(f"{floor}."):
        return None
    return module.removeprefix(f"{floor}.").partition(".")[0]


def arrows(floor: str) -> dict[str, dict[str, int]]:
    """How many imports lead from each room of a floor into each other one."""
    known = dict(modules())
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for module, path in known.items():
        here = room_of(module, floor)
        if here is None:
            continue
        found[here]
        for target in imports_of(path, set(known)):
            there = room_of(target, floor)
            if there is not None and there != here:
                found[here][there] += 1
    return found


def picture() -> str:
    """A table for each floor: its rooms from above, what is in them, which others of it they import."""
    blocks = []
    for floor, order in layers().items():
        between = arrows(floor)
        place = floor.replace(".", "/")
        lines = [f"| `{place}/` | what is there | imports |", "|---|---|---|"]
        for room in _flat(order):
            folder = PACKAGE / place / room
            file = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
            targets = ", ".join(f"`{name}`" for name in _flat(order) if name in between.get(room, {}))
            name = f"{room}/" if folder.is_dir() else room
            lines.append(f"| `{name}` | {_first_line(file)} | {targets} |")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _first_line(file: Path) -> str:
    text = ast.get_docstring(ast.parse(file.read_text())) or ""
    return " ".join(text.split("\n\n")[0].split())


def unnamed() -> list[str]:
    """Rooms that no contract names, and names without a room."""
    problems = []
    for floor, order in layers().items():
        there = set(arrows(floor))
        named = set(_flat(order))
        problems += [f"{floor}.{room} is in no contract" for room in sorted(there - named)]
        problems += [f"{floor}.{room} is in a contract and not in the code" for room in sorted(named - there)]
    return problems


def upward() -> list[str]:
    """Imports from a floor to a higher one, those for type checkers included."""
    [floors] = [each for each in contracts() if each["name"].startswith("the engine's floors")]
    order = list(reversed(floors["layers"]))
    heights = {name.removeprefix("parabola."): height for height, name in enumerate(order)}
    known = dict(modules())
    problems = []
    for module, path in known.items():
        height = heights.get(module.partition(".")[0])
        for target in sorted(imports_of(path, set(known), for_types=True)):
            if height is not None and heights.get(target.partition(".")[0], -1) > height:
                problems.append(f"{module} imports {target}, which is on a higher floor")
    return problems


def _flat(order: list[list[str]]) -> list[str]:
    return [room for layer in order for room in layer]


def main() -> None:
    problems = unnamed() + upward()
    if problems:
        sys.exit("\n".join(problems))
    text = PAGE.read_text()
    start, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    drawn = f"{text[:start]}\n\n{picture()}\n\n{text[end:]}"
    if drawn == text:
        return
    if "--check" in sys.argv:
        sys.exit(f"The picture in {PAGE.name} is not that of the code. Run: python tools/rooms.py")
    PAGE.write_text(drawn)


if __name__ == "__main__":
    main()
