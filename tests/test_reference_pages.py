"""The reference says what the code says: pages drawn from it are fresh, the others leave nothing out."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

import parabola
import parabola.testing
from parabola.authoring.filters import FilterBuilder, IndexRangeBuilder
from parabola.authoring.query_builder import Query
from parabola.server.app import APIS
from parabola.values import errors
from parabola.values.errors import ParabolaError
from parabola.values.validators.builder import v
from server.fake_backend import FakeBackend

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference"
DRAWN = {"command-line.md": "cli_page.py", "limits.md": "limits_page.py", "settings.md": "settings_page.py"}
ABSTRACT = {"ParabolaError", "UserError", "SystemFault"}


def text(page: str) -> str:
    return (REFERENCE / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", DRAWN)
def test_a_page_that_is_drawn_from_the_code_is_fresh(page: str) -> None:
    drawn = runpy.run_path(str(ROOT / "tools" / DRAWN[page]))["page"]()
    assert text(page) == drawn, f"Run: python tools/{DRAWN[page]}"


def test_every_class_of_errors_is_listed_with_its_code_and_status() -> None:
    rows = {
        (name, code, int(status))
        for name, code, status in re.findall(
            r"^\| `(\w+)` \| `(\w+)` \| (\d+) \|", text("errors.md"), re.MULTILINE
        )
    }
    kinds: list[type[ParabolaError]] = [
        getattr(errors, name) for name in errors.__all__ if name not in ABSTRACT
    ]
    assert rows == {(kind.__name__, kind.default_code, kind.status) for kind in kinds}


def test_the_python_api_has_every_public_name() -> None:
    shown = set(re.findall(r"^::: parabola(?:\.testing)?\.(\w+)$", text("python-api.md"), re.MULTILINE))
    beside = {name for name in parabola.__all__ if name.startswith("Sync")} - {"SyncRequest"}
    assert {*parabola.__all__, *parabola.testing.__all__} - beside <= shown
    assert all(f"`{name}`" in text("python-api.md") for name in beside)


def test_every_operator_is_in_reading_and_writing() -> None:
    page = text("reading-and-writing.md")
    ends = {name for name in dir(Query) if not name.startswith("_")}
    missing = {name for name in ends if f".{name}(" not in page}
    for builder in (FilterBuilder, IndexRangeBuilder):
        names = {name for name in dir(builder) if not name.startswith("_")} - {"export"}
        missing |= {name for name in names if f"q.{name}(" not in page}
    assert missing == set()


def test_every_validator_is_in_the_schema_page() -> None:
    names = {name for name in dir(v) if not name.startswith("_")} - {"commitTs"}
    assert {name for name in names if f"`v.{name}(" not in text("schema.md")} == set()


def test_every_endpoint_of_the_http_api_exists() -> None:
    routes = {
        re.sub(r"\{[^}]*\}", "", route.path)
        for api in APIS
        for route in api(FakeBackend())  # type: ignore[arg-type]
    }
    shown = re.findall(r"`(?:(?:GET|POST) )?(/[\w/.]+?)(?:\?[^`]*)?`", text("http-api.md"))
    absent = {"/api/list_snapshot", "/api/document_deltas", "/api/streaming_import"}
    examples = {
        "/api/run/notes/best": "/api/run/",
        "/api/storage/...": "/api/storage/",
        "/http/...": "/http/",
    }
    wanted = {examples.get(path, path) for path in shown} - absent - {"/api/sync"}
    assert {
        path for path in wanted if not any(path == known or path == f"{known}ID" for known in routes)
    } == set()
    assert not absent & routes
