"""User modules: from source text to loaded functions.

The modules of a deployment form one package, so that `from .helpers import x` and `from . import y`
work, and `from convex.helpers import x` too unless an installed package is called `convex`. They are
not files here: code objects carry the names people know (`convex/tasks.py`), and `linecache` is filled
so that tracebacks show the lines.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import linecache
import sys
from collections.abc import Callable, Container, Mapping, Sequence
from functools import cached_property
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final

from msgspec import Struct, field

from parabola.authoring.functions import Function, module_being_loaded, on_declaration
from parabola.authoring.integer_places import IntegerPlaces
from parabola.authoring.python_types.texts import GENERATED_FOLDERS, RUNTIME_MODULES
from parabola.hosts.python.modules.import_reads import ImportReads
from parabola.hosts.python.modules.resources import DataFolder, Resources
from parabola.hosts.python.reports.console import console_print
from parabola.hosts.python.reports.frames import error_text, frames_beside, user_frames
from parabola.hosts.python.world.refusals import user_files
from parabola.values.articles import with_article
from parabola.values.schema.definition import Schema

__all__ = [
    "AUTH_CONFIG",
    "FOLDER",
    "LoadError",
    "LoadedModules",
    "SourceModule",
    "exported_functions",
    "load_modules",
    "single_object",
]

FOLDER: Final = "convex"
AUTH_CONFIG: Final = "auth_config.py"


class LoadError(Exception):
    """The modules cannot be loaded. `file` and `line` say where, when that is known."""

    def __init__(
        self, message: str, file: str | None = None, line: int | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.file = file
        self.line = line
        self.code = code

    def to_json(self) -> dict[str, Any]:
        """The `error` of a `loadFailed` message."""
        place = {"message": self.message, "file": self.file, "line": self.line}
        return place if self.code is None else {**place, "code": self.code}


class SourceModule(Struct, frozen=True):
    """One file of the `convex` folder or of a component's: `path` like `admin/users.py`."""

    path: str
    source: str
    file: str | None = None
    """Where the file really is, for debuggers of in-process hosts."""
    folder: str = FOLDER
    """The folder it is in, as its author knows it."""

    @property
    def shown(self) -> str:
        """The name in error texts."""
        return f"{self.folder}/{self.path}"

    @property
    def code_file(self) -> str:
        """The name in code objects."""
        return self.file or self.shown

    @property
    def function_path(self) -> str:
        """What stands before the colon in the names of its functions."""
        return self.path.removesuffix(".py")


class LoadedModules(Struct, dict=True):
    """The modules of one deployment, and the functions they export."""

    package: str
    sources: Mapping[str, SourceModule]
    modules: dict[str, ModuleType] = {}
    """By path; `auth_config.py` is not among them before it is asked for."""
    functions: dict[str, Function[..., Any]] = {}
    """By name: `tasks:list`."""
    found: dict[str, Function[..., Any]] = {}
    """Those that have been run, by the paths under which they were asked for."""
    finder: _Finder | None = None
    import_reads: ImportReads = field(default_factory=lambda: ImportReads({}))

    @property
    def schema(self) -> Schema | None:
        """The schema in `schema.py`: its attribute `schema`, or the only `Schema` there."""
        module = self.modules.get("schema.py")
        schema = None if module is None else single_object(module, "schema", Schema)
        return schema if isinstance(schema, Schema) else None

    @cached_property
    def integer_places(self) -> IntegerPlaces:
        """What the schema and the functions say of integers."""
        return IntegerPlaces(self.schema, self.functions)

    def load_auth_config(self) -> ModuleType | None:
        """The module `auth_config.py`, loaded now; `None` when there is none. Raises `LoadError`."""
        source = self.sources.get(AUTH_CONFIG)
        return None if source is None else _import(self, source)

    def unload(self) -> None:
        """Forget the modules; what still runs keeps running."""
        if self.finder is not None and self.finder in sys.meta_path:
            sys.meta_path.remove(self.finder)
        for name in [
            name for name in sys.modules if name == self.package or name.startswith(self.package + ".")
        ]:
            del sys.modules[name]


