"""Loading user modules, and what is said when they cannot be loaded."""

from __future__ import annotations

import sys
import textwrap
import traceback

import pytest

from parabola.hosts.python.modules import loaded_modules
from parabola.hosts.python.modules.loaded_modules import LoadedModules, LoadError, SourceModule, load_modules


def load(files: dict[str, str]) -> LoadedModules:
    return load_modules([SourceModule(path, textwrap.dedent(text)) for path, text in files.items()])


def refused(files: dict[str, str]) -> LoadError:
    before = set(sys.modules), list(sys.meta_path)
    with pytest.raises(LoadError) as caught:
        load(files)
    assert before[1] == sys.meta_path, "nothing is left behind"
    assert not [name for name in set(sys.modules) - before[0] if name.startswith("convex_functions")]
    return caught.value


QUERY = "from parabola import query\n"


def test_modules_import_each_other() -> None:
    loaded = load(
        {
            "a.py": """
                from .helpers import x
                from . import schema
                from .deep.inner import y
                z = x + y + schema.n
            """,
            "helpers.py": "x = 1",
            "schema.py": "n = 100",
            "deep/inner.py": "from ..helpers import x\ny = x + 1",
            "pkg/__init__.py": "from .part import p",
            "pkg/part.py": "p = 5",
            "late.py": "def f():\n    from .helpers import x\n    return x",
        }
    )
    try:
        assert loaded.modules["a.py"].z == 103
        assert loaded.modules["pkg/__init__.py"].p == 5
        assert loaded.modules["late.py"].f() == 1
    finally:
        loaded.unload()


def test_absolute_imports_work_unless_a_package_shadows_them(monkeypatch: pytest.MonkeyPatch) -> None:
    source = {
        "a.py": "from convex.helpers import x\nimport convex.helpers as h\ny = h.x",
        "helpers.py": "x = 1",
    }
    monkeypatch.setattr(loaded_modules, "_is_shadowed", lambda: True)
    assert "No module named 'convex" in refused(source).message
    monkeypatch.setattr(loaded_modules, "_is_shadowed", lambda: False)
    first, second = load(source), load(source)
    try:
        assert first.package != second.package
        assert first.modules["a.py"].y == second.modules["a.py"].y == 1
        assert first.modules["a.py"].h is not second.modules["a.py"].h
    finally:
        first.unload()
        second.unload()


def test_functions_are_named_by_the_module_that_declares_them() -> None:
    loaded = load(
        {
            "tasks.py": QUERY + "@query\nasync def list(ctx): ...\nalias = list",
            "other.py": "from .tasks import list",
            "admin/users.py": QUERY + "@query\nasync def get(ctx): ...\ndefault = query(lambda ctx: 1)",
            "factory.py": QUERY
            + "def make():\n    @query\n    async def made(ctx): ...\n    return made\nown = make()",
            "uses.py": "from .factory import make\nfrom . import tasks\ntheirs = make()",
        }
    )
    try:
        assert sorted(loaded.functions) == [
            "admin/users",
            "admin/users:get",
            "factory:own",
            "tasks:alias",
            "tasks:list",
            "uses:theirs",
        ]
        assert loaded.functions["tasks:list"].reference_name == "tasks:list"
        assert loaded.functions["uses:theirs"].reference_name == "uses:theirs"
    finally:
        loaded.unload()


def test_a_query_called_list_does_not_hide_the_type() -> None:
    loaded = load(
        {
            "tasks.py": QUERY
            + "@query\nasync def list(ctx) -> list[int]: ...\n"
            + "@query\nasync def after(ctx, n: list[str]) -> list[int]: ..."
        }
    )
    try:
        assert str(loaded.functions["tasks:after"].args) == "v.object({n: v.array(v.string())})"
    finally:
        loaded.unload()


def test_tracebacks_show_the_source() -> None:
    loaded = load({"a.py": "def f():\n    return 1 / 0  # here"})
    try:
        with pytest.raises(ZeroDivisionError) as caught:
            loaded.modules["a.py"].f()
        text = "".join(traceback.format_exception(caught.value))
        assert 'File "convex/a.py", line 2, in f\n    return 1 / 0  # here' in text
    finally:
        loaded.unload()


def test_a_syntax_error_has_file_and_line() -> None:
    error = refused({"a.py": "x = 1\n", "b.py": "\ndef f(:\n    pass\n"})
    assert (error.file, error.line) == ("convex/b.py", 2)
    assert error.message == "SyntaxError: invalid syntax\ndef f(:"


def test_an_exception_at_import_has_the_line_that_raised_it() -> None:
    error = refused(
        {"a.py": "from .b import x\n", "b.py": "def f():\n    raise ValueError('boom')\nx = f()\n"}
    )
    assert (error.file, error.line) == ("convex/b.py", 2)
    assert error.message == (
        "ValueError: boom\n    at f (convex/b.py:2)\n    at <module> (convex/b.py:3)\n"
        "    at <module> (convex/a.py:1)"
    )


def test_a_missing_import_is_shown_where_it_is_asked_for() -> None:
    error = refused({"a.py": "\nimport no_such_package\n"})
    assert (error.file, error.line) == ("convex/a.py", 2)
    assert error.message.startswith("ModuleNotFoundError: No module named 'no_such_package'")


def test_exit_at_import_is_an_error_like_others() -> None:
    assert refused({"a.py": "import sys\nsys.exit(3)"}).line == 2


def test_an_unmappable_hint_has_file_and_line() -> None:
    error = refused(
        {"a.py": QUERY + "import array\n@query\nasync def f(\n    ctx,\n    when: array.array): ..."}
    )
    assert error.file == "convex/a.py"
    assert error.line == 6
    assert "`when` of `f` has the type hint `array`" in error.message
    assert error.message.endswith("in the decorator."), "the place is said once, by file and line"


def test_two_functions_of_one_name_are_refused() -> None:
    error = refused(
        {"a.py": QUERY + "@query\nasync def f(ctx): ...\n\n@query\nasync def f(ctx, x: int): ..."}
    )
    assert (error.file, error.line) == ("convex/a.py", 5)
    assert error.message == "`f` is declared twice, on lines 2 and 5. Rename one of the two."


def test_two_files_of_one_module_are_refused() -> None:
    error = refused({"a.py": "", "a/__init__.py": ""})
    assert "are the same module" in error.message


def test_arguments_and_parameters_must_agree() -> None:
    header = "from parabola import query, v\n"

    def message(declaration: str) -> str:
        error = refused({"a.py": header + declaration})
        assert (error.file, error.line) == ("convex/a.py", 2)
        return error.message

    assert "has no parameter `x`" in message("@query(args={'x': v.string()})\nasync def f(ctx): ...")
    assert "has a parameter `y` that `args` does not declare" in message(
        "@query(args={})\nasync def f(ctx, y): ..."
    )
    assert "is optional: give the parameter a default" in message(
        "@query(args={'x': v.optional(v.string())})\nasync def f(ctx, x): ..."
    )
    assert "Args validator must be an object or any" in message(
        "@query(args=v.string())\nasync def f(ctx): ..."
    )
    assert "`returns` takes a validator" in message("@query(args={}, returns=str)\nasync def f(ctx): ...")
    assert "needs a first parameter for its context" in message("@query\nasync def f(): ...")


def test_the_standard_print_is_not_touched_outside_of_functions(capsys: pytest.CaptureFixture[str]) -> None:
    load({"a.py": "print('loading', 1, sep='-')"}).unload()
    assert capsys.readouterr().out == "loading-1\n"
