"""What analysis says of loaded modules, in the form of deploy-api 7.2 to 7.4."""

from __future__ import annotations

import json

import pytest

from hosts.modules.test_loaded_modules import load
from parabola.hosts.python.modules.analysis import analyze
from parabola.hosts.python.modules.loaded_modules import LoadError
from parabola.hosts.python.world.sandbox import Sandbox


def analysis(modules: dict[str, str], phase: str = "modules", **environment: str) -> dict:
    sandbox = Sandbox()
    sandbox.open()
    loaded = load(modules)
    try:
        return analyze(loaded, phase, environment)
    finally:
        loaded.unload()
        sandbox.close()


def test_functions_with_validators_visibility_and_position() -> None:
    result = analysis(
        {
            "m.py": """
                from parabola import *

                @mutation
                async def create(ctx: MutationCtx, text: str, n: int | None = None) -> Id["tasks"]: ...

                @internal_query(args={"a": v.string()}, returns=v.null())
                def look(ctx, a): ...

                @action
                async def act(ctx, **anything): ...
            """,
        }
    )
    create, look, act = result["modules"]["m.py"]["functions"]
    assert create["name"] == "create"
    assert create["udfType"] == "Mutation"
    assert create["visibility"] == {"kind": "public"}
    assert create["pos"] == {"path": "m.py", "start_lineno": 3, "start_col": 0}
    assert json.loads(create["args"]) == {
        "type": "object",
        "value": {
            "text": {"fieldType": {"type": "string"}, "optional": False},
            "n": {
                "fieldType": {
                    "type": "union",
                    "value": [{"type": "number", "integer": True}, {"type": "null"}],
                },
                "optional": True,
            },
        },
    }
    assert json.loads(create["returns"]) == {"type": "id", "tableName": "tasks"}
    assert look["visibility"] == {"kind": "internal"}
    assert (look["udfType"], json.loads(look["returns"])) == ("Query", {"type": "null"})
    assert (act["udfType"], act["args"], act["returns"]) == ("Action", '{"type":"any"}', "null")
    assert result["modules"]["m.py"]["httpRoutes"] is None
    assert result["schema"] is None


def test_the_schema_by_name_or_as_the_only_one() -> None:
    table = 'define_table({{"a": v.string()}}).index("by_a", ["a"])'
    define = f'from parabola import *\n{{}} = define_schema({{{{"t": {table}}}}})'
    for name in ("schema", "anything"):
        schema = analysis({"schema.py": define.format(name)}, "schema")["schema"]
        assert schema["tables"][0]["tableName"] == "t"
        assert schema["tables"][0]["indexes"] == [{"indexDescriptor": "by_a", "fields": ["a"]}]
    with pytest.raises(LoadError, match="defines no schema") as caught:
        analysis({"schema.py": "x = 1"}, "schema")
    assert caught.value.file == "convex/schema.py"


def test_http_routes() -> None:
    result = analysis(
        {
            "http.py": """
                from parabola import *
                http = http_router()
                @http.route(path="/hello", method="GET")
                async def hello(ctx: ActionCtx, request: Request) -> Response:
                    return Response("hi")
                http.route(path_prefix="/api/", method="POST", handler=hello)
            """
        }
    )
    module = result["modules"]["http.py"]
    assert module["functions"] == []
    assert [route["route"] for route in module["httpRoutes"]] == [
        {"path": "/hello", "method": "GET"},
        {"path": "/api/*", "method": "POST"},
    ]
    with pytest.raises(LoadError, match="It has no router"):
        analysis({"http.py": ""})


def test_crons_in_their_stored_form() -> None:
    result = analysis(
        {
            "jobs.py": "from parabola import *\n@internal_mutation\nasync def tick(ctx, n: int): ...",
            "crons.py": """
                from parabola import *
                from . import jobs
                crons = cron_jobs()
                crons.interval("each", jobs.tick, {"n": 1}, minutes=2)
                crons.weekly("weekly", internal.jobs.tick, {"n": 2}, day_of_week="monday", hour_utc=3)
                crons.cron("expr", "15 7 * * *", "other:fn")
            """,
        }
    )
    each, weekly, expr = result["modules"]["crons.py"]["cronSpecs"]
    assert each["identifier"] == "each"
    assert each["spec"]["udfPath"] == "jobs.py:tick"
    assert json.loads(bytes(each["spec"]["udfArgs"])) == [{"n": 1.0}]
    assert each["spec"]["cronSchedule"] == {"type": "interval", "seconds": 120}
    assert weekly["spec"]["cronSchedule"] == {"type": "weekly", "dayOfWeek": 1, "hourUTC": 3}
    assert expr["spec"] == {
        "udfPath": "other.js:fn",
        "udfArgs": list(b"[{}]"),
        "cronSchedule": {"type": "cron", "cronExpr": "15 7 * * *"},
    }


AUTH = """
    import os
    from parabola import env
    providers = [{"domain": env["DOMAIN"], "applicationID": os.environ.get("APP")}]
"""


def test_auth_providers_and_variables_that_are_not_set() -> None:
    result = analysis({"auth_config.py": AUTH}, "auth", DOMAIN="https://x.example", APP="convex")
    assert result == {"providers": [{"domain": "https://x.example", "applicationID": "convex"}]}
    assert analysis({}, "auth") == {"providers": []}
    with pytest.raises(LoadError) as caught:
        analysis({"auth_config.py": AUTH}, "auth", DOMAIN="https://x.example")
    assert caught.value.message == (
        "Environment variable APP is used in auth config file but its value was not set"
    )
    assert (caught.value.file, caught.value.line) == ("convex/auth_config.py", 4)
    with pytest.raises(LoadError, match="must include a list of provider credentials"):
        analysis({"auth_config.py": "providers = 3"}, "auth")
