"""The dashboard in a browser, against a real server."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from parabola.server.api.observation.dashboard_pages import BUILT
from parabola.services.sign_in.admin_keys import make_admin_key
from server_process import ServerProcess
from tasks_example import copy_functions

pytestmark = pytest.mark.e2e

MORE = {
    "schema.py": """
from parabola import define_schema, define_table, v
schema = define_schema({
    "tasks": define_table({"text": v.string(), "completed": v.boolean()})
        .index("by_completed", ["completed"]),
    "people": define_table({"name": v.string()}),
    "notes": define_table({"by": v.id("people"), "body": v.any()}),
    "loose": define_table(v.any()),
})
""",
    "work.py": """
from parabola import internal_mutation, query
@query
async def of_text(ctx, text: str) -> int:
    return len(await ctx.db.query("tasks").filter(lambda q: q.eq(q.field("text"), text)).collect())
@internal_mutation
async def tidy(ctx) -> None:
    print("tidied up")
@internal_mutation
async def broken(ctx) -> None:
    raise ValueError("nothing to do")
""",
    "crons.py": """
from parabola import cron_jobs, internal
crons = cron_jobs()
crons.daily("tidy", internal.work.tidy, hour_utc=3, minute_utc=0)
crons.interval("broken", internal.work.broken, hours=5)
""",
    "auth_config.py": 'providers = [{"domain": "https://issuer.example.com", "applicationID": "web"}]\n',
}
"""More than the example has: tables that refer to others, crons that run and fail, a provider."""


FIRST_PAGE_BYTES = 250_000
WHOLE_BYTES = 1_000_000


def compressed(files: Iterable[Path]) -> int:
    return sum(len(gzip.compress(file.read_bytes())) for file in files)


def test_the_dashboard_is_small() -> None:
    """Compressed: what the first page loads, and all of it, as a package has it."""
    page = (BUILT / "index.html").read_text()
    first = [BUILT / path for path in re.findall(r'(?:src|href)="/dashboard/([^"]+)"', page)]
    assert any(file.suffix == ".js" for file in first)
    assert compressed([BUILT / "index.html", *first]) < FIRST_PAGE_BYTES
    assert compressed(file for file in BUILT.rglob("*") if file.is_file()) < WHOLE_BYTES
    for other in ("pages/data", "past_documents", "try_validator"):
        assert not any(other in file.read_text() for file in first if file.suffix == ".js"), (
            "loaded on demand"
        )


def test_somebody_looks_after_a_deployment(
    tmp_path: Path, chromium: str, node_script: Callable[..., str]
) -> None:
    assert (BUILT / "index.html").is_file(), "the dashboard is not built: `make dashboard`"
    secret = "ab" * 32
    copy_functions(tmp_path)
    for name, text in MORE.items():
        (tmp_path / "convex" / name).write_text(text)
    command = ("dev", "--port", "0", "--site-port", "0", "--instance-name", "here", "--backup-to", "kept")
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