def load_modules(sources: Sequence[SourceModule], import_reads: ImportReads | None = None) -> LoadedModules:
    """Import all modules and find their functions. Raises `LoadError` and leaves nothing behind then.

    `import_reads` hears of the imports, so that it can tell which functions depend on what modules read.
    """
    python = {source.path: source for source in sources if source.path.endswith(".py")}
    data = {source.path: source.source for source in sources if source.path not in python}
    loaded = LoadedModules(_free_package_name(), python)
    loaded.import_reads = import_reads or loaded.import_reads
    names = _module_names(loaded.package, python)
    for path in data:  # a folder of data alone is a package as well
        parts = path.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            names.setdefault(".".join([loaded.package, *parts[:depth]]), None)
    loaded.finder = _Finder(loaded.package, names, loaded.import_reads, data)
    sys.meta_path.insert(0, loaded.finder)
    declared: list[Function[..., Any]] = []
    try:
        for path in sorted(python):
            if path != AUTH_CONFIG:
                loaded.modules[path] = _import(loaded, python[path], declared)
        for path, module in loaded.modules.items():
            _register(loaded, python[path], module)
        _refuse_unreachable(declared)
        _refuse_hidden(loaded, declared)
    except BaseException:
        loaded.unload()
        raise
    return loaded


def _free_package_name() -> str:
    base = FOLDER if not _is_shadowed() else f"{FOLDER}_functions"
    name, number = base, 1
    while name in sys.modules:
        number += 1
        name = f"{base}_{number}"
    return name


def _is_shadowed() -> bool:
    """True when an installed package, and not one of our deployments, is called `convex`."""
    module = sys.modules.get(FOLDER)
    if module is not None:
        return not isinstance(getattr(module.__spec__, "loader", None), _Finder)
    for finder in sys.meta_path:
        if not isinstance(finder, _Finder) and hasattr(finder, "find_spec"):
            spec = finder.find_spec(FOLDER, None, None)
            if spec is not None and spec.loader is not None:  # a bare folder is nobody's package
                return True
    return False


def _module_names(package: str, sources: Mapping[str, SourceModule]) -> dict[str, SourceModule | None]:
    """Dotted name to source; folders without `__init__.py` are packages without source."""
    names: dict[str, SourceModule | None] = {package: None}
    for source in sources.values():
        parts = source.function_path.split("/")
        if parts[-1] == "__init__":
            parts.pop()
        for depth in range(1, len(parts)):
            names.setdefault(".".join([package, *parts[:depth]]), None)
        name = ".".join([package, *parts])
        other = names.get(name)
        if other is not None:
            raise LoadError(
                f"{source.shown} and {other.shown} are the same module. Rename one of them.", source.shown
            )
        names[name] = source
    for folder in GENERATED_FOLDERS:  # what is generated is no part of a push: a fresh clone may lack it
        for file, text in RUNTIME_MODULES.items():
            generated = SourceModule(f"{folder}/{file}", text)
            parts = [package, *generated.function_path.removesuffix("/__init__").split("/")]
            names.setdefault(".".join(parts), generated)
    return names


