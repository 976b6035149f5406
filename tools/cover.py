"""How much of each module its own tests reach, and the floors below which that must not fall.

    python tools/cover.py           measure, and say which modules have fallen below their floor
    python tools/cover.py --raise   measure, and raise the floors to what is reached now

A module's own tests are those of its name in the folder that mirrors its room (`values/ids.py` has
`tests/values/test_ids.py`), or where there are none all tests of that folder. What other tests reach by the
way says little about whether somebody has thought about the module. Code in the processes of hosts is not
measured: it is tested there, from outside.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from coverage import Coverage, CoverageData

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "parabola"
TESTS = ROOT / "tests"
FLOORS = TESTS / "coverage_floors.txt"
ROOMS = ("values", "database", "functions", "services", "server", "authoring", "cli", "testing")
SLACK = 2
"""Percent that a floor stands below what was reached: some lines run or not by chance."""


def measured(data_file: Path) -> None:
    """Run the tests of all rooms, and note who reached what."""
    folders = [str(TESTS / room) for room in ROOMS if (TESTS / room).is_dir()]
    command = [sys.executable, "-m", "pytest", *folders, "-q", "-n", "3", "--dist", "worksteal"]
    coverage = ["--cov=parabola", "--cov-context=test", "--cov-report="]
    environment = {**os.environ, "COVERAGE_FILE": str(data_file)}
    done = subprocess.run([*command, *coverage], cwd=ROOT, env=environment, check=False)
    if done.returncode:
        raise SystemExit("Tests fail; what they reach says nothing.")


def modules() -> Iterator[tuple[str, Path]]:
    """Every module of the rooms by its path in the package."""
    for room in ROOMS:
        for path in sorted((PACKAGE / room).rglob("*.py")):
            yield path.relative_to(PACKAGE).as_posix(), path


def own_tests(module: str) -> str:
    """What the names of a module's own tests begin with."""
    path = Path(module)
    mirrored = Path("tests") / path.parent
    named = mirrored / f"test_{path.stem}.py"
    return named.as_posix() + "::" if (ROOT / named).is_file() else mirrored.as_posix() + "/"


def reached(data_file: Path) -> dict[str, float]:
    """For each module the percentage of its statements that its own tests reach."""
    analysis = Coverage(data_file=None)  # one with the file would empty it
    data = CoverageData(str(data_file))
    data.read()
    found = {}
    for module, path in modules():
        statements = analysis.analysis2(str(path))[1]
        if not statements:
            continue
        data.set_query_contexts([f"^{re.escape(own_tests(module))}", "^$"])
        lines = set(data.lines(str(path)) or ())
        found[module] = 100 * len(lines & set(statements)) / len(statements)
    return found


def floors() -> dict[str, int]:
    """The floors as they stand."""
    if not FLOORS.is_file():
        return {}
    lines = [line.split() for line in FLOORS.read_text().splitlines() if line and not line.startswith("#")]
    return {module: int(floor) for floor, module in lines}


def raise_floors(found: dict[str, float]) -> None:
    """Write floors that are nowhere lower than before; modules that are gone have none."""
    before = floors()
    lines = [
        f"{max(before.get(module, 0), 100 if percent == 100 else max(0, int(percent) - SLACK)):3d} {module}"
        for module, percent in sorted(found.items())
    ]
    heading = "# Percent of a module's statements that its own tests reach, at least. See tools/cover.py."
    FLOORS.write_text("\n".join([heading, *lines]) + "\n")


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        data_file = Path(directory) / "coverage"
        measured(data_file)
        found = reached(data_file)
    if "--raise" in sys.argv[1:]:
        raise_floors(found)
        return
    known = floors()
    fallen = {module: floor for module, floor in known.items() if found.get(module, 100) < floor}
    for module, floor in fallen.items():
        print(f"{module}: its own tests reach {found[module]:.1f} %, the floor is {floor} %")
    new = sorted(found.keys() - known.keys())
    for module in new:
        print(f"{module}: has no floor yet (python tools/cover.py --raise)")
    mean = sum(found.values()) / len(found)
    print(f"{len(found)} modules, {mean:.1f} % of each on average reached by its own tests")
    raise SystemExit(bool(fallen or new))


if __name__ == "__main__":
    main()
