"""What modules define, and how bad ones fail (js-runtime 2.5 to 2.7, 4.2, 4.3)."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hosts_node.driver import Host, Json, bundle_sources, error
from parabola.functions.processes.host_watchdog import process_memory_bytes


@pytest.fixture(scope="module")
def bare() -> Iterator[Host]:
    """A host that is asked about modules which it has not loaded."""
    host = Host()
    host.load([])
    yield host
    host.close()


@pytest.fixture(scope="module")
def analyzed(modules: list[Json]) -> Any:
    host = Host()
    host.load(modules)
    result = host.analyze("modules")["result"]
    host.close()
    return result


def analyze(host: Host, source: str, path: str = "mod.js") -> Json:
    host.load([{"path": path, "source": source}])
    return host.analyze("modules")


def test_functions_in_the_order_of_the_text(analyzed: Any) -> None:
    functions = analyzed["modules"]["documents.js"]["functions"]
    assert [function["name"] for function in functions[:3]] == ["list", "collect", "first"]
    assert functions[0] == {
        "name": "list",
        "pos": {"path": "documents.js", "start_lineno": 5, "start_col": 11},
        "udfType": "Query",
        "visibility": {"kind": "public"},
        "args": '{"type":"object","value":{"limit":{"fieldType":{"type":"number"},"optional":true}}}',
        "returns": "null",
    }
    create = next(function for function in functions if function["name"] == "create")
    assert (create["udfType"], create["returns"]) == ("Mutation", '{"type":"id","tableName":"tasks"}')


def test_chunks_and_configuration_are_left_out(analyzed: Any) -> None:
    assert not any(path.startswith("_deps/") for path in analyzed["modules"])
    assert "schema.js" not in analyzed["modules"]
    assert analyzed["modules"]["auth.config.js"]["functions"] == []


def test_the_schema_comes_along(analyzed: Any) -> None:
    (table,) = analyzed["schema"]["tables"]
    assert table["tableName"] == "tasks"
    assert table["indexes"] == [{"indexDescriptor": "by_text", "fields": ["text"]}]


def test_modules_that_keep_their_state_are_marked(analyzed: Any) -> None:
    assert analyzed["modules"]["reuse.js"]["reuseContext"] is True
    assert "reuseContext" not in analyzed["modules"]["state.js"]


def test_routes(analyzed: Any) -> None:
    module = analyzed["modules"]["http.js"]
    assert module["functions"] == []
    routes = [(route["route"]["method"], route["route"]["path"]) for route in module["httpRoutes"]]
    assert ("GET", "/hello") in routes
    assert ("GET", "/stream/*") in routes
    assert module["httpRoutes"][0]["pos"]["path"] == "http.js"


def test_cron_jobs(analyzed: Any) -> None:
    specs = {cron["identifier"]: cron["spec"] for cron in analyzed["modules"]["crons.js"]["cronSpecs"]}
    assert specs["every 2 minutes"] == {
        "udfPath": "documents.js:create",
        "udfArgs": list(b'[{"text":"x"}]'),
        "cronSchedule": {"type": "interval", "seconds": 120},
    }
    assert specs["hourly"]["cronSchedule"] == {"type": "hourly", "minuteUTC": 5}
    assert specs["daily"]["cronSchedule"] == {"type": "daily", "hourUTC": 3, "minuteUTC": 4}
    monthly = {"type": "monthly", "day": 31, "hourUTC": 1, "minuteUTC": 0}
    assert specs["monthly"]["cronSchedule"] == monthly
    assert specs["weekly"]["cronSchedule"] == {"type": "weekly", "dayOfWeek": 1, "hourUTC": 1, "minuteUTC": 2}
    assert specs["cron"]["cronSchedule"] == {"type": "cron", "cronExpr": "15 7 * * *"}


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("throw new Error('at import');", "Uncaught Error: at import"),
        ("while (true) {}", "Function execution timed out (maximum duration: 4s)"),
        ("const = 5;", "Uncaught SyntaxError: Unexpected token '='"),
        ("await new Promise(() => {});", "Uncaught Error: Top-level awaits in source files are unsupported"),
        ("Promise.reject(new Error('floating'));", "Uncaught Error: floating"),
        ("import.meta.url;", "Uncaught TypeError: import.meta unsupported"),
        (
            'import "./missing.js";',
            "Couldn't find JavaScript module 'missing.js'. Did you forget to run `npx convex dev`?",
        ),
        ('import "node:fs";', "Unsupported scheme (node) in node:fs"),
        ("await fetch('http://h');", "Uncaught Error: fetch() unsupported at import time"),
        ("setTimeout(() => {});", "Uncaught Error: setTimeout unsupported at import time"),
        (
            "Convex.asyncSyscall('1.0/get', '{}');",
            "Uncaught Error: Syscall 1.0/get unsupported at import time",
        ),
        (
            "crypto.subtle.generateKey('x', true, []);",
            "Uncaught Error: Cannot use cryptographic randomness at import time",
        ),
        ("import('./mod.js');", "Uncaught TypeError: dynamic module import unsupported"),
    ],
)
def test_modules_that_fail(bare: Host, source: str, text: str) -> None:
    assert error(analyze(bare, source))["message"].startswith(f"Failed to analyze mod.js: {text}")


def test_the_log_of_a_failed_module_is_shown(bare: Host) -> None:
    message = error(analyze(bare, "console.log('here', 1); throw new Error('x');"))["message"]
    assert message.endswith("\n\n[LOG] 'here' 1")


def test_what_import_time_may_use(bare: Host) -> None:
    source = "[Math.random(), Date.now(), performance.now(), process.env.X, crypto.randomUUID()];"
    assert analyze(bare, source)["result"]["modules"]["mod.js"]["functions"] == []


def test_the_host_goes_on_after_a_bad_module(bare: Host) -> None:
    analyze(bare, "while (true) {}")
    assert analyze(bare, "1;")["type"] == "analysis"


@pytest.mark.parametrize(
    ("path", "source", "text"),
    [
        ("http.js", "1;", "`convex/http.js` must have a default export of a Router."),
        (
            "http.js",
            "const a = {}; export { a as default };",
            "The default export of `convex/http.js` is not a Router.",
        ),
        (
            "http.js",
            "export default { isRouter: true, lookup: () => null };",
            "The router of `convex/http.js` has no `getRoutes`.",
        ),
        (
            "http.js",
            "export default { isRouter: true, getRoutes: () => [['/a', 'GET'], 5] };",
            "`getRoutes` of the router of `convex/http.js` must give a list of `[path, method, handler]`.",
        ),
        ("crons.js", "1;", "`convex/crons.js` must have a default export of a Crons object."),
        (
            "crons.js",
            "const a = {}; export { a as default };",
            "The default export of `convex/crons.js` is not a Crons object.",
        ),
        (
            "schema.js",
            "process.env.X;",
            "Uncaught Error: Environment variables unsupported when evaluating schema",
        ),
    ],
)
def test_special_modules_that_fail(bare: Host, path: str, source: str, text: str) -> None:
    assert error(analyze(bare, source, path))["message"].startswith(f"Failed to analyze {path}: {text}")


def test_an_analysed_module_is_let_go() -> None:
    """Finding the places of functions once kept every realm alive, with all that it held."""
    source = (
        "const kept = Array.from({ length: 1_000_000 }, (_, i) => i + 0.5);\n"
        "const q = Object.assign(() => kept.length, { isQuery: true, isPublic: true });\n"
        "export { q };\n"
    )
    host = Host()
    try:
        host.load([{"path": f"mod{n}.js", "source": source} for n in range(60)])
        assert len(host.analyze("modules")["result"]["modules"]) == 60
        # The collector comes when it is asked for room, later where the processor is wanted by others.
        for _ in range(100):
            held = process_memory_bytes(host.process.pid)
            if held is None or held < 300_000_000:
                break
            host.analyze("modules", paths=["mod0.js"])
        assert held is None or held < 300_000_000, "all modules together hold 480 MB"
    finally:
        host.close()


def test_flags_that_contradict_each_other(bare: Host) -> None:
    source = """
    const f = (flags) => Object.assign(() => {}, flags);
    const both = f({ isQuery: true, isPublic: true, isInternal: true });
    const two = f({ isQuery: true, isMutation: true });
    const old = f({ isQuery: true });
    const internal = f({ isAction: true, isInternal: true });
    export { both, two, old, internal };
    """
    functions = analyze(bare, source)["result"]["modules"]["mod.js"]["functions"]
    assert [(one["name"], one["udfType"], one["visibility"]) for one in functions] == [
        ("internal", "Action", {"kind": "internal"}),
        ("old", "Query", None),
    ]


def test_a_schema_can_be_asked_about_alone(bare: Host) -> None:
    source = (
        "const schema = { export: () => JSON.stringify({ tables: [], schemaValidation: true }) };"
        "export { schema as default };"
    )
    answer = bare.analyze("schema", module={"path": "schema.js", "source": source})
    assert answer["result"] == {"schema": {"tables": [], "schemaValidation": True}}


def test_a_list_of_fields_that_is_marked_makes_its_index_unique(bare: Host) -> None:
    source = """
    const unique = (fields) => Object.defineProperty(fields, Symbol.for("parabola.unique"), { value: true });
    const indexes = [
      { indexDescriptor: "by_email", fields: unique(["email"]) },
      { indexDescriptor: "by_name", fields: ["name"] },
    ];
    const tables = { users: { export: () => ({ indexes }) }, notes: { export: () => ({ indexes: [] }) } };
    const schema = {
      tables,
      export: () => JSON.stringify({
        tables: Object.entries(tables).map(([tableName, table]) => ({ tableName, ...table.export() })),
      }),
    };
    export { schema as default };
    """
    answer = bare.analyze("schema", module={"path": "schema.js", "source": source})
    [users, notes] = answer["result"]["schema"]["tables"]
    assert users["indexes"] == [
        {"indexDescriptor": "by_email", "fields": ["email"], "unique": True},
        {"indexDescriptor": "by_name", "fields": ["name"]},
    ]
    assert notes == {"tableName": "notes", "indexes": []}


def test_identity_providers_read_variables(bare: Host) -> None:
    source = (
        "export { c as default }; const c = { providers: [{ domain: process.env.D, applicationID: 'a' }] };"
    )
    module = {"path": "auth.config.js", "source": source}
    bare.load([], {"D": "https://d"})
    assert bare.analyze("auth", module=module)["result"] == {
        "providers": [{"domain": "https://d", "applicationID": "a"}]
    }
    bare.load([], {})
    failed = error(bare.analyze("auth", module=module))
    assert failed["message"] == "Environment variable D is used in auth config file but its value was not set"
    assert failed["code"] == "AuthConfigMissingEnvironmentVariable"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("1;", "auth config file is missing default export."),
        (
            "const a = {}; export { a as default };",
            "auth config file must include a list of provider credentials:",
        ),
        ("Date.now();", "Uncaught Error: Date unsupported when evaluating auth config file"),
        ("Math.random();", "Uncaught Error: Math.random unsupported when evaluating auth config file"),
        (
            "performance.now();",
            "Uncaught Error: The Performance API is not supported when evaluating auth config file",
        ),
    ],
)
def test_identity_providers_that_fail(bare: Host, source: str, text: str) -> None:
    assert error(bare.analyze("auth", module={"path": "auth.config.js", "source": source}))[
        "message"
    ].startswith(text)


APP = """
import { defineApp } from "convex/server";
const app = defineApp();
export default app;
"""


def test_an_app_definition(bare: Host, tmp_path: Path) -> None:
    (module,) = bundle_sources(tmp_path, {"convex.config.ts": APP})
    definition = bare.analyze("app", definitions=[{"path": "", "module": module}])["result"]["definition"]
    assert definition["path"] == ""
    assert definition["definitionType"] == {"type": "app"}
    assert definition["childComponents"] == []


def test_children_are_evaluated_first(bare: Host) -> None:
    def config(body: str, *children: str) -> Json:
        imports = "".join(
            f'import c{i} from "./_componentDeps/{urlsafe_b64encode(child.encode()).decode().rstrip("=")}";'
            for i, child in enumerate(children)
        )
        return {"source": f"{imports}const d = {{ export: () => ({body}) }}; export {{ d as default }};"}

    child = config(
        '{ definitionType: { type: "childComponent", name: "waitlist", args: [] }, childComponents: [] }'
    )
    body = (
        '{ definitionType: { type: "app" }, childComponents: '
        "[{ name: c0.defaultName, path: c0.componentDefinitionPath, args: [] }] }"
    )
    definitions = [
        {"path": "", "module": config(body, "../waitlist")},
        {"path": "../waitlist", "module": child},
    ]
    result = bare.analyze("app", definitions=definitions)["result"]
    assert result["definition"]["childComponents"] == [
        {"name": "waitlist", "path": "../waitlist", "args": []}
    ]
    assert result["definitions"]["../waitlist"]["path"] == "../waitlist"

    cycle = [{"path": path, "module": config("{}", other)} for path, other in (("", "a"), ("a", ""))]
    assert error(bare.analyze("app", definitions=cycle))["message"] == "Found cyclic definition dependency"


def test_nothing_is_said_about_what_is_absent(bare: Host) -> None:
    bare.load([])
    assert bare.analyze("schema")["result"] == {"schema": None}
    assert bare.analyze("auth")["result"] == {"providers": []}
    assert bare.analyze("app")["result"] == {"definition": None, "definitions": {}}
    assert error(bare.analyze("nonsense"))["message"] == "The Node.js host has no analysis of nonsense."