class _Finder:
    """Finds and runs the modules of one deployment (a finder and loader of the import system)."""

    def __init__(
        self,
        package: str,
        names: Mapping[str, SourceModule | None],
        import_reads: ImportReads,
        data: Mapping[str, str],
    ) -> None:
        self._data = data
        self._package = package
        self._names = names
        self._builtins = _user_builtins(package, names, import_reads)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name not in self._names:
            return None
        source = self._names[name]
        is_package = (
            source is None
            or source.path.endswith("__init__.py")
            or any(n.startswith(name + ".") for n in self._names)
        )
        origin = FOLDER if source is None else source.code_file
        spec = ModuleSpec(name, self, origin=origin, is_package=is_package)  # type: ignore[arg-type]
        spec.has_location = source is not None
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        source = self._names[module.__name__]
        if source is None:
            return
        user_files[source.code_file] = source.shown
        lines = source.source.splitlines(keepends=True)
        linecache.cache[source.code_file] = (len(source.source), None, lines, source.code_file)
        code = compile(source.source, source.code_file, "exec", dont_inherit=True)
        module.__dict__["__builtins__"] = self._builtins
        token = module_being_loaded.set(module.__name__)
        try:
            exec(code, module.__dict__)
        finally:
            module_being_loaded.reset(token)
        _name_functions(source, module)

    def get_resource_reader(self, name: str) -> Resources:
        """The data files of a package, for `importlib.resources`."""
        folder = name.removeprefix(self._package).removeprefix(".").replace(".", "/")
        return Resources(DataFolder(self._data, folder))

    def get_source(self, name: str) -> str | None:
        source = self._names.get(name)
        return None if source is None else source.source


def _user_builtins(package: str, ours: Container[str], import_reads: ImportReads) -> dict[str, Any]:
    """The builtins of user modules: `print` writes to the log, `import convex.x` finds the package."""
    names = dict(vars(builtins))
    names["print"] = console_print
    is_renamed = package != FOLDER and not _is_shadowed()
    names["__import__"] = _importer(package if is_renamed else FOLDER, package, ours, import_reads)
    return names


def _importer(
    shown: str, package: str, ours: Container[str], import_reads: ImportReads
) -> Callable[..., Any]:
    """`import` of user modules. `shown` is the package that `convex` stands for, `package` the one that has
    the modules `ours`.
    """

    def import_(
        name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
    ) -> ModuleType:
        if level == 0 and (name == FOLDER or name.startswith(FOLDER + ".")):
            name = shown + name[len(FOLDER) :]
        import_reads.imports(globals, name, fromlist, level)
        try:
            return builtins.__import__(name, globals, locals, fromlist, level)
        except ModuleNotFoundError as error:
            if level == 0 and error.name in (name, name.partition(".")[0]) and f"{package}.{name}" in ours:
                raise _beside(name, globals, fromlist) from None
            raise

    return import_


def _beside(name: str, globals: Any, fromlist: Any) -> ModuleNotFoundError:
    """What is said to somebody who imports a module of the folder as if it were installed."""
    inside = (globals or {}).get("__package__") or ""
    dots = "." * (inside.count(".") + 1)
    head, _, last = name.rpartition(".")
    written = (
        f"from {dots}{name} import {', '.join(fromlist)}" if fromlist else f"from {dots}{head} import {last}"
    )
    return ModuleNotFoundError(
        f"No module named {name!r} is installed; there is one among the functions. Import it with "
        f"`{written}`.",
        name=name,
    )


def _import(
    loaded: LoadedModules, source: SourceModule, all_declared: list[Function[..., Any]] | None = None
) -> ModuleType:
    declared: list[Function[..., Any]] = []
    token = on_declaration.set(declared.append)
    parts = source.function_path.split("/")
    if parts[-1] == "__init__":
        parts.pop()
    try:
        module = importlib.import_module(".".join([loaded.package, *parts]))
    except BaseException as error:
        raise _load_error(source, error) from None
    finally:
        on_declaration.reset(token)
    _refuse_duplicates(declared)
    if all_declared is not None:
        all_declared += declared
    return module


def _refuse_duplicates(declared: Sequence[Function[..., Any]]) -> None:
    first: dict[tuple[str, str], Function[..., Any]] = {}
    for function in declared:
        name = function.handler.__qualname__
        if "<" in name or function.home != function.handler.__module__:
            continue
        other = first.setdefault((function.home, name), function)
        if other is not function:
            file, line = function.source
            raise LoadError(
                f"`{name}` is declared twice, on lines {other.source[1]} and {line}. Rename one of the two.",
                user_files.get(file, file),
                line,
            )


