"""Reading configs: folders, modules of packages, entry points, npm packages, and the paths of definitions."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

LIMITER = 'from parabola import define_component\n\ncomponent = define_component("limiter")\n'
METADATA = "Metadata-Version: 2.1\nName: limiter-of-somebody\nVersion: 1.0\n"


def write(root: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def read(root: Path, app: str) -> dict[str, Any]:
    """What the reader says about an app with this config; installed packages are in `site-packages`."""
    write(
        root, {"convex/convex_config.py": f"from parabola import define_app\n\napp = define_app()\n{app}\n"}
    )
    program = f"import sys; sys.path.insert(0, {str(root.parent / 'site-packages')!r}); "
    program += "from parabola.hosts.python.modules.config_reader import main; main(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", program, str(root), str(root / "convex")],
        capture_output=True,
        text=True,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(
        tmp_path,
        {
            "project/components/kit/convex_config.py": LIMITER.replace("limiter", "kit"),
            "project/components/twin/convex_config.py": (
                LIMITER.replace('"limiter"', '"twin", npm="@some/twin"')
            ),
            "site-packages/limiter/__init__.py": "",
            "site-packages/limiter/convex_config.py": LIMITER,
            "site-packages/limiter-1.0.dist-info/METADATA": METADATA,
            "site-packages/limiter-1.0.dist-info/entry_points.txt": (
                "[convex.components]\nlimits = limiter.convex_config:component\n"
            ),
            "project/node_modules/@some/package/package.json": "{}",
            "project/node_modules/plain-package/package.json": "{}",
        },
    )
    return tmp_path / "project"


def children(answer: dict[str, Any]) -> list[dict[str, Any]]:
    assert "error" not in answer, answer
    found: list[dict[str, Any]] = answer["definitions"][0]["definition"]["childComponents"]
    return found


def test_a_folder_is_found_from_the_file_that_names_it(root: Path) -> None:
    (child,) = children(read(root, 'app.use("../components/kit")'))
    assert (child["path"], child["name"]) == ("../components/kit", "kit")


def test_a_package_is_mounted_by_its_module_and_by_its_entry_point_wherever_it_is(root: Path) -> None:
    app = 'import limiter.convex_config as limiter\n\napp.use(limiter)\napp.use("limits", name="again")'
    answer = read(root, app)
    assert [(child["path"], child["name"]) for child in children(answer)] == [
        ("../site-packages/limiter", "limiter"),
        ("../site-packages/limiter", "again"),
    ]
    assert [each["path"] for each in answer["definitions"]] == ["", "../site-packages/limiter"]
    assert not any("site-packages" in file for file in answer["read"])


def test_a_package_beside_the_functions_belongs_to_the_project(root: Path) -> None:
    answer = read(root, "import components.kit.convex_config as kit\n\napp.use(kit)")
    assert [child["path"] for child in children(answer)] == ["../components/kit"]
    assert any(file.endswith("components/kit/convex_config.py") for file in answer["read"])


def test_what_is_worked_on_beside_the_project_has_its_name_or_its_place(root: Path) -> None:
    """A package that is imported is called the same wherever it is; a folder is where it is."""
    beside = root.parent / "site-packages"
    beside.rename(root.parent / "work")
    write(root.parent, {"work/other/part/convex_config.py": LIMITER.replace("limiter", "part")})
    write(root.parent, {"work/limiter/part/convex_config.py": LIMITER.replace("limiter", "inner")})
    app = (
        f"import sys\n\nsys.path.insert(0, {str(root.parent / 'work')!r})\n"
        "import limiter.part.convex_config as inner\nimport other.part.convex_config as part\n\n"
        'app.use(inner)\napp.use(part)\napp.use("../../work/limiter")'
    )
    assert [child["path"] for child in children(read(root, app))] == [
        "../site-packages/limiter/part",
        "../site-packages/other/part",
        "../../work/limiter",
    ]


@pytest.mark.parametrize("name", ["@some/package", "plain-package"])
def test_an_npm_package_is_seen_from_the_file_that_names_it(root: Path, name: str) -> None:
    (child,) = children(read(root, f'app.use("{name}")'))
    assert child["typescript"] == {"specifier": name, "from": str(root / "convex")}
    assert child["name"] is None


def test_a_folder_in_typescript_is_one_too(root: Path) -> None:
    write(root, {"convex/kit/convex.config.ts": ""})
    (child,) = children(read(root, 'app.use("kit")'))
    assert child["typescript"]["specifier"] == "./kit"


def test_what_is_offered_is_said_of_its_definition(root: Path) -> None:
    answer = read(root, 'app.offer("../components/kit", name="shown")')
    assert children(answer) == []
    assert [each.get("offered") for each in answer["definitions"]] == [None, "shown"]


@pytest.mark.parametrize(
    ("app", "line", "text"),
    [
        ('app.use("nowhere")', 4, 'There is no component "nowhere"'),
        ('app.use("@some/other")', 4, 'There is no component "@some/other"'),
        ('app.use("..")', 4, "is no component: it has no convex_config.py"),
        ('app.use("limits")\n1 / 0', 5, "ZeroDivisionError"),
        ('app.offer("plain-package")', 4, "import it in convex.config.ts"),
        ('app.offer("../components/twin")', 4, "twin is the npm package @some/twin for TypeScript"),
        (
            'app.offer("../components/kit")\napp.offer("limits", name="kit")',
            None,
            "Two components are offered",
        ),
        ('app.use(".")', None, "is no component|defines the app|defines no component"),
        (
            'from parabola import define_component\n\napp.use(define_component("x"))',
            None,
            "defines the app, which is no component",
        ),
    ],
)
def test_what_cannot_be_says_where(root: Path, app: str, line: int | None, text: str) -> None:
    error = read(root, app)["error"]
    assert re.search(text, error["message"]), error
    assert line is None or error["line"] == line
    assert line is None or error["file"].endswith("convex/convex_config.py")


def test_components_may_use_each_other_which_is_for_the_server_to_refuse(root: Path) -> None:
    other = LIMITER.replace("limiter", "other") + 'component.use("../kit")\n'
    kit = LIMITER.replace("limiter", "kit") + 'component.use("../other")\n'
    write(root, {"components/other/convex_config.py": other, "components/kit/convex_config.py": kit})
    answer = read(root, 'app.use("../components/kit")')
    assert [each["path"] for each in answer["definitions"]] == [
        "",
        "../components/kit",
        "../components/other",
    ]


def test_what_configs_print_is_no_part_of_the_answer(root: Path) -> None:
    assert children(read(root, 'print("noise")')) == []
