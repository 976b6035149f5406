"""One hand wrote the package: what no linter has a rule for."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

PACKAGE: Final = Path(__file__).parents[1] / "src" / "parabola"
SOURCES: Final = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
TREES: Final = {name: ast.parse(path.read_text()) for name, path in SOURCES.items()}

NOT_OUR_WORDS: Final = {
    "namespace": "component",
    "invocation": "run",
    "principal": "identity",
    "mutex": "turn",
}
"""Words of the glossary's middle column that name nothing, and what is said instead."""
HAS_VARIABLES: Final = re.compile(
    r"[._]env|implicit_reads|hosts\.python|activation|backend|deploys\.deploy$|deployment_store|sealing|node_packages"
    r"|host_spawners|host_zygote|host_programs|frontend_deployment|server_options"
)
"""Modules in which an environment is one of variables. What runs a module is its runtime."""

WALL_CLOCK: Final = re.compile(
    r"(.*\.)?(time\.(time|time_ns|localtime|gmtime)|(datetime|date)\.(now|utcnow|today))"
)
CLOCK_GIVEN: Final = ("parabola.database.database.open", "parabola.backend.open_database")
"""Where the database gets its clock, which is the machine's if nobody says otherwise."""
MACHINE_CLOCK: Final = {
    "parabola.backend": "the configuration, in which the clock of the database is chosen",
    "parabola.functions.outcomes.logs": "lines of one log, of which the hosts stamp the others",
    "parabola.server.http.straight_way": "the Date header, which aiohttp writes elsewhere, by the same clock",
    "parabola.server.sync.socket": "compared with what the clocks of clients show",
    "parabola.services.archives.archive": "the dates of files inside an archive",
    "parabola.services.backups.backup": "backups made by a command, of a database that another process has",
    "parabola.services.sign_in.admin_keys": "keys made by a command, on a machine that may have no database",
}
"""Modules that read the machine's clock, and why."""


def words_of(name: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]


def defined_names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr


def test_one_word_stands_for_one_concept() -> None:
    """See docs/reference/glossary.md."""
    found = [
        f"{module}:{line}: {name} (say {NOT_OUR_WORDS[word]})"
        for module, tree in TREES.items()
        for line, name in [(0, module.rpartition(".")[2]), *defined_names(tree)]
        for word in words_of(name)
        if word in NOT_OUR_WORDS
    ]
    assert found == []


def test_an_environment_is_one_of_variables() -> None:
    found = [
        f"{module}:{line}: {name} (say runtime)"
        for module, tree in TREES.items()
        if not HAS_VARIABLES.search(module)
        for line, name in defined_names(tree)
        if "environment" in words_of(name) and "variable" not in name.lower()
    ]
    assert found == []


def offered(tree: ast.Module) -> list[str] | None:
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if getattr(target, "id", "") == "__all__":
                return [element.value for element in node.value.elts]  # type: ignore[union-attr]
    return None


def test_a_module_says_what_it_offers_and_others_import_nothing_else() -> None:
    defines = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    silent = [
        module
        for module, tree in TREES.items()
        if not module.endswith("__main__")
        and any(isinstance(node, defines) and not node.name.startswith("_") for node in tree.body)
        and offered(tree) is None
    ]
    assert silent == []
    taken = [
        f"{module} imports {alias.name} of {node.module}"
        for module, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module in TREES
        for alias in node.names
        if f"{node.module}.{alias.name}" not in TREES
        and (names := offered(TREES[node.module])) is not None
        and alias.name not in names
    ]
    assert taken == []


