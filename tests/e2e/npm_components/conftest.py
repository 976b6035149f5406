"""Apps that use components from npm, each pushed by the real command line to a server of its own.

They have packages of their own (`package.json` beside this file) and take minutes, so that they run where
they are asked for: `make test-components`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.convex_cli import ConvexProject
from e2e.npm_components.internet import Internet
from server_process import ServerProcess

FOLDER = Path(__file__).parent
PACKAGES = FOLDER / "node_modules"

if "PARABOLA_TEST_COMPONENTS" not in os.environ:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="module")
def internet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Internet]:
    """All there is outside, for the functions of the module's app."""
    with Internet(tmp_path_factory.mktemp("internet")) as internet:
        yield internet


@pytest.fixture(scope="module")
def app(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, internet: Internet
) -> Iterator[ConvexProject]:
    """The app in `apps/` with the name that the test module gives (`APP`), on a server of its own, with the
    variables that it gives (`VARIABLES`).
    """
    directory = tmp_path_factory.mktemp("app")
    server = ServerProcess(directory, "serve", "--port", "0", "--site-port", "0")
    server.start(PATH=internet.path())
    try:
        project = ConvexProject(directory / "project", server, FOLDER / "apps" / request.module.APP, PACKAGES)
        variables: dict[str, str] = getattr(request.module, "VARIABLES", {})
        changes = [{"name": name, "value": value} for name, value in variables.items()]
        if changes:
            project.post("/api/update_environment_variables", {"changes": changes})
        project.push()
        yield project
    finally:
        server.close()
