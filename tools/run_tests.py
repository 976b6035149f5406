"""Runs all tests side by side, and the few that fail once more alone.

    python tools/run_tests.py -n 3 --dist worksteal

Tests here drive real processes, clients and browsers, three at a time on whatever machine there is. One that
is held up by the others fails for reasons that are not its own; one that fails alone as well has found
something. What had to run twice is said at the end, and more than a few failures are never a matter of time.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

FAILED = Path(".pytest_cache") / "v" / "cache" / "lastfailed"
MOST = 5
"""So many tests may run again."""


def main(options: list[str]) -> int:
    """The exit status of the tests."""
    FAILED.unlink(missing_ok=True)
    pytest = [sys.executable, "-m", "pytest"]
    status = subprocess.run([*pytest, *options], check=False).returncode
    if status != 1 or not FAILED.exists():
        return status
    failed = sorted(json.loads(FAILED.read_text()))
    if len(failed) > MOST:
        return status
    print(f"  · {len(failed)} failed beside others; each runs once more, alone", flush=True)
    status = subprocess.run([*pytest, "-n", "0", "--last-failed"], check=False).returncode
    if status == 0:
        print("  · alone they pass. Look at why they did not, when you have the time:")
        for name in failed:
            print(f"    {name}")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
