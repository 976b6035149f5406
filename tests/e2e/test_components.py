"""Components as an app uses them, pushed by the official command line: tables, calls, jobs, files, HTTP."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.convex_cli import ConvexProject
from server_process import ServerProcess

pytestmark = pytest.mark.e2e

APP = """
import { defineApp } from "convex/server";
import { v } from "convex/values";
import kit from "./kit/convex.config";

const app = defineApp({ env: { TONE: v.optional(v.string()) } });
app.use(kit, { name: "one", httpPrefix: "/one/", env: { LEVEL: "high", TONE: app.env.TONE } });
app.use(kit, { name: "two", env: { LEVEL: "low" } });
export default app;
"""
KIT = """
import { defineComponent } from "convex/server";
import { v } from "convex/values";
import leaf from "../leaf/convex.config";

const component = defineComponent("kit", { env: { LEVEL: v.string(), TONE: v.optional(v.string()) } });
component.use(leaf, { name: "inner" });
export default component;
"""
KIT_SCHEMA = """
import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export default defineSchema({
  items: defineTable({ name: v.string(), ran: v.optional(v.string()) }).index("by_name", ["name"]),
});
"""
KIT_FUNCTIONS = """
import { ConvexError, v } from "convex/values";
import { createFunctionHandle, getFunctionName } from "convex/server";
import { components, internal } from "./_generated/api";
import { action, internalMutation, mutation, query } from "./_generated/server";

export const add = mutation({
  args: { name: v.string() },
  returns: v.id("items"),
  handler: async (ctx, args) => await ctx.db.insert("items", args),
});
export const names = query({
  args: {},
  handler: async (ctx) => {
    const items = await ctx.db.query("items").withIndex("by_name").collect();
    return items.map((item) => item.name);
  },
});
export const fail = mutation({
  args: { name: v.string() },
  handler: async (ctx, { name }) => {
    await ctx.db.insert("items", { name });
    await ctx.scheduler.runAfter(0, internal.lib.later, { name });
    throw new ConvexError({ code: "no", name });
  },
});
export const later = internalMutation({
  args: { name: v.string() },
  handler: async (ctx, { name }) => { await ctx.db.insert("items", { name: `later ${name}` }); },
});
export const schedule = mutation({
  args: { name: v.string(), ms: v.number() },
  returns: v.string(),
  handler: async (ctx, { name, ms }) => await ctx.scheduler.runAfter(ms, internal.lib.later, { name }),
});
export const job = query({
  args: { id: v.string() },
  handler: async (ctx, { id }) => (await ctx.db.system.get(id as any))?.state.kind ?? null,
});
export const cancel = action({
  args: { id: v.string() },
  handler: async (ctx, { id }) => { await ctx.scheduler.cancel(id as any); },
});
export const whoAndWhere = query({
  args: {},
  handler: async (ctx) => ({
    who: await ctx.auth.getUserIdentity(),
    level: process.env.LEVEL ?? null,
    tone: process.env.TONE ?? null,
    secret: process.env.SECRET ?? null,
    site: process.env.CONVEX_SITE_URL ?? null,
  }),
});
export const own = mutation({
  args: {},
  handler: async () => await createFunctionHandle(internal.lib.later),
});
export const call = mutation({
  args: { handle: v.string(), value: v.string() },
  handler: async (ctx, { handle, value }) => await ctx.runMutation(handle as any, { value }),
});
export const keep = action({
  args: { text: v.string() },
  handler: async (ctx, { text }) => {
    const id = await ctx.storage.store(new Blob([text]));
    return { id, url: await ctx.storage.getUrl(id) };
  },
});
export const deep = mutation({
  args: { name: v.string() },
  handler: async (ctx, { name }) => await ctx.runMutation(components.inner.lib.note, { name }),
});
export const page = query({
  args: {},
  handler: async (ctx) => await ctx.db.query("items").paginate({ cursor: null, numItems: 1 }),
});
"""
KIT_CRONS = """
import { cronJobs } from "convex/server";
import { internal } from "./_generated/api";
import { internalMutation } from "./_generated/server";

