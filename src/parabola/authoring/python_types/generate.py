"""The Python files of `_generated`, from an analysis of the deployed functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from parabola.authoring.component_types import ComponentModules
from parabola.authoring.python_types.api_stub import api_stub
from parabola.authoring.python_types.server_stub import schema_types, server_stub
from parabola.authoring.python_types.texts import RUNTIME_MODULES
from parabola.values.analyzed_modules import AnalyzedModule

__all__ = ["generate_python"]


def generate_python(
    modules: Mapping[str, AnalyzedModule],
    schema: Mapping[str, Any] | None,
    unknown: Iterable[str] = (),
    components: ComponentModules | None = None,
) -> dict[str, str]:
    """File name -> text of the modules that Python functions import, and of their stubs.

    `modules`: path (`tasks.py`, `lib/a.js`) -> analyzed module, of both languages. `schema`: its JSON, or
    None. `unknown`: paths of modules that nobody has analysed; anything may be in those. `components`: those
    that are used.
    """
    types = schema_types(schema)
    server = server_stub(types)
    return {**RUNTIME_MODULES, "server.pyi": server, "api.pyi": api_stub(types, modules, unknown, components)}
