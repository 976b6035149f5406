"""The guides in `docs/`: their code is deployed, and their tests pass, as they stand there."""

from __future__ import annotations

import base64
import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from client_calls import client_call
from hosts_node.driver import bundle, packages_folder
from parabola.backend import Backend, BackendConfig
from parabola.functions.deployed.deployment import Module
from parabola.services.deploys.push import Push
from tasks_example import ROOT

FILE = re.compile(r"```(?:python|ts)\n(?:#|//) (\S+)\n(.*?)```", re.DOTALL)
GUIDES = (
    "how-to/http-actions.md",
    "how-to/signing-in.md",
    "how-to/environment-variables.md",
    "how-to/files.md",
    "how-to/audit-log.md",
    "how-to/scheduling.md",
    "how-to/packages.md",
    "reference/python-types.md",
    "reference/reading-and-writing.md",
    "reference/errors.md",
    "how-to/typing.md",
    "how-to/unique-indexes.md",
    "how-to/search.md",
    "how-to/vector-search.md",
    "how-to/schema-changes.md",
    "how-to/pagination.md",
    "how-to/testing.md",
    "how-to/live-queries.md",
    "how-to/several-developers.md",
    "how-to/writing-components.md",
)
GENERATED = {
    "api.js": 'import { anyApi } from "convex/server";\nexport const api = anyApi, internal = anyApi;\n',
    "server.js": """
export {
  actionGeneric as action, httpActionGeneric as httpAction, internalActionGeneric as internalAction,
  internalMutationGeneric as internalMutation, internalQueryGeneric as internalQuery,
  mutationGeneric as mutation, queryGeneric as query,
} from "convex/server";
""",
}
"""What the command line writes into `_generated`."""
SETTINGS: dict[str, str | None] = {"AUTH_ISSUER": "https://issuer.example", "WEBHOOK_SECRET": "s"}


def files(guide: str) -> Iterator[tuple[str, str]]:
    """Every file that a guide shows, in order; a second version of one comes later."""
    yield from FILE.findall((ROOT / "docs" / guide).read_text(encoding="utf-8"))


@pytest.mark.parametrize("guide", GUIDES)
async def test_the_python_code_of_a_guide_passes_its_test(
    guide: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    versions: dict[str, list[str]] = {}
    for name, text in files(guide):
        if name.endswith(".py"):
            versions.setdefault(name, []).append(text)
    (test,) = (texts[0] for name, texts in versions.items() if name.startswith("tests/"))
    for round in range(max(map(len, versions.values()))):
        for name, texts in versions.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(texts[min(round, len(texts) - 1)])
        names: dict[str, object] = {}
        exec(compile(test, guide, "exec"), names)
        (check,) = (value for name, value in names.items() if name.startswith("test_"))
        await check()  # type: ignore[operator]


async def test_the_typescript_code_of_the_guides_can_be_deployed(tmp_path: Path) -> None:
    if not packages_folder().is_dir():
        pytest.skip("the npm packages of the tests are not installed")
    for folder in ("convex", "convex_node"):  # `"use node"` modules are bundled apart
        (tmp_path / folder / "_generated").mkdir(parents=True)
        for name, text in GENERATED.items():
            (tmp_path / folder / "_generated" / name).write_text(text)
    shown = [(name, text) for guide in GUIDES for name, text in files(guide) if name.endswith(".ts")]
    assert len(shown) == len(dict(shown)) == 16
    for name, text in shown:
        in_node = text.startswith('"use node"')
        (tmp_path / name.replace("convex/", "convex_node/" if in_node else "convex/")).write_text(text)
    backend = await Backend.open(BackendConfig(tmp_path / "data"))
    try:
        await backend.change_environment({**SETTINGS, "GREETING": "good morning"})
        modules = tuple(
            Module(one["path"], environment, one["source"])
            for folder, environment in (("convex", "isolate"), ("convex_node", "node"))
            for one in bundle(tmp_path, folder)
            if "_generated" not in one["path"]
        )
        await backend.deploy(Push("typescript", modules))
        assert (await backend.query(client_call("hello:greet", {"name": "Ada"}))).value == "good morning, Ada"
        assert (await backend.query(client_call("whoami:name", {}))).value is None
        assert [provider["domain"] for provider in backend.deployment.auth_providers] == [
            "https://issuer.example"
        ]
        assert [cron.identifier for cron in backend.deployment.crons] == ["look", "rise"]
        archive = base64.b64encode(gzip.compress(b"[1, 2, 4]")).decode()
        assert (await backend.action(client_call("archives:read", {"archive": archive}))).value == [1, 2, 4]
        assert (await backend.query(client_call("pictures:latest", {}))).value == []
        assert (
            await backend.mutation(client_call("alarms:remind", {"text": "tea", "minutes": 1.0}))
        ).error is None
        assert [index.unique for index in backend.deployment.schema.tables["users"].indexes] == [True]  # type: ignore[union-attr]
        routes = {route.route.path for _, route in backend.deployment.http_routes}
        assert routes == {"/webhook", "/count/*"}
    finally:
        await backend.close()