def _refuse_unreachable(declared: Sequence[Function[..., Any]]) -> None:
    """A function that no name of a module leads to can never be called: its decorator is a mistake."""
    for function in declared:
        if function.kind == "httpAction" or function.reference_name is not None:
            continue
        file, line = function.source
        owner, _, name = function.handler.__qualname__.rpartition(".")
        where = (
            f"It stands in the class `{owner}`: move it out of there."
            if owner and not owner.endswith("<locals>")
            else "Keep it under a name of its module. Where another decorator stands above, "
            f"put `@{function.kind}` on top."
        )
        raise LoadError(
            f"`{name}` is declared as {with_article(function.kind)}, but no name of a module leads to it, so "
            f"that nobody can call it. {where}",
            user_files.get(file, file),
            line,
        )


def _refuse_hidden(loaded: LoadedModules, declared: Sequence[Function[..., Any]]) -> None:
    """A module in a folder beside a file takes the place of what has its name in that file."""
    for function in declared:
        name = function.reference_name
        if name is None or name in loaded.functions:
            continue
        path, _, export = name.partition(":")
        beside = f"{path}/{export}.py"
        if beside in loaded.sources:
            file, line = function.source
            raise LoadError(
                f"Path {path}.py:{export} conflicts with existing export: {loaded.sources[beside].shown} has "
                f"the name of the function `{export}`. Rename one of them.",
                user_files.get(file, file),
                line,
                "InvalidExport",
            )


def exported_functions(module: ModuleType) -> list[tuple[str, Function[..., Any]]]:
    """The functions that a module declares; those it imported belong to the module they come from."""
    return [
        (name, value)
        for name, value in vars(module).items()
        if isinstance(value, Function) and value.home == module.__name__
    ]


def _name_functions(source: SourceModule, module: ModuleType) -> None:
    """Done as soon as the module has run, so that other modules may refer to it while they load."""
    for name, function in exported_functions(module):
        if function.reference_name is None:
            function.reference_name = _reference(source, name)


def _register(loaded: LoadedModules, source: SourceModule, module: ModuleType) -> None:
    for name, function in exported_functions(module):
        loaded.functions[_reference(source, name)] = function
        try:
            _ = function.args
        except Exception as error:
            raise _load_error(source, error) from None


def _reference(source: SourceModule, name: str) -> str:
    return f"{source.function_path}:{name}".removesuffix(":default")


def _load_error(source: SourceModule, error: BaseException) -> LoadError:
    if isinstance(error, LoadError) and error.file is not None:
        return error
    if isinstance(error, SyntaxError) and error.filename in user_files:
        text = (error.text or "").rstrip()
        return LoadError(
            f"{type(error).__name__}: {error.msg}\n{text}", user_files[error.filename], error.lineno
        )
    file, line = getattr(error, "file", None), getattr(error, "line", None)
    if isinstance(file, str) and isinstance(line, int):
        said = str(error).removesuffix(f" ({file}, line {line})")
        return LoadError(said, user_files.get(file, file), line)
    frames = user_frames(error.__traceback__)
    message = "".join(
        [error_text(error), *(f"\n    at {frame}" for frame in (*frames_beside(error), *frames))]
    )
    if isinstance(error, FileNotFoundError):
        message += (
            "\nModules are not files where they run. Data files beside them travel with a push: read one "
            'with importlib.resources.files(__package__).joinpath("name").read_text().'
        )
    if isinstance(error, LoadError):
        message = error.message
    code = error.code if isinstance(error, LoadError) else None
    if not frames:
        return LoadError(message, source.shown, code=code)
    shown, _, number = frames[0].rpartition("(")[2].rstrip(")").rpartition(":")
    return LoadError(message, shown, int(number), code)


def single_object(module: ModuleType, name: str, kind: type) -> Any:
    """The attribute `name` if it is a `kind`, else the only `kind` in the module, else `None`."""
    named = getattr(module, name, None)
    if isinstance(named, kind):
        return named
    found = {id(value): value for value in vars(module).values() if isinstance(value, kind)}
    return next(iter(found.values())) if len(found) == 1 else None
