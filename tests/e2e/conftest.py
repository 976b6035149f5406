"""A server on the tasks example, and the Node.js scripts that are its clients."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2e.convex_cli import ConvexProject
from node_packages import CLIENTS, PACKAGES, node_environment
from server_process import ServerProcess
from tasks_example import TASKS, copy_functions

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def npm_packages() -> Path:
    """The directory of the installed npm packages."""
    if not (PACKAGES / "convex").is_dir():
        pytest.skip("the npm packages of tests/e2e are not installed: run `make test`")
    return PACKAGES


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
    shutil.copy(CLIENTS / "pages" / "react.html", public)
    bundle(CLIENTS / "pages" / "react.tsx", public / "react.js")
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
            ["node", str(CLIENTS / "clients" / script)],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        assert done.returncode == 0, f"{script} failed:\n{done.stdout}{done.stderr}"
        return done.stdout

    return run


@pytest.fixture(scope="session")
def typescript_server(
    tmp_path_factory: pytest.TempPathFactory, npm_packages: Path
) -> Iterator[ServerProcess]:
    """`parabola serve` with nothing deployed, for tests that push to it one after the other."""
    server = ServerProcess(tmp_path_factory.mktemp("server"), "serve", "--port", "0", "--site-port", "0")
    yield server.start()
    server.close()


@pytest.fixture(scope="module")
def messages(typescript_server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> ConvexProject:
    """The messages project, pushed and without messages."""
    project = ConvexProject(tmp_path_factory.mktemp("messages"), typescript_server)
    project.push()
    project.call("messages:clear")
    return project


@pytest.fixture
def fresh(tmp_path: Path, npm_packages: Path) -> Iterator[ConvexProject]:
    """The messages project, and an empty server for it alone."""
    server = ServerProcess(tmp_path, "serve", "--port", "0", "--site-port", "0").start()
    yield ConvexProject(tmp_path / "project", server)
    server.close()
