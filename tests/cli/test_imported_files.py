"""`parabola dev` follows what functions import from beside `convex/`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from parabola.cli.imported_files import ImportedFiles, importing_from
from server_process import ServerProcess

FUNCTIONS = """
from parabola import QueryCtx, query
from shop.prices import PRICE


@query
async def price(ctx: QueryCtx) -> float:
    return PRICE


@query
async def lazily(ctx: QueryCtx) -> float:
    import lone
    return lone.VALUE
"""


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def found(root: Path, *sources: str) -> set[str]:
    files = ImportedFiles(root, root / "convex").find(sources)
    return {path.relative_to(root.resolve()).as_posix() for path in files}


def test_every_module_of_what_is_imported_and_of_what_that_imports(tmp_path: Path) -> None:
    for name in ("shop/__init__.py", "shop/prices.py", "shop/.hidden/x.py", "spaces/deep/m.py", "unused.py"):
        write(tmp_path / name, "")
    write(tmp_path / "shop/prices.py", "import taxes")
    write(tmp_path / "taxes.py", "def f():\n    import spaces.deep.m")
    assert found(tmp_path, "from shop import prices") == {
        "shop/__init__.py",
        "shop/prices.py",
        "taxes.py",
        "spaces/deep/m.py",
    }


def test_what_is_installed_or_pushed_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "convex/tasks.py", "")
    assert found(tmp_path, "import json, numpy, parabola, msgspec, convex.tasks, not_there") == set()


def test_a_module_that_cannot_be_read_imports_what_it_has_imported(tmp_path: Path) -> None:
    write(tmp_path / "shop.py", "import taxes")
    write(tmp_path / "taxes.py", "")
    files = ImportedFiles(tmp_path, tmp_path / "convex")
    before = files.find(["import shop"])
    write(tmp_path / "shop.py", "import taxes\ndef (")
    assert before.keys() == files.find(["import shop"]).keys()
    assert files.find(["def ("]) == {}


@pytest.fixture(params=["here", "from elsewhere"])
def dev(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServerProcess]:
    write(tmp_path / "app/convex/m.py", FUNCTIONS)
    write(tmp_path / "app/shop/__init__.py", "")
    write(tmp_path / "app/shop/prices.py", "PRICE = 1.0\n")
    write(tmp_path / "app/lone.py", "VALUE = 1.0\n")
    here = request.param == "here"
    where = ("--data", ".parabola", "--project", "app")
    server = ServerProcess(
        tmp_path / "app" if here else tmp_path,
        *("dev", "--port", "0", "--site-port", "0", *(() if here else where)),
    ).start()
    server.wait_for_output("functions ready")
    yield server
    server.close()


def edit(server: ServerProcess, name: str, text: str | None, told: str) -> str:
    """Save a file (or remove it), and wait until something is said of it."""
    app = server.directory / "app" if (server.directory / "app").is_dir() else server.directory
    since = len(server.output())
    if text is None:
        (app / name).unlink()
    else:
        write(app / name, text)
    return server.wait_for_output(told, since)


def test_an_edit_beside_the_functions_is_served(dev: ServerProcess) -> None:
    assert dev.call("query", "m:price") == 1
    edit(dev, "shop/prices.py", "PRICE = 22.0\n", "~shop/prices.py")
    assert dev.call("query", "m:price") == 22
    assert dev.call("query", "m:lazily") == 1
    edit(dev, "lone.py", "VALUE = 22.0\n", "~lone.py")
    assert dev.call("query", "m:lazily") == 22
    said = edit(dev, "shop/prices.py", "PRICE = 3.0\n\nthis is not: Python\n", "goes on serving")
    assert "shop/prices.py:3" in said, said
    assert dev.call("query", "m:price") == 22
    said = edit(dev, "shop/prices.py", "PRICE = 3.0\n\n\nPRICE += nothing\n", "goes on serving")
    assert "shop/prices.py:4" in said, said
    edit(dev, "shop/prices.py", None, "goes on serving")
    assert dev.call("query", "m:price") == 22
    edit(dev, "shop/prices.py", "PRICE = 4.0\n", "functions ready")
    assert dev.call("query", "m:price") == 4


def test_a_package_that_is_installed_to_be_edited_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder is on the path by a `.pth` file, or by a finder of its own."""
    write(tmp_path / "elsewhere/src/editable_shop/__init__.py", "")
    monkeypatch.syspath_prepend(str(tmp_path / "elsewhere/src"))
    files = ImportedFiles(tmp_path / "app", tmp_path / "app/convex").find(["import editable_shop"])
    assert [path.name for path in files] == ["__init__.py"]
    assert json.dumps(os.fspath(next(iter(files)))).endswith('editable_shop/__init__.py"')


def test_hosts_import_from_the_project_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for before in (None, "/elsewhere"):
        monkeypatch.delenv("PYTHONPATH", raising=False)
        if before is not None:
            monkeypatch.setenv("PYTHONPATH", before)
        with importing_from(tmp_path):
            paths = os.environ["PYTHONPATH"].split(os.pathsep)
            assert paths == [str(tmp_path.resolve()), *([before] if before else [])]
        assert os.environ.get("PYTHONPATH") == before
