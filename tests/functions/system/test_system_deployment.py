"""The deployment as a whole as admin tools and the command line see it."""

from __future__ import annotations

from pathlib import Path

from msgspec import convert
from msgspec.structs import replace

from functions.admin_tool import ADMIN, AdminTool, admin_tool
from functions.engine import ScriptedWorld, running
from parabola.functions.deployed.deployment import Module
from parabola.functions.deployed.npm_version import NPM_VERSION
from parabola.values.analyzed_modules import AnalyzedModule
from parabola.values.encoding import loads

POSITION = {"path": "a.js", "start_lineno": 6, "start_col": 2}
ARGS = '{"type":"object","value":{}}'
FUNCTION = {
    "name": "list",
    "pos": POSITION,
    "udfType": "Query",
    "visibility": {"kind": "public"},
    "args": ARGS,
    "returns": None,
}
ROUTE = {"route": {"path": "/hello", "method": "GET"}, "pos": None}


async def deploy_module(tool: AdminTool) -> None:
    analyzed = {"functions": [FUNCTION], "httpRoutes": [ROUTE], "cronSpecs": None, "sourceMapped": None}
    module = Module("dir/a.py", "python", "", analyzed=convert(analyzed, AnalyzedModule))
    base = tool.engine.runner.active.deployment
    deployment = replace(
        base, modules={**base.modules, module.path: module}, auth_providers=({"domain": "d"},)
    )
    hosts = await tool.engine.activation.prepare(deployment)
    await tool.engine.activation.activate(deployment, hosts)


async def test_modules_are_shown_with_what_they_define(tmp_path: Path) -> None:
    async with admin_tool(tmp_path) as tool:
        await deploy_module(tool)
        ((path, module),) = await tool.read("frontend/modules:list")
        assert path == "dir/a.js"
        assert module["functions"] == [
            {
                "name": "list",
                "lineno": 7.0,
                "udfType": "Query",
                "visibility": {"kind": "public"},
                "argsValidator": ARGS,
                "returnsValidator": "null",
            },
            {
                "name": "GET /hello",
                "lineno": None,
                "udfType": "HttpAction",
                "visibility": {"kind": "public"},
                "argsValidator": '{"type":"any"}',
                "returnsValidator": "null",
            },
        ]
        assert "cronSpecs" not in module
        assert await tool.read("frontend/modules:listForAllComponents") == [[None, [[path, module]]]]


async def test_the_specification_has_validators_as_objects(tmp_path: Path) -> None:
    async with admin_tool(tmp_path) as tool:
        await deploy_module(tool)
        function, route = await tool.read("cli/modules:apiSpec")
        assert function == {
            "identifier": "dir/a.js:list",
            "functionType": "Query",
            "visibility": {"kind": "public"},
            "args": {"type": "object", "value": {}},
            "returns": {"type": "any"},
        }
        assert route == {"functionType": "HttpAction", "path": "/hello", "method": "GET"}


async def test_environment_variables_come_by_name(tmp_path: Path) -> None:
    async with admin_tool(tmp_path) as tool:
        await tool.engine.activation.change_environment({"B": "2", "A": "1"})
        rows = await tool.read("frontend/listEnvironmentVariables")
        assert [(row["name"], row["value"]) for row in rows] == [("A", "1"), ("B", "2")]
        assert rows == await tool.read("cli/queryEnvironmentVariables")
        assert await tool.read("cli/queryEnvironmentVariables:get", name="B") == {"name": "B", "value": "2"}
        assert await tool.read("cli/queryEnvironmentVariables:get", name="C") is None


async def test_the_public_addresses_are_variables_for_the_command_line_too(tmp_path: Path) -> None:
    async with admin_tool(tmp_path) as tool:
        for name, key in (("CONVEX_CLOUD_URL", "cloudUrl"), ("CONVEX_SITE_URL", "siteUrl")):
            address = tool.engine.runner.instance[key]
            found = await tool.read("cli/queryEnvironmentVariables:get", name=name)
            assert found == {"name": name, "value": address}
        assert await tool.read("cli/queryEnvironmentVariables") == []


async def test_a_watched_table_has_another_number_after_each_change(tmp_path: Path) -> None:
    async with admin_tool(tmp_path) as tool:
        before = await tool.read("cli/queryTable", tableName="notes")
        assert await tool.read("cli/queryTable", tableName="notes") == before
        await tool.add("notes", {})
        assert await tool.read("cli/queryTable", tableName="notes") != before


