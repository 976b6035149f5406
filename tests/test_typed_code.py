"""What the README, the guides and the examples show passes `mypy --strict` and pyright."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from parabola.cli.commands.codegen import write_declarations
from parabola.project import Project
from type_checkers import CHECKERS, check

ROOT = Path(__file__).parents[1]
SHOWN = re.compile(r"```python\n# ((?:convex|components)/\S+\.py)\n(.*?)```", re.DOTALL)
EXAMPLES = [folder for folder in sorted((ROOT / "examples").iterdir()) if list(folder.glob("convex/*.py"))]
PAGES = [
    page
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if "# convex/" in page.read_text() and page.parent.name != "tutorial"
]
"""The tutorial's files belong together over its chapters: `tests/e2e/test_tutorial.py` checks them."""


def versions(page: Path) -> list[dict[str, str]]:
    """The files that a page shows; a second version of one makes a second project, beside the other files."""
    found: list[dict[str, str]] = [{}]
    for name, text in SHOWN.findall(page.read_text(encoding="utf-8")):
        if name in found[-1]:
            found.append(dict(found[-1]))
        found[-1][name] = text
    return found


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shown") / "code"
    for page in PAGES:
        for number, files in enumerate(versions(page), 1):
            project = root / f"{re.sub(r'[^a-z]', '_', page.stem.lower())}_{number}"
            for name, text in files.items():
                (project / name).parent.mkdir(parents=True, exist_ok=True)
                (project / name).write_text(text, encoding="utf-8")
    for example in EXAMPLES:
        hidden = shutil.ignore_patterns("_generated", "python_generated", "node_modules", ".*")
        shutil.copytree(example, root / f"example_{example.name.replace('-', '_')}", ignore=hidden)
    for project in sorted(root.iterdir()):
        write_declarations(Project.at(project))
    return root


@pytest.mark.parametrize("checker", CHECKERS)
def test_what_is_shown_passes_type_checkers(checker: str, projects: Path) -> None:
    folders = [f"{project.name}/convex" for project in sorted(projects.iterdir()) if project.is_dir()]
    assert len(folders) > len(PAGES) + len(EXAMPLES) - 1
    assert [f"{one.file}:{one.line}: {one.text}" for one in check(checker, projects, *folders)] == []