def test_constants_are_final_and_loggers_are_named_after_their_module() -> None:
    faults = []
    for module, tree in TREES.items():
        for node in tree.body:
            if not isinstance(node, ast.Assign | ast.AnnAssign):
                continue
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            name, value = ast.unparse(target), ast.unparse(node.value) if node.value else ""
            annotation = ast.unparse(node.annotation) if isinstance(node, ast.AnnAssign) else ""
            is_type = re.match(r"TypeVar|ParamSpec", value)
            is_constant = re.fullmatch(r"_?[A-Z][A-Z0-9_]*", name) and not is_type
            if is_constant and not re.search("Final|TypeAlias", annotation):
                faults.append(f"{module}:{node.lineno}: {name} is not Final")
            is_logger = value.startswith("logging.getLogger")
            if is_logger and (name, value) != ("_log", "logging.getLogger(__name__)"):
                faults.append(f"{module}:{node.lineno}: a logger is `_log`, of `__name__`")
            if re.match(r"_?(MAXIMUM|MINIMUM)_", name):
                faults.append(f"{module}:{node.lineno}: {name} (say MAX or MIN)")
    assert faults == []


@pytest.mark.parametrize("module", SOURCES)
def test_code_in_texts_stands_in_single_backticks_and_headings_are_plain(module: str) -> None:
    source = SOURCES[module].read_text()
    inside = {
        line
        for node in ast.walk(TREES[module])
        if isinstance(body := getattr(node, "body", None), list)
        for statement in body
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        for line in range(statement.lineno, (statement.end_lineno or 0) + 1)
    }
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}
    texts = {**{line: source.splitlines()[line - 1] for line in inside}, **comments}
    faults = {line: text for line, text in texts.items() if "``" in text or re.match(r"# ?-{3}", text)}
    assert faults == {}


def test_the_engine_reads_the_databases_clock() -> None:
    """`Database.now_ts` and what is made of it: tests move that one, and all of it moves together."""
    faults = []
    for module, tree in TREES.items():
        floor = module.split(".")[1] if "." in module else ""
        if floor not in ("database", "functions", "services", "server", "backend") or module in MACHINE_CLOCK:
            continue
        defaults = {
            id(default)
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and f"{module}.{node.name}" in CLOCK_GIVEN
            for default in [*node.args.defaults, *node.args.kw_defaults]
        }
        faults += [
            f"{module}:{node.lineno}: {ast.unparse(node)}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
            and WALL_CLOCK.fullmatch(ast.unparse(node))
            and id(node) not in defaults
        ]
    assert faults == []


def test_every_module_of_the_rooms_has_a_floor_of_coverage() -> None:
    """See tools/cover.py, which measures it."""
    floors = (Path(__file__).parent / "coverage_floors.txt").read_text()
    known = {line.split()[1] for line in floors.splitlines() if not line.startswith("#")}
    measured = ("values", "database", "functions", "services", "server", "authoring", "cli", "testing")
    modules = {
        path.relative_to(PACKAGE).as_posix()
        for room in measured
        for path in (PACKAGE / room).rglob("*.py")
        if any(not isinstance(node, ast.Expr) for node in ast.parse(path.read_text()).body)
    }
    assert sorted(modules - known) == []


def texts_of(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every text that code may show, docstrings apart; "\\0" stands for what is filled in."""
    constants = {
        ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target): node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }
    filled = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    inside = {id(part) for node in filled for part in node.values}
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in filled:
        parts = (
            str(part.value)
            if isinstance(part, ast.Constant)
            else constants.get(ast.unparse(part.value), "\0")  # type: ignore[attr-defined]
            for part in node.values
        )
        yield node.lineno, "".join(parts)
    for node in ast.walk(tree):
        alone = id(node) not in inside and id(node) not in docstrings
        if alone and isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


SMALL: Final = re.compile(r"[a-z0-9`)\"'>\]]\. (?!`?(?:npx|server|api)\b)[`\"']*[a-z]")
"""A sentence that begins small, unless with the name of a command or a file."""
ARTICLE: Final = re.compile(r"\ban? [`'\"(]*\0")


@pytest.mark.parametrize(
    "fault", [SMALL, ARTICLE], ids=["a capital after a full stop", "an article that fits"]
)
def test_texts_are_sentences(fault: re.Pattern[str]) -> None:
    """What is filled in after an article wants `with_article`."""
    found = [
        f"{module}:{line}: {text!r}"
        for module, tree in TREES.items()
        for line, text in texts_of(tree)
        if fault.search(text)
    ]
    assert found == []