export const tick = internalMutation({
  args: {},
  handler: async (ctx) => { await ctx.db.insert("items", { name: "tick" }); },
});
const crons = cronJobs();
crons.interval("tick", { hours: 5 }, internal.crons.tick, {});
export default crons;
"""
KIT_HTTP = """
import { httpRouter } from "convex/server";
import { httpAction } from "./_generated/server";

const http = httpRouter();
http.route({
  path: "/hello",
  method: "GET",
  handler: httpAction(async (ctx, request) => {
    const who = await ctx.auth.getUserIdentity();
    return new Response(`${new URL(request.url).pathname} ${process.env.LEVEL} ${who === null}`);
  }),
});
export default http;
"""
LEAF = """
import { defineComponent } from "convex/server";
export default defineComponent("leaf");
"""
LEAF_FUNCTIONS = """
import { ConvexError, v } from "convex/values";
import { mutation } from "./_generated/server";

export const note = mutation({
  args: { name: v.string() },
  handler: async (ctx, { name }) => {
    if (name === "deep") throw new ConvexError({ deep: true });
    await ctx.db.insert("notes", { name });
    return name;
  },
});
"""
CALLER = """
import { v } from "convex/values";
import { createFunctionHandle } from "convex/server";
import { components, internal } from "./_generated/api";
import { action, internalMutation, mutation, query } from "./_generated/server";

const { one, two } = components;
export const add = mutation({
  args: { to: v.string(), name: v.string() },
  handler: async (ctx, { to, name }) => await ctx.runMutation((to === "one" ? one : two).lib.add, { name }),
});
export const names = query({
  args: {},
  handler: async (ctx) => [await ctx.runQuery(one.lib.names, {}), await ctx.runQuery(two.lib.names, {})],
});
export const tryToFail = mutation({
  args: {},
  handler: async (ctx) => {
    await ctx.db.insert("messages", { channel: "c", body: "kept" } as any);
    try {
      await ctx.runMutation(one.lib.fail, { name: "gone" });
    } catch (error: any) {
      return error.data;
    }
  },
});
export const where = query({
  args: {},
  handler: async (ctx) => ({
    me: (await ctx.auth.getUserIdentity())?.name ?? null,
    one: await ctx.runQuery(one.lib.whoAndWhere, {}),
    two: await ctx.runQuery(two.lib.whoAndWhere, {}),
  }),
});
export const schedule = mutation({
  args: { name: v.string(), ms: v.number() },
  handler: async (ctx, args) => await ctx.runMutation(one.lib.schedule, args),
});
export const job = query({
  args: { id: v.string() },
  handler: async (ctx, args) => await ctx.runQuery(one.lib.job, args),
});
export const cancel = action({
  args: { id: v.string() },
  handler: async (ctx, args) => { await ctx.runAction(one.lib.cancel, args); },
});
export const told = internalMutation({
  args: { value: v.string() },
  handler: async (ctx, { value }) => `${value} by ${(await ctx.auth.getUserIdentity())?.name ?? "nobody"}`,
});
export const callBack = mutation({
  args: {},
  handler: async (ctx) => {
    const handle = await createFunctionHandle(internal.kits.told);
    return await ctx.runMutation(two.lib.call, { handle, value: "told" });
  },
});
export const handles = mutation({
  args: {},
  handler: async (ctx) => [await ctx.runMutation(one.lib.own, {}), await ctx.runMutation(two.lib.own, {})],
});
export const keep = action({
  args: {},
  handler: async (ctx) => {
    const file = await ctx.runAction(two.lib.keep, { text: "stored" });
    return { ...file, here: await ctx.storage.getUrl(file.id as any) };
  },
});
export const deep = mutation({
  args: { name: v.string() },
  handler: async (ctx, args) => {
    try {
      return await ctx.runMutation(one.lib.deep, args);
    } catch (error: any) {
      return error.data;
    }
  },
});
export const unreachable = mutation({
  args: { way: v.string() },
  handler: async (ctx, { way }) => {
    const every = components as any;
    const { one, three } = every;
    const target = { internal: one.lib.later, grandchild: one.inner.lib.note }[way] ?? three.lib.x;
    try {
      await ctx.runMutation(target, { name: "x" });
      return "reached";
    } catch (error: any) {
      return error.message;
    }
  },
});
export const page = query({ args: {}, handler: async (ctx) => await ctx.runQuery(one.lib.page, {}) });
"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, npm_packages: Path) -> Iterator[ConvexProject]:
    """The messages project with a component that is mounted twice and has a child; a server of its own."""
    directory = tmp_path_factory.mktemp("kits")
    server = ServerProcess(directory, "serve", "--port", "0", "--site-port", "0").start()
    project = ConvexProject(directory / "project", server)
    for path, text in {
        "convex.config.ts": APP,
        "kit/convex.config.ts": KIT,
        "kit/schema.ts": KIT_SCHEMA,
        "kit/lib.ts": KIT_FUNCTIONS,
        "kit/crons.ts": KIT_CRONS,
        "kit/http.ts": KIT_HTTP,
        "leaf/convex.config.ts": LEAF,
        "leaf/lib.ts": LEAF_FUNCTIONS,
        "kits.ts": CALLER,
    }.items():
        project.write(path, text)
    project.push()
    yield project
    server.close()


