"""What is deployed: look-ups, analysis, environments."""

from __future__ import annotations

from msgspec import convert, to_builtins

from parabola.functions.deployed.deployment import Deployment, Module, module_hash
from parabola.values.analyzed_modules import AnalyzedCron, AnalyzedModule
from parabola.values.validators.builder import ObjectValidator


def analysed(*functions: dict, **more: object) -> AnalyzedModule:
    return convert({"functions": list(functions), **more}, AnalyzedModule)


def function(name: str, kind: str = "Query", **more: object) -> dict:
    return {
        "name": name,
        "pos": None,
        "udfType": kind,
        "visibility": {"kind": "public"},
        "args": '{"type":"any"}',
        "returns": "null",
        **more,
    }


def test_functions_are_found_by_any_spelling() -> None:
    deployment = Deployment.of(
        [
            Module(
                "a/tasks.py",
                "python",
                "",
                analyzed=analysed(function("list"), function("default", "Mutation")),
            )
        ]
    )
    for path in ("a/tasks:list", "a/tasks.py:list", "a/tasks.js:list"):
        spec = deployment.function(path)
        assert spec is not None
        assert (spec.path, spec.kind, spec.title) == ("a/tasks.py:list", "query", "Query")
    for path in ("a/tasks", "a/tasks:default"):
        spec = deployment.function(path)
        assert spec is not None
        assert spec.kind == "mutation"
    assert deployment.function("a/tasks:nope") is None


def test_validators_are_read_from_the_analysis() -> None:
    args = '{"type":"object","value":{"n":{"fieldType":{"type":"number"},"optional":false}}}'
    deployment = Deployment.of(
        [
            Module(
                "m.js",
                "isolate",
                "",
                analyzed=analysed(function("f", args=args, returns='{"type":"string"}'), function("g")),
            )
        ]
    )
    typed, free = deployment.function("m:f"), deployment.function("m:g")
    assert typed is not None
    assert free is not None
    assert isinstance(typed.args, ObjectValidator)
    assert str(typed.returns) == "v.string()"
    assert (free.args, free.returns) == (None, None)


def test_functions_without_a_visibility_are_public() -> None:
    deployment = Deployment.of(
        [Module("m.js", "isolate", "", analyzed=analysed(function("old", visibility=None)))]
    )
    spec = deployment.function("m:old")
    assert spec is not None
    assert spec.visibility == "public"


def test_environments_are_those_with_modules_in_a_fixed_order() -> None:
    modules = [Module("c.js", "node", ""), Module("a.py", "python", ""), Module("b.js", "isolate", "")]
    assert Deployment.of(modules).runtimes() == ("python", "isolate", "node")
    assert Deployment.of(modules[:1]).runtimes() == ("node",)
    assert [m.path for m in Deployment.of(modules).modules_for("isolate")] == ["b.js"]
    assert Deployment().runtimes() == ()


def test_modules_are_found_with_and_without_extension() -> None:
    deployment = Deployment.of([Module("http.py", "python", "x")])
    assert deployment.module("http.py") is deployment.module("http") is not None
    assert deployment.module("http.js") is not None
    assert deployment.module("nope") is None


def test_routes_and_crons_are_collected() -> None:
    route = {"route": {"path": "/a", "method": "GET"}, "pos": None}
    spec = {"udfPath": "m.js:f", "udfArgs": [91, 93], "cronSchedule": {"type": "hourly", "minuteUTC": 0}}
    cron = {"identifier": "c", "spec": spec}
    deployment = Deployment.of(
        [
            Module("http.py", "python", "", analyzed=analysed(httpRoutes=[route])),
            Module("crons.js", "isolate", "", analyzed=analysed(cronSpecs=[cron])),
        ]
    )
    assert [(module.path, to_builtins(found)) for module, found in deployment.http_routes] == [
        ("http.py", route)
    ]
    assert deployment.crons == [convert(cron, AnalyzedCron)]


def test_hashes_cover_source_and_source_map() -> None:
    assert module_hash("a") == "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    assert module_hash("a", "b") == module_hash("ab")
    assert Module("m.js", "isolate", "a").sha256 == module_hash("a")


def test_another_environment_is_another_deployment_of_the_same_code() -> None:
    before = Deployment.of([Module("a.py", "python", "")], env={"A": "1"})
    after = before.with_env({"B": "2"})
    assert after.modules == before.modules
    assert (before.env, after.env) == ({"A": "1"}, {"B": "2"})
    assert before.id != after.id
