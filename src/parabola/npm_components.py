"""Components in TypeScript for apps in Python: bundled by a program in JavaScript, with the esbuild that the
project's npm packages bring.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from parabola.host_programs import component_bundler
from parabola.project import ProjectError, SourceFile
from parabola.values.errors import BadRequest

__all__ = ["BundledComponents", "BundledDefinition", "NpmComponent", "bundle_components"]

_BUNDLE_SECONDS: Final = 120.0


@dataclass(frozen=True, order=True)
class NpmComponent:
    """A component as a config names it: a package, or a folder that begins with a dot, seen from a folder."""

    specifier: str
    seen_from: str


@dataclass(frozen=True)
class BundledDefinition:
    """A definition. `path` leads from the app's functions to its folder."""

    path: str
    config: SourceFile
    modules: tuple[SourceFile, ...]


@dataclass(frozen=True)
class BundledComponents:
    """The definitions that components consist of, with those that they use."""

    definitions: tuple[BundledDefinition, ...] = ()
    paths: Mapping[NpmComponent, str] = field(default_factory=dict)
    """Those of the components that were asked about."""
    files: tuple[Path, ...] = ()
    """What they were made from."""

    def path_of(self, component: NpmComponent) -> str:
        """The path of the definition of a component that was asked about."""
        return self.paths[component]


def bundle_components(functions: Path, components: Iterable[NpmComponent]) -> BundledComponents:
    """Bundle components, and those that they use.

    Raises `ProjectError` for what is no component or cannot be bundled, and where the tools for that are not
    installed.
    """
    asked = sorted(set(components))
    if not asked:
        return BundledComponents()
    question = {
        "functions": str(functions.resolve()),
        "components": [{"specifier": each.specifier, "from": each.seen_from} for each in asked],
    }
    try:
        done = subprocess.run(
            component_bundler(),
            input=json.dumps(question),
            cwd=functions,
            capture_output=True,
            text=True,
            timeout=_BUNDLE_SECONDS,
            check=False,
        )
    except BadRequest as error:
        raise ProjectError(str(error)) from None
    except subprocess.TimeoutExpired:
        raise ProjectError(
            f"Bundling the components in TypeScript took longer than {_BUNDLE_SECONDS:.0f} seconds."
        ) from None
    if done.returncode:
        raise ProjectError(f"The components in TypeScript cannot be bundled: {done.stderr.strip()[-2000:]}")
    answer = json.loads(done.stdout)
    if "error" in answer:
        raise ProjectError(answer["error"])
    return BundledComponents(
        tuple(_definition(each) for each in answer["definitions"]),
        dict(zip(asked, answer["paths"], strict=True)),
        tuple(Path(file) for file in answer["files"]),
    )


def _definition(answer: Mapping[str, Any]) -> BundledDefinition:
    return BundledDefinition(
        answer["path"], _file(answer["config"]), tuple(_file(each) for each in answer["modules"])
    )


def _file(answer: Mapping[str, Any]) -> SourceFile:
    return SourceFile(answer["path"], answer["source"], answer.get("sourceMap"))