def test_each_mount_has_tables_of_its_own(app: ConvexProject) -> None:
    app.call("kits:add", {"to": "one", "name": "a"})
    app.call("kits:add", {"to": "two", "name": "b"})
    app.call("kits:add", {"to": "two", "name": "c"})
    one, two = app.call("kits:names")
    assert "a" in one
    assert {"b", "c"} <= set(two)
    assert "a" not in two


def test_what_fails_in_a_component_is_undone_there_alone(app: ConvexProject) -> None:
    assert app.call("kits:tryToFail") == {"code": "no", "name": "gone"}
    one, _ = app.call("kits:names")
    assert "gone" not in one
    assert "later gone" not in one


def test_an_error_keeps_its_data_through_components(app: ConvexProject) -> None:
    assert app.call("kits:deep", {"name": "deep"}) == {"deep": True}
    assert app.call("kits:deep", {"name": "shallow"}) == "shallow"


def test_variables_are_those_that_it_was_given_and_nobody_is_known(app: ConvexProject) -> None:
    change = {"name": "TONE", "value": "soft"}
    secret = {"name": "SECRET", "value": "s"}
    app.post("/api/update_environment_variables", {"changes": [change, secret]})
    done = app.ok("run", "kits:where", "--identity", '{"name": "Ann", "issuer": "i", "subject": "s"}')
    assert '"me": "Ann"' in done.output
    where: Any = app.call("kits:where")
    assert where["one"]["who"] is None
    assert (where["one"]["level"], where["one"]["tone"], where["one"]["secret"]) == ("high", "soft", None)
    assert (where["two"]["level"], where["two"]["tone"]) == ("low", None)
    assert where["one"]["site"] == where["two"]["site"] + "/one"
    assert '"who": {' not in done.output


def test_handles_lead_anywhere_and_back_to_the_caller(app: ConvexProject) -> None:
    done = app.ok("run", "kits:callBack", "--identity", '{"name": "Ann", "issuer": "i", "subject": "s"}')
    assert "told by Ann" in done.output
    first = app.call("kits:handles")
    assert len(set(first)) == 2
    assert app.call("kits:handles") == first


def test_nothing_else_is_reached_by_reference(app: ConvexProject) -> None:
    assert 'Child component "one" does not export lib.later' in app.call(
        "kits:unreachable", {"way": "internal"}
    )
    assert "does not export inner.lib.note" in app.call("kits:unreachable", {"way": "grandchild"})
    assert 'Child component "three" not found' in app.call("kits:unreachable", {"way": "missing"})


def test_jobs_belong_to_the_component_that_schedules_them(app: ConvexProject) -> None:
    done = app.call("kits:schedule", {"name": "soon", "ms": 0})
    app.server.wait_for(lambda: app.call("kits:job", {"id": done}) == "success")
    assert "later soon" in app.call("kits:names")[0]
    far = app.call("kits:schedule", {"name": "far", "ms": 3_600_000})
    assert app.call("kits:job", {"id": far}) == "pending"
    app.call("kits:cancel", {"id": far})
    assert app.call("kits:job", {"id": far}) == "canceled"


def test_crons_run_in_every_mount(app: ConvexProject) -> None:
    app.server.wait_for(lambda: all("tick" in names for names in app.call("kits:names")))


