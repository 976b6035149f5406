"""A server on the tasks example, and the Node.js scripts that are its clients."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from server_process import ServerProcess

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
TASKS = ROOT / "examples" / "tasks"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def node_environment() -> dict[str, str]:
    """The environment in which `node` is the one that the functions' host would use, and npm's packages are
    found.
    """
    from parabola.functions.host_commands import find_node

    node = Path(find_node())
    return {
        **os.environ,
        "PATH": f"{node.parent}{os.pathsep}{os.environ['PATH']}",
        "NODE_PATH": str(HERE / "node_modules"),
    }


@pytest.fixture(scope="session")
def npm_packages() -> Path:
    """The directory of the installed npm packages."""
    packages = HERE / "node_modules"
    if not (packages / "convex").is_dir():
        pytest.skip("the npm packages of tests/e2e are not installed: run `make test`")
    return packages


@pytest.fixture(scope="session")
def chromium() -> str:
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("there is no Chromium on PATH")
    return path


@pytest.fixture(scope="session")
def bundle(npm_packages: Path) -> Callable[[Path, Path], None]:
    """Bundle a script of a page with esbuild, on the packages of these tests."""

    def run_esbuild(entry: Path, output: Path) -> None:
        command = [str(npm_packages / ".bin" / "esbuild"), str(entry), "--bundle", "--format=esm"]
        options = ["--log-level=warning", "--jsx=automatic", f"--outfile={output}"]
        subprocess.run([*command, *options], check=True, env=node_environment())

    return run_esbuild


@pytest.fixture(scope="session")
def tasks_server(
    tmp_path_factory: pytest.TempPathFactory, bundle: Callable[[Path, Path], None]
) -> Iterator[ServerProcess]:
    """`parabola dev` on the tasks example, with its page and a React page."""
    directory = tmp_path_factory.mktemp("tasks")
    copy_functions(directory)
    public = directory / "public"
    shutil.copytree(TASKS / "web", public, ignore=shutil.ignore_patterns("dist", "main.js"))
    bundle(TASKS / "web" / "main.js", public / "main.js")
    shutil.copy(HERE / "pages" / "react.html", public)
    bundle(HERE / "pages" / "react.tsx", public / "react.js")
    server = ServerProcess(directory, "dev", "--port", "0", "--site-port", "0", "--public", "public").start()
    server.run("sample:load")
    yield server
    server.close()


@pytest.fixture
def node_script(npm_packages: Path) -> Callable[..., str]:
    """Run a script of `clients/` against a deployment; what it prints. A failed assertion there fails the
    test.
    """

    def run(script: str, url: str, **variables: str) -> str:
        environment = {**node_environment(), "DEPLOYMENT_URL": url, **variables}
        done = subprocess.run(
            ["node", str(HERE / "clients" / script)],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        assert done.returncode == 0, f"{script} failed:\n{done.stdout}{done.stderr}"
        return done.stdout

    return run


def copy_functions(directory: Path) -> None:
    """Copy the functions of the tasks example into `directory`."""
    shutil.copytree(TASKS / "convex", directory / "convex", ignore=shutil.ignore_patterns("__pycache__"))
