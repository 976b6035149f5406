"""A project on disk: what is pushed and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from parabola.project import Project, ProjectError


@pytest.fixture
def functions(tmp_path: Path) -> Path:
    folder = tmp_path / "convex"
    folder.mkdir()
    return folder


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")


def test_every_python_file_is_a_module_but_tests_and_generated_ones(functions: Path) -> None:
    write(functions, "tasks.py", "lib/deep.py", "lib/__init__.py", "schema.py")
    write(
        functions,
        "test_tasks.py",
        "tasks_test.py",
        "conftest.py",
        "_generated/api.py",
        ".hidden.py",
        ".x/a.py",
    )
    write(functions, "__pycache__/tasks.py", "notes.txt", "messages.ts")
    modules = Project.at(functions.parent).python_modules()
    assert [module.path for module in modules] == ["lib/__init__.py", "lib/deep.py", "schema.py", "tasks.py"]


def test_typescript_is_noticed_declarations_are_not(functions: Path) -> None:
    write(functions, "_generated/api.js", "types.d.ts")
    project = Project.at(functions.parent)
    assert not project.has_typescript()
    write(functions, "messages.ts")
    assert project.has_typescript()


def test_a_folder_without_functions_is_told_how_to_begin(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"no convex/ folder in .*begin one: parabola init"):
        Project.at(tmp_path)


def test_the_functions_folder_can_be_named_in_convex_json(tmp_path: Path) -> None:
    (tmp_path / "convex.json").write_text('{"functions": "src/backend/"}')
    write(tmp_path / "src" / "backend", "tasks.py")
    project = Project.at(tmp_path)
    assert [module.path for module in project.python_modules()] == ["tasks.py"]
    assert project.display("tasks.py") == "src/backend/tasks.py"


def test_a_broken_convex_json_is_said(tmp_path: Path) -> None:
    (tmp_path / "convex.json").write_text("{")
    with pytest.raises(ProjectError, match=r"convex\.json is not valid JSON"):
        Project.at(tmp_path)


def test_a_file_that_cannot_be_named_or_read_is_refused_by_name(functions: Path) -> None:
    project = Project.at(functions.parent)
    write(functions, "my-tasks.py")
    with pytest.raises(ProjectError, match=r"convex/my-tasks\.py cannot be deployed"):
        project.python_modules()
    (functions / "my-tasks.py").unlink()
    write(functions, "a.b.py")
    with pytest.raises(ProjectError, match=r"convex/a\.b\.py cannot be deployed"):
        project.python_modules()
    (functions / "a.b.py").unlink()
    (functions / "latin.py").write_bytes(b"x = '\xe9'")
    with pytest.raises(ProjectError, match=r"convex/latin\.py is not UTF-8"):
        project.python_modules()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_named(functions: Path, encoding: str) -> None:
    (functions / "windows.py").write_text("x = 1", encoding=encoding)
    with pytest.raises(ProjectError, match=r"convex/windows\.py is UTF-16, not UTF-8\. Save it as UTF-8"):
        Project.at(functions.parent).python_modules()


def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "convex.json").write_text('{"functions": "app"}', encoding="utf-8-sig")
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "tasks.py").write_text("x = 1\n", encoding="utf-8-sig")
    (module,) = Project.at(tmp_path).python_modules()
    assert module.source == "x = 1\n"


def test_a_folder_that_has_gone_is_no_wish_to_deploy_nothing(functions: Path) -> None:
    project = Project.at(functions.parent)
    functions.rename(functions.with_name("elsewhere"))
    with pytest.raises(ProjectError, match="The folder convex/ is not there any more"):
        project.python_modules()
