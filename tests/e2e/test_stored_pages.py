"""What somebody uploads is shown by a browser, and never speaks for the app."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from server_process import ServerProcess

pytestmark = pytest.mark.e2e

FILES = """
from parabola import MutationCtx, QueryCtx, mutation, query

@mutation
async def upload_url(ctx: MutationCtx) -> str:
    return await ctx.storage.generate_upload_url()

@query
async def url(ctx: QueryCtx, id: str) -> str | None:
    return await ctx.storage.get_url(id)
"""


def test_uploads_are_shown_and_never_run(
    tmp_path: Path, chromium: str, node_script: Callable[..., str]
) -> None:
    (tmp_path / "convex").mkdir()
    (tmp_path / "convex" / "files.py").write_text(FILES)
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "index.html").write_text("<!doctype html><title>the app</title>")
    arguments = ("serve", "--port", "0", "--site-port", "0", "--public", "public")
    server = ServerProcess(tmp_path, *arguments).start()
    try:
        server.cli("deploy")
        node_script("stored_pages.mjs", server.url, CHROMIUM=chromium)
    finally:
        server.close()