async def test_the_table_list_follows_new_tables(tmp_path: Path) -> None:
    async with admin_tool(tmp_path) as tool:
        options = {"cursor": None, "numItems": 100.0}
        listed = await tool.read("cli/tables", paginationOpts=options)
        assert listed == {"page": [], "isDone": True, "continueCursor": "end"}
        await tool.add("zebras", {})
        await tool.add("apes", {})
        listed = await tool.read("cli/tables", paginationOpts=options)
        assert listed["page"] == [{"name": "apes"}, {"name": "zebras"}]


async def test_the_app_is_the_only_component(tmp_path: Path) -> None:
    async with admin_tool(tmp_path) as tool:
        (app,) = await tool.read("frontend/components:list")
        assert (app["path"], app["name"], app["state"]) == ("", None, "active")
        assert await tool.read("frontend/tableSize", tableName="notes", componentId=app["id"]) == 0.0
        assert await tool.read("frontend/tableSize", tableName="notes", componentId=None) == 0.0
        args = {"tableName": "notes", "componentId": "other"}
        result = await tool.call("query", "frontend/tableSize", args)
        assert result.error is not None
        assert result.error.message == 'There is no component with the id "other".'


async def test_a_component_that_is_not_there_is_named(tmp_path: Path) -> None:
    async with admin_tool(tmp_path) as tool:
        result = await tool.engine.query("n:all", component="counter")
        assert result.error is not None
        assert result.error.message == "Component path 'counter' not found"


async def test_the_deployment_describes_itself(tmp_path: Path) -> None:
    async with admin_tool(tmp_path) as tool:
        await deploy_module(tool)
        runner = tool.engine.runner
        urls = {"cloudUrl": "http://api", "siteUrl": "http://site"}
        runner.around = replace(runner.around, instance=urls)
        assert await tool.read("frontend/convexCloudUrl") == "http://api"
        assert await tool.read("frontend/convexSiteUrl") == "http://site"
        assert await tool.read("cli/convexUrl:cloudUrl") == "http://api"
        assert await tool.read("cli/convexUrl:siteUrl") == "http://site"
        assert await tool.read("frontend/getVersion") == NPM_VERSION
        stopped = {"system": "none", "usage_limit": "none", "user": "none"}
        assert await tool.read("frontend/backendState:backendState") == stopped
        assert await tool.read("frontend/deploymentState:deploymentState") == {"state": "running"}
        assert await tool.read("frontend/node:version") is None
        for function, validator in (("list", ARGS), ("other", None)):
            named = {"path": "dir/a.py", "function": function}
            found = await tool.call("query", "frontend/modules:argsValidator", named)
            assert loads(found.value_json) == validator
        for function, validator in (
            ("dir/a.py:list", ARGS),
            ("dir/a:list", ARGS),
            ("a:list", None),
            ("", None),
        ):
            assert await tool.read("frontend/modules:argsValidator", function=function) == validator
        assert await tool.read("frontend/indexes", tableNamespace=None) is None
        assert await tool.read("frontend/listAuthProviders") == [{"domain": "d"}]


async def test_live_lists_follow_a_push(tmp_path: Path) -> None:
    async with running(tmp_path, ScriptedWorld()) as engine:
        tool = AdminTool(engine)
        live = engine.live("_system/frontend/modules:list", {}, public_only=False, identity=ADMIN)
        assert (await engine.now(live)).value_json == b"[]"
        await deploy_module(tool)
        assert b"dir/a.js" in (await engine.now(live)).value_json


async def test_cron_jobs_are_where_admin_tools_look_for_them(tmp_path: Path) -> None:
    async with admin_tool(tmp_path) as tool:
        spec = {"udfPath": "a:list", "udfArgs": [91, 93], "cronSchedule": {"type": "interval", "seconds": 5}}
        crons = [{"identifier": "often", "spec": spec}]
        analyzed = {"functions": [], "httpRoutes": None, "cronSpecs": crons, "sourceMapped": None}
        module = Module("crons.py", "python", "", analyzed=convert(analyzed, AnalyzedModule))
        base = tool.engine.runner.active.deployment
        deployment = replace(base, modules={**base.modules, module.path: module})
        hosts = await tool.engine.activation.prepare(deployment)
        await tool.engine.activation.activate(deployment, hosts)
        ((path, shown),) = await tool.read("frontend/modules:list")
        assert path == "crons.js"
        assert [name for name, _ in shown["cronSpecs"]] == ["often"]
