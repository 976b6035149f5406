"""What is analysed again, and what is not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from parabola.functions.deployed.deployment import Module
from parabola.services.deploys import known_analyses
from parabola.services.deploys.known_analyses import AnalysisContext, KnownAnalyses
from parabola.values.analyzed_modules import AnalyzedModule, Reads


def modules(**sources: str) -> dict[str, Module]:
    return {f"{name}.js": Module(f"{name}.js", "isolate", source) for name, source in sources.items()}


AROUND = AnalysisContext(
    "isolate",
    modules(a="import './deep.js'", deep="1", other="2"),
    {"READ": "x", "UNREAD": "y"},
    ("0.1", "22", None),
)
READS = Reads(imports=("a.js", "deep.js"), variables=("READ", "ABSENT"), is_fixed=True)
FOUND = AnalyzedModule(functions=())


def known(around: AnalysisContext = AROUND, **reads: Any) -> KnownAnalyses:
    found = KnownAnalyses()
    found.remember("a.js", FOUND, msgspec.structs.replace(READS, **reads), around)
    return found


def test_a_module_is_known_while_nothing_it_depends_on_has_changed() -> None:
    assert known().find("a.js", AROUND) == (FOUND,)
    assert known().find("other.js", AROUND) is None
    unrelated = {**AROUND.modules, **modules(other="3", more="4")}
    assert known().find("a.js", replace(AROUND, modules=unrelated)) == (FOUND,)
    assert known().find("a.js", replace(AROUND, variables={"READ": "x"})) == (FOUND,)


@pytest.mark.parametrize(
    "changed",
    [
        replace(AROUND, modules={**AROUND.modules, **modules(a="2")}),
        replace(AROUND, modules={**AROUND.modules, **modules(deep="2")}),
        replace(AROUND, modules=modules(a="import './deep.js'")),
        replace(AROUND, variables={"READ": "z"}),
        replace(AROUND, variables={}),
        replace(AROUND, variables={"READ": "x", "ABSENT": ""}),
        replace(AROUND, versions=("0.1", "24", None)),
        replace(AROUND, versions=("0.1", "22", "packages")),
        replace(AROUND, component="counter"),
        replace(AROUND, runtime="node"),
    ],
)
def test_it_is_analysed_again_when_something_has(changed: AnalysisContext) -> None:
    assert known().find("a.js", changed) is None


def test_who_may_read_everything_depends_on_all_variables() -> None:
    greedy = known(variables=("*",))
    assert greedy.find("a.js", AROUND) == (FOUND,)
    assert greedy.find("a.js", replace(AROUND, variables={"READ": "x"})) is None


def test_what_depends_on_the_clock_or_on_nobody_knows_what_is_not_remembered() -> None:
    assert known(is_fixed=False).find("a.js", AROUND) is None
    nothing = known()
    nothing.remember("a.js", FOUND, None, AROUND)
    assert nothing.find("a.js", AROUND) is None


def test_little_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    found = known()
    found.forget_others(AROUND, ["a.js"])
    assert found.find("a.js", AROUND)
    found.forget_others(AROUND, ["b.js"])
    assert not found.find("a.js", AROUND)
    monkeypatch.setattr(known_analyses, "MAX_KNOWN", 1)
    full = known()
    full.remember("other.js", FOUND, msgspec.structs.replace(READS, imports=("other.js",)), AROUND)
    assert full.find("a.js", AROUND) is None
    assert full.find("other.js", AROUND)