def test_files_are_the_components_own(app: ConvexProject) -> None:
    kept: Any = app.call("kits:keep")
    assert kept["here"] is None
    assert "?component=" in kept["url"]
    with urllib.request.urlopen(kept["url"]) as answer:
        assert answer.read() == b"stored"
    with pytest.raises(urllib.error.HTTPError) as missing:
        urllib.request.urlopen(kept["url"].partition("?")[0])
    assert missing.value.code == 404


def test_http_actions_are_reached_below_their_prefix(app: ConvexProject) -> None:
    def get(path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(app.server.url + "/http" + path) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    assert get("/one/hello") == (200, "/one/hello high true")
    assert get("/one/nothing") == (404, "No matching routes found")
    assert "high" not in get("/hello")[1]


def test_components_do_not_paginate(app: ConvexProject) -> None:
    done = app.convex("run", "kits:page")
    assert "paginate() is only supported in the app" in done.told


def test_administrators_name_a_component(app: ConvexProject) -> None:
    app.call("kits:add", {"to": "one", "name": "seen"})
    app.call("kits:deep", {"name": "shallow"})
    assert "seen" in app.ok("run", "lib:names", "--component", "one").output
    assert "shallow" in app.ok("data", "notes", "--component", "one/inner").screen
    listed: Any = app.call("_system/frontend/components:list")
    assert {each["path"] for each in listed} == {"", "one", "two", "one/inner", "two/inner"}


def test_an_export_has_the_data_of_components(app: ConvexProject) -> None:
    app.call("kits:deep", {"name": "shallow"})
    app.call("kits:keep")
    path = app.directory / "export.zip"
    app.ok("export", "--path", str(path), "--include-file-storage")
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        notes = archive.read("_components/one/_components/inner/notes/documents.jsonl")
    assert b"shallow" in notes
    assert {"_components/one/items/documents.jsonl", "_components/two/items/documents.jsonl"} <= names
    assert "messages/documents.jsonl" in names
    assert [name for name in names if name.startswith("_components/two/_storage/")]


def component_id(app: ConvexProject, path: str) -> str:
    listed: Any = app.call("_system/frontend/components:list")
    [id] = [each["id"] for each in listed if each["path"] == path]
    return str(id)


def refusal(app: ConvexProject, path: str, body: Any) -> tuple[int, str, str]:
    """Status, code and message of a request that is refused."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        app.post(path, body)
    answer = json.loads(refused.value.read())
    return refused.value.code, answer["code"], answer["message"]


def test_queries_that_are_not_deployed_run_in_a_component(app: ConvexProject) -> None:
    app.call("kits:add", {"to": "two", "name": "typed"})
    source = "return (await ctx.db.query('items').collect()).map((item) => item.name)"
    assert "typed" in app.ok("run", "--inline-query", source, "--component", "two").output
    assert "typed" not in app.ok("run", "--inline-query", source, "--component", "one").output
    level = "return process.env.LEVEL"
    assert "low" in app.ok("run", "--inline-query", level, "--component", "two").output
    unknown = {"bundle": {"path": "testQuery.js", "source": ""}, "args": {}, "componentId": "nobody"}
    assert refusal(app, "/api/run_test_function", unknown)[:2] == (404, "ComponentNotFound")


def test_administrators_cancel_jobs_where_they_were_scheduled(app: ConvexProject) -> None:
    ids = [app.call("kits:schedule", {"name": f"far {n}", "ms": 3_600_000}) for n in range(3)]
    one = component_id(app, "one")
    app.post("/api/cancel_job", {"id": ids[0], "componentId": one})
    assert [app.call("kits:job", {"id": id}) for id in ids] == ["canceled", "pending", "pending"]
    app.post("/api/cancel_all_jobs", {"componentId": None})
    app.post("/api/cancel_all_jobs", {"componentId": one, "componentPath": "two", "udfPath": "lib.js:later"})
    assert app.call("kits:job", {"id": ids[1]}) == "pending"
    app.post("/api/cancel_all_jobs", {"componentId": one, "componentPath": "one", "udfPath": "lib.js:later"})
    assert [app.call("kits:job", {"id": id}) for id in ids] == ["canceled"] * 3


def test_administrators_look_at_and_delete_tables_of_a_component(app: ConvexProject) -> None:
    app.call("kits:deep", {"name": "to be deleted"})
    inner = component_id(app, "one/inner")
    headers = {"Authorization": f"Convex {app.server.admin_key}"}

    def get(path: str) -> Any:
        with urllib.request.urlopen(urllib.request.Request(app.server.url + path, headers=headers)) as answer:
            return json.load(answer)

    (notes,) = get(f"/api/shapes2?component={inner}").values()
    shapes = {field["fieldName"]: field["shape"] for field in notes["fields"]}
    assert shapes == {
        "_creationTime": {"type": "Float64", "float64Range": shapes["_creationTime"]["float64Range"]},
        "_id": {"type": "Id", "tableName": "notes"},
        "name": {"type": "String"},
    }
    indexes = get(f"/api/get_indexes?componentId={component_id(app, 'one')}")["indexes"]
    assert [(each["table"], each["name"], each["backfill"]) for each in indexes] == [
        ("items", "by_name", {"state": "done"})
    ]
    named = {"tableName": "items", "tableNamespace": component_id(app, "one")}
    assert [each["name"] for each in app.call("_system/frontend/indexes", named)] == ["by_name"]
    needed = {"tableNames": ["items"], "componentId": component_id(app, "one")}
    assert "because it appears in the schema" in refusal(app, "/api/delete_tables", needed)[2]
    app.post("/api/delete_tables", {"tableNames": ["notes"], "componentId": inner})
    assert get(f"/api/shapes2?component={inner}") == {}
    page = {"paginationOpts": {"cursor": None, "numItems": 1}}
    [event] = app.call("_system/frontend/paginatedDeploymentEvents", page)["page"]
    assert event["metadata"] == {"table_names": ["notes"], "component_id": inner, "component": "one/inner"}


def test_an_archive_is_imported_into_components_by_the_command_line(app: ConvexProject) -> None:
    path = app.directory / "rows.jsonl"
    path.write_text('{"name": "imported"}\n')
    app.ok("import", "--component", "two", "--append", "--table", "items", str(path))
    assert "imported" in app.call("kits:names")[1]
    refused = app.convex("import", "--component", "two", "--append", "--table", "items", str(path), "--yes")
    assert refused.status == 0
    path.write_text('{"other": 1}\n')
    assert (
        "does not match"
        in app.convex(
            "import", "--component", "two", "--replace", "--yes", "--table", "items", str(path)
        ).screen
    )


def crons_of(app: ConvexProject, path: str) -> list[str]:
    listed: Any = app.call("_system/frontend/listCronJobs", {"componentId": component_id(app, path)})
    return [each["name"] for each in listed]


def test_who_is_unmounted_keeps_his_data_for_his_return(app: ConvexProject) -> None:
    app.call("kits:add", {"to": "two", "name": "kept"})
    before = app.call("kits:names")[1]
    handles = app.call("kits:handles")
    app.write("convex.config.ts", APP.replace('name: "two"', 'name: "three"'))
    app.write("kits.ts", CALLER.replace("{ one, two }", "{ one, three: two }"))
    app.push()
    assert [name for name in app.call("kits:names")[1] if name != "tick"] == []
    states: Any = {each["path"]: each["state"] for each in app.call("_system/frontend/components:list")}
    assert states["two"] == states["two/inner"] == "unmounted"
    crons = {path: crons_of(app, path) for path in ("one", "two", "three")}
    assert crons == {"one": ["tick"], "two": [], "three": ["tick"]}
    # Who was unmounted can be looked at, and not written to but by an import.
    assert "kept" in app.ok("data", "items", "--component", "two").screen
    edit = {"table": "items", "documents": [{"name": "x"}], "componentId": component_id(app, "two")}
    refused = app.post("/api/mutation", {"path": "_system/frontend/addDocument", "args": [edit]})
    assert "Cannot perform write operations in an unmounted component." in refused["errorMessage"]
    called = app.convex("run", "lib:names", "--component", "two")
    assert "Could not find function for 'lib:names' in 'two'" in called.told
    rows = app.directory / "more.jsonl"
    rows.write_text('{"name": "meanwhile"}\n')
    app.ok("import", "--component", "two", "--append", "--table", "items", str(rows))
    app.write("convex.config.ts", APP)
    app.write("kits.ts", CALLER)
    app.push()
    assert {*before, "meanwhile"} <= set(app.call("kits:names")[1])
    assert crons_of(app, "two") == ["tick"]
    assert app.call("kits:handles") == handles


def test_who_is_deleted_comes_back_as_another(app: ConvexProject) -> None:
    app.call("kits:add", {"to": "two", "name": "forgotten"})
    old = component_id(app, "two")
    inner = component_id(app, "two/inner")
    assert refusal(app, "/api/delete_component", {"componentId": old}) == (
        400,
        "ComponentMustBeUnmounted",
        "Component must be unmounted before deletion",
    )
    app.write("convex.config.ts", APP.replace('name: "two"', 'name: "three"'))
    app.write("kits.ts", CALLER.replace("{ one, two }", "{ one, three: two }"))
    app.push()
    assert refusal(app, "/api/delete_component", {"componentId": "nobody"})[:2] == (404, "ComponentNotFound")
    app.post("/api/delete_component", {"componentId": old})
    listed: Any = app.call("_system/frontend/components:list")
    assert {old, inner}.isdisjoint(each["id"] for each in listed)
    done = app.convex("data", "items", "--component", "two")
    assert "Component path 'two' not found" in done.screen
    app.write("convex.config.ts", APP)
    app.write("kits.ts", CALLER)
    assert "Installed component two." in app.push().screen
    assert component_id(app, "two") != old
    assert "forgotten" not in app.call("kits:names")[1]


BROKEN: dict[str, tuple[dict[str, str], str]] = {
    "two children of one name": (
        {"convex.config.ts": APP.replace('name: "two"', 'name: "one"')},
        'Component "" has multiple child components with the same name: "one"',
    ),
    "a name with a hyphen": (
        {"convex.config.ts": APP.replace('name: "two"', 'name: "a-b"')},
        '"a-b" cannot be the name of a component',
    ),
    "a variable that is not given": (
        {"convex.config.ts": APP.replace('{ name: "two", env: { LEVEL: "low" } }', '{ name: "two" }')},
        'Component "two" is missing required env var "LEVEL"',
    ),
    "a variable that nobody declares": (
        {"convex.config.ts": APP.replace('LEVEL: "low"', 'LEVEL: "low", NOPE: "x"')},
        'Component "two" has no env var named "NOPE"',
    ),
    "documents that a new schema does not allow": (
        {"kit/schema.ts": KIT_SCHEMA.replace("name: v.string()", "name: v.number()")},
        'Schema validation failed in component "one"',
    ),
    "a definition that throws": (
        {"kit/convex.config.ts": KIT + '\nthrow new Error("no kit today");\n'},
        "no kit today",
    ),
    "a module that throws": (
        {"kit/broken.ts": 'export const x = 1;\nthrow new Error("broken on purpose");\n'},
        "broken on purpose",
    ),
    "a function with the name of a folder": (
        {
            "kit/a.ts": 'import { query } from "./_generated/server";\n'
            "export const b = query({ args: {}, handler: async () => 1 });\n",
            "kit/a/b.ts": 'import { query } from "../_generated/server";\n'
            "export const c = query({ args: {}, handler: async () => 1 });\n",
        },
        "conflicts with existing export",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_push_that_cannot_be_is_refused_and_changes_nothing(app: ConvexProject, what: str) -> None:
    files, text = BROKEN[what]
    functions = app.directory / "convex"
    before = app.call("_system/frontend/components:list")
    kept = {name: (functions / name).read_text() for name in files if (functions / name).exists()}
    try:
        for name, content in files.items():
            app.write(name, content)
        done = app.convex("dev", "--once", "--typecheck", "disable")
        assert done.status == 1, done.screen
        assert text in done.screen
        assert app.call("_system/frontend/components:list") == before
        assert app.call("kits:deep", {"name": "shallow"}) == "shallow"
    finally:
        for name in files:
            (functions / name).unlink()
        for name, content in kept.items():
            app.write(name, content)
