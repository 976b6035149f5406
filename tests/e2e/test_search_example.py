"""The search example, as its README says, in a browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from server_process import ServerProcess

pytestmark = pytest.mark.e2e

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "search"


def test_searches_find_as_one_types_and_stay_live(
    tmp_path: Path, bundle: Callable[[Path, Path], None], chromium: str, node_script: Callable[..., str]
) -> None:
    hidden = shutil.ignore_patterns("node_modules", "dist", "__pycache__", ".parabola")
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True, ignore=hidden)
    public = tmp_path / "web" / "dist"
    bundle(EXAMPLE / "web" / "src" / "main.tsx", public / "main.js")
    shutil.copy(EXAMPLE / "web" / "index.html", public)
    command = ("dev", "--port", "0", "--site-port", "0", "--public", "web/dist")
    server = ServerProcess(tmp_path, *command).start()
    try:
        assert server.run("articles:load") == 38
        node_script(
            "search_page.mjs",
            server.url,
            CHROMIUM=chromium,
            SCREENSHOT=os.environ.get("PARABOLA_SCREENSHOT", ""),
        )
        # What is saved of the indexes serves after a crash as well.
        server.kill()
        server.start()
        found = server.call("query", "articles:search", text="humpback", by="words")
        assert [each["title"] for each in found] == ["The song of the humpback whale"]
    finally:
        server.close()
