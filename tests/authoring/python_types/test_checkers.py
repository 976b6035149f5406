"""What mypy and pyright make of a project's functions, with the types that are generated for it."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from parabola.cli.commands.codegen import write_declarations
from parabola.project import Project
from parabola.testing import open_backend
from type_checkers import CHECKERS, Complaint, check

PROJECT = Path(__file__).with_name("project")
MISTAKES = {
    number: line.partition("# mistake: ")[2]
    for number, line in enumerate((PROJECT / "mistakes.py").read_text().splitlines(), 1)
    if "# mistake: " in line
}
SEEDED = (
    "table", "index", "index field", "order of fields", "value of a field", "field in a filter", "field",
    "reference", "argument name", "type of an argument", "table of insert", "field of insert",
    "type in insert", "field of patch", "type in patch", "write in a query", "await",
)  # fmt: skip
"""The seventeen of which a checker once caught five."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("typed") / "project"
    shutil.copytree(PROJECT, folder)
    write_declarations(Project.at(folder))
    (folder / "mistakes.py").rename(folder / "convex" / "mistakes.py")
    return folder


@pytest.fixture(scope="module", params=CHECKERS)
def complaints(request: pytest.FixtureRequest, project: Path) -> list[Complaint]:
    return check(request.param, project, "convex")


def test_code_without_mistakes_is_accepted_and_so_is_what_is_generated(complaints: list[Complaint]) -> None:
    assert [one for one in complaints if not one.file.endswith("mistakes.py")] == []


def test_every_mistake_is_found(complaints: list[Complaint]) -> None:
    found = {one.line for one in complaints if one.file.endswith("mistakes.py")}
    assert len(SEEDED) == len(set(SEEDED) & set(MISTAKES.values())) == 17
    assert {name for number, name in MISTAKES.items() if number not in found} == set()


def test_nothing_beside_the_mistakes_is_found_among_them(complaints: list[Complaint]) -> None:
    found = [one for one in complaints if one.file.endswith("mistakes.py")]
    assert [one for one in found if one.line not in MISTAKES] == []


def test_a_wrong_argument_is_named(complaints: list[Complaint]) -> None:
    (number,) = (number for number, name in MISTAKES.items() if name == "argument name")
    texts = [one.text for one in complaints if one.file.endswith("mistakes.py") and one.line == number]
    assert any("at_last" in text and "overload" not in text for text in texts), texts


def test_the_same_project_can_be_deployed_without_anything_generated() -> None:
    async def deploy() -> None:
        async with open_backend(PROJECT / "convex") as backend:
            await backend.insert("users", {"name": "Ada", "email": "ada@example.com", "age": 36.0})
            ada = backend.as_user("ada", email="ada@example.com")
            note = await ada.mutation("notes:add", text="hello", tags=["x"])
            assert (await ada.query("notes:one", note=note))["text"] == "hello"
            assert [each["stars"] for each in await ada.query("notes:best", at_least=1)] == [1]
            page = await ada.query("notes:page", paginationOpts={"numItems": 1, "cursor": None})
            assert (len(page["page"]), page["isDone"]) == (1, False)

    asyncio.run(deploy())
