"""The dashboard in a browser, against a real server."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from parabola.server.api.dashboard_pages import BUILT
from parabola.services.sign_in.admin_keys import make_admin_key
from server_process import ServerProcess
from tasks_example import copy_functions

pytestmark = pytest.mark.e2e


def test_somebody_looks_after_a_deployment(
    tmp_path: Path, chromium: str, node_script: Callable[..., str]
) -> None:
    assert (BUILT / "index.html").is_file(), "the dashboard is not built: `make dashboard`"
    secret = "ab" * 32
    copy_functions(tmp_path)
    command = ("dev", "--port", "0", "--site-port", "0", "--instance-name", "here")
    server = ServerProcess(tmp_path, *command).start(INSTANCE_SECRET=secret)
    try:
        node_script(
            "dashboard.mjs",
            server.url,
            CHROMIUM=chromium,
            ADMIN_KEY=make_admin_key("here", secret, name="ann"),
            READ_ONLY_KEY=make_admin_key("here", secret, name="reader", read_only=True),
            SCREENSHOTS=os.environ.get("PARABOLA_SCREENSHOTS", ""),
        )
    finally:
        server.close()
