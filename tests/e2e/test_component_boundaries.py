"""What lies between an app and its components, pushed by the official command line: routes, handles, ids."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from e2e.convex_cli import PATIENCE_SECONDS, ConvexProject
from server.wire_client import WireClient
from server_process import ServerProcess
from token_issuer import TokenIssuer

pytestmark = pytest.mark.e2e

APP = """
import { defineApp } from "convex/server";
import { v } from "convex/values";
import box from "./box/convex.config";

const env = { TONE: v.optional(v.string()) };
const app = defineApp({ env });
app.use(box, { name: "right", httpPrefix: "/api", env: { SOUND: "fixed" } });
app.use(box, { name: "left", httpPrefix: "/api/", env: { SOUND: app.env.TONE } });
app.use(box, { name: "hidden" });
export default app;
"""
BOX = """
import { defineComponent } from "convex/server";
import { v } from "convex/values";
import leaf from "../leaf/convex.config";

const component = defineComponent("box", { env: { SOUND: v.optional(v.string()) } });
component.use(leaf, { name: "inner", httpPrefix: "/gc/", env: { TIMBRE: component.env.SOUND } });
export default component;
"""
LEAF = """
import { defineComponent } from "convex/server";
import { v } from "convex/values";

export default defineComponent("leaf", { env: { TIMBRE: v.optional(v.string()) } });
"""
LEAF_FUNCTIONS = """
import { internalQuery, query } from "./_generated/server";

export const timbre = query({ args: {}, handler: async () => process.env.TIMBRE ?? "unset" });
export const secret = internalQuery({
  args: {},
  handler: async (ctx) => (await ctx.meta.getFunctionMetadata()).componentPath,
});
"""
AUTHENTICATION = """
export default { providers: [{ domain: "ISSUER", applicationID: "app" }] };
"""
SCHEMA = """
import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export default defineSchema({ items: defineTable({ name: v.string() }) });
"""
BOX_FUNCTIONS = """
import { createFunctionHandle } from "convex/server";
import { v } from "convex/values";
import { components, internal } from "./_generated/api";
import { action, internalQuery, mutation, query } from "./_generated/server";

export const add = mutation({
  args: { name: v.string() },
  returns: v.string(),
  handler: async (ctx, args) => await ctx.db.insert("items", args),
});
let calls = 0;
export const count = mutation({
  args: {},
  returns: v.array(v.number()),
  handler: async (ctx) => {
    await ctx.db.insert("items", { name: "counted" });
    const items = await ctx.db.query("items").filter((q) => q.eq(q.field("name"), "counted")).collect();
    const globals = [Date, process, crypto].length;
    delete (globalThis as any).Date;
    (globalThis as any).crypto = undefined;
    return [items.length, ++calls, globals];
  },
});
export const secret = internalQuery({
  args: {},
  handler: async (ctx) => ({ mine: "behind a handle", met: await ctx.meta.getFunctionMetadata() }),
});
export const handle = query({
  args: {},
  handler: async () => await createFunctionHandle(internal.lib.secret),
});
export const ask = query({
  args: { handle: v.string(), args: v.any() },
  handler: async (ctx, { handle, args }) => await ctx.runQuery(handle as any, args),
});
export const sound = query({
  args: {},
  handler: async (ctx): Promise<string> => {
    const count = (await ctx.db.query("items").filter((q) => q.eq(q.field("name"), "beat")).collect()).length;
    return `${count} ${await ctx.runQuery(components.inner.lib.timbre, {})}`;
  },
});
export const schedule = mutation({
  args: { handle: v.string() },
  handler: async (ctx, { handle }) => { await ctx.scheduler.runAfter(0, handle as any, { name: "job" }); },
});
export const jobs = query({
  args: {},
  handler: async (ctx) => {
    const jobs = await ctx.db.system.query("_scheduled_functions").collect();
    return jobs.map((job) => `${job.name} ${job.state.kind}`);
  },
});
export const keep = action({
  args: {},
  handler: async (ctx) => {
    const id = await ctx.storage.store(new Blob(["stored"]));
    return { id, url: await ctx.storage.getUrl(id) };
  },
});
"""
ROUTES = """
import { httpRouter } from "convex/server";
import { httpAction } from "./_generated/server";

const http = httpRouter();
const answer = httpAction(async (ctx, request) => {
  const who = await ctx.auth.getUserIdentity();
  const { pathname } = new URL(request.url);
  const { CONVEX_SITE_URL, SOUND, TIMBRE } = process.env;
  const given = SOUND ?? TIMBRE ?? "unset";
  return new Response(`NAME ${pathname} ${CONVEX_SITE_URL} ${who?.name ?? "nobody"} ${given}`);
});
for (const path of PATHS) {
  for (const method of ["GET", "POST"] as const) http.route({ path, method, handler: answer });
}
PREFIXES
export default http;
"""
APP_PREFIXES = """
http.route({ pathPrefix: "/api/v2/", method: "GET", handler: answer });
http.route({ pathPrefix: "/", method: "GET", handler: answer });
"""
CALLER = """
import { createFunctionHandle, getFunctionName } from "convex/server";
import { v } from "convex/values";
import { components, internal } from "./_generated/api";
import { action, internalMutation, internalQuery, mutation, query } from "./_generated/server";

const { left, right } = components;
export const add = mutation({
  args: { to: v.string(), name: v.string() },
  handler: async (ctx, { to, name }): Promise<string> =>
    to === "app" ? await ctx.db.insert("items", { name }) : await ctx.runMutation(left.lib.add, { name }),
});
export const counts = mutation({
  args: {},
  handler: async (ctx): Promise<any> =>
    await Promise.all([1, 2, 3].map(() => ctx.runMutation(left.lib.count))),
});
export const named = query({
  args: { id: v.id("items") },
  handler: async (ctx, { id }) => (await ctx.db.get(id))?.name ?? null,
});
export const file = query({
  args: { id: v.id("_storage") },
  handler: async (ctx, { id }) => await ctx.storage.getUrl(id),
});
export const keep = action({
  args: {},
  handler: async (ctx): Promise<any> => await ctx.runAction(left.lib.keep),
});
export const handle = query({
  args: {},
  handler: async (ctx): Promise<string> => await ctx.runQuery(left.lib.handle),
});
export const use = query({
  args: { handle: v.string() },
  handler: async (ctx, { handle }): Promise<any> => [
    await ctx.runQuery(handle as any, {}),
    await ctx.runQuery(right.lib.ask, { handle, args: {} }),
  ],
});
export const sounds = query({
  args: {},
  handler: async (ctx): Promise<string> =>
    `${await ctx.runQuery(left.lib.sound)}, ${await ctx.runQuery(right.lib.sound)}`,
});
export const page = internalQuery({
  args: { size: v.number() },
  handler: async (ctx, { size }) =>
    (await ctx.db.query("items").paginate({ cursor: null, numItems: size })).page.length,
});
export const pageByHandle = query({
  args: {},
  handler: async (ctx): Promise<number> => {
    const handle = await createFunctionHandle(internal.calls.page);
    return await ctx.runQuery(left.lib.ask, { handle, args: { size: 1 } });
  },
});
export const later = internalMutation({
  args: { name: v.string() },
  handler: async (ctx, args) => { await ctx.db.insert("items", args); },
});
export const schedule = mutation({
  args: {},
  handler: async (ctx) => {
    const handle = await createFunctionHandle(internal.calls.later);
    await ctx.runMutation(left.lib.schedule, { handle });
  },
});
export const jobs = query({
  args: {},
  handler: async (ctx): Promise<any> => ({
    app: (await ctx.db.system.query("_scheduled_functions").collect()).length,
    left: await ctx.runQuery(left.lib.jobs),
    right: await ctx.runQuery(right.lib.jobs),
  }),
});
const thrown = (what: () => unknown) => {
  try {
    return what();
  } catch (error: any) {
    return `thrown: ${error.message}`;
  }
};
export const names = query({
  args: {},
  handler: async () => {
    const handle = await createFunctionHandle(internal.calls.later);
    return {
      same: (await createFunctionHandle(handle as any)) === handle,
      ofHandle: thrown(() => getFunctionName(handle as any)),
      ofComponent: thrown(() => getFunctionName(left.lib.add as any)),
    };
  },
});
"""


def routes(name: str, paths: str, prefixes: str = "") -> str:
    """An `http.ts` whose routes say who has answered."""
    return ROUTES.replace("NAME", name).replace("PATHS", paths).replace("PREFIXES", prefixes)


BOX_FILES = {
    "convex.config.ts": BOX,
    "schema.ts": SCHEMA,
    "lib.ts": BOX_FUNCTIONS,
    "http.ts": routes("box", '["/hello", "/exact", "/v2/x"]'),
}
APP_ROUTES = routes("app", '["/api/exact"]', APP_PREFIXES)


@pytest.fixture(scope="module")
def issuer() -> Iterator[TokenIssuer]:
    """Who signs the tokens that the app accepts."""
    issuer = TokenIssuer()
    yield issuer
    issuer.close()


@pytest.fixture(scope="module")
def app(
    tmp_path_factory: pytest.TempPathFactory, npm_packages: Path, issuer: TokenIssuer
) -> Iterator[ConvexProject]:
    """An app with a component that is mounted three times and has a child; a server of its own."""
    directory = tmp_path_factory.mktemp("boundaries")
    server = ServerProcess(directory, "serve", "--port", "0", "--site-port", "0").start()
    project = ConvexProject(directory / "project", server)
    for file in (project.directory / "convex").glob("*.ts"):
        file.unlink()
    for path, text in {
        "convex.config.ts": APP,
        "auth.config.ts": AUTHENTICATION.replace("ISSUER", issuer.url),
        "schema.ts": SCHEMA,
        "http.ts": APP_ROUTES,
        "calls.ts": CALLER,
        **{f"box/{name}": text for name, text in BOX_FILES.items()},
        "leaf/convex.config.ts": LEAF,
        "leaf/lib.ts": LEAF_FUNCTIONS,
        "leaf/http.ts": routes("leaf", '["/hello"]'),
    }.items():
        project.write(path, text)
    project.push()
    yield project
    server.close()


def ask(app: ConvexProject, path: str, method: str = "GET", **headers: str) -> tuple[int, list[str]]:
    """Status and words that an HTTP action answers with."""
    request = urllib.request.Request(app.server.url + "/http" + path, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode().split(" ")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode().split(" ")


def who(app: ConvexProject, path: str, method: str = "GET") -> str | int:
    """Whose route answers, or the status if nobody's."""
    status, words = ask(app, path, method)
    return words[0] if status == 200 else status


def test_a_mount_has_its_paths_for_itself(app: ConvexProject) -> None:
    status, (name, path, site, identity, _) = ask(app, "/api/hello")
    assert (status, name, path, identity) == (200, "box", "/api/hello", "nobody")
    assert site.endswith("/api")
    assert who(app, "/api/nothing") == 404
    assert who(app, "/hello") == who(app, "/nothing") == "app"
    assert who(app, "/hello", "POST") == 404


def test_prefixes_add_up(app: ConvexProject) -> None:
    name, path, site, *_ = ask(app, "/api/gc/hello")[1]
    assert (name, path) == ("leaf", "/api/gc/hello")
    assert site.endswith("/api/gc")
    assert who(app, "/gc/hello") == "app"


def test_an_exact_route_beats_a_mount_and_a_longer_prefix_does_for_its_method(app: ConvexProject) -> None:
    assert who(app, "/api/exact") == "app"
    assert who(app, "/api/v2/x") == "app"
    assert who(app, "/api/v2/x", "POST") == "box"


def test_of_two_mounts_at_one_prefix_the_later_one_counts(app: ConvexProject) -> None:
    sites: Any = {each["path"]: each["httpPrefix"] for each in app.call("_system/frontend/components:list")}
    assert sites["left"] == "/api/"
    assert ask(app, "/api/hello")[1][-1] == ask(app, "/api/gc/hello")[1][-1] == "unset", "not right: fixed"
    assert sites["hidden"] is sites["hidden/inner"] is None


def test_a_component_does_not_know_who_asks_it_over_http(app: ConvexProject, issuer: TokenIssuer) -> None:
    """The token is good, as the app's own route behind the same server shows."""
    known = {"Authorization": f"Bearer {issuer.token(name='Ada')}"}
    assert ask(app, "/any/where", **known)[1][:4:3] == ["app", "Ada"]
    assert ask(app, "/api/hello", **known)[1][:4] == [
        "box",
        "/api/hello",
        ask(app, "/api/hello")[1][2],
        "nobody",
    ]
    assert ask(app, "/api/gc/hello", **known)[1][:4:3] == ["leaf", "nobody"]


def refused(app: ConvexProject, path: str, body: Any, **headers: str) -> tuple[int, str]:
    """Status and code of a request that is refused."""
    told = {"Content-Type": "application/json", **headers}
    request = urllib.request.Request(app.server.url + path, json.dumps(body).encode(), told)
    with pytest.raises(urllib.error.HTTPError) as answer:
        urllib.request.urlopen(request)
    return answer.value.code, json.loads(answer.value.read())["code"]


async def name_a_component(url: str) -> None:
    """Say to the sync protocol what a client of the app may not: its connection ends."""
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{url}/api/1.49.0/sync") as socket:
        client = WireClient(socket)
        await client.connect()
        await client.say("Mutation", requestId=0, udfPath="lib:count", args=[{}], componentPath="left")
        frame = await socket.receive(PATIENCE_SECONDS)
        while frame.type is not aiohttp.WSMsgType.CLOSE:
            assert "MutationResponse" not in frame.data
            frame = await socket.receive(PATIENCE_SECONDS)
        assert (frame.data, frame.extra) == (1011, "InternalServerError")


def test_who_is_no_administrator_calls_no_function_of_a_component(
    app: ConvexProject, issuer: TokenIssuer
) -> None:
    add = {"path": "calls:add", "args": {"to": "app", "name": "x"}, "format": "json"}
    count = {"path": "lib:count", "args": {}, "format": "json", "componentPath": "left"}
    before = app.ok("data", "items", "--component", "left").output
    for who_asks, answer in (
        ({}, (403, "BadDeployKey")),
        ({"Authorization": f"Bearer {issuer.token()}"}, (403, "BadDeployKey")),
        ({"Authorization": "Convex left|0123"}, (401, "BadAdminKey")),
    ):
        for body in (add, {**add, "componentPath": ""}, count):
            assert refused(app, "/api/function", body, **who_asks) == answer
    asyncio.run(name_a_component(app.server.url))
    assert app.ok("data", "items", "--component", "left").output == before


def test_the_command_line_runs_an_internal_function_at_any_depth(app: ConvexProject) -> None:
    assert app.run("lib:secret", {}, "--component", "left/inner") == "left/inner"
    assert app.run("lib:secret", {}, "--component", "hidden/inner") == "hidden/inner"
    unknown = app.convex("run", "lib:secret", "--component", "left/nobody")
    assert unknown.status == 1
    assert "Component path 'left/nobody' not found" in unknown.told


def test_a_handle_is_the_same_after_pushes_and_moves_and_reaches_what_names_do_not(
    app: ConvexProject,
) -> None:
    handle = app.call("calls:handle")
    met = {"name": "lib:secret", "componentPath": "left", "type": "query", "visibility": "internal"}
    expected = {"mine": "behind a handle", "met": met}
    assert app.call("calls:use", {"handle": handle}) == [expected, expected]
    first = app.call("calls:add", {"to": "left", "name": "kept"})
    moved = app.directory / "convex" / "crate"
    (app.directory / "convex" / "box").rename(moved)
    app.edit("convex.config.ts", "./box/", "./crate/")
    try:
        app.push()
        assert app.call("calls:handle") == handle
        assert app.call("calls:use", {"handle": handle}) == [expected, expected]
        assert first in app.ok("data", "items", "--component", "left").screen
        app.edit("crate/lib.ts", "export const secret", "const secret")
        app.edit("crate/lib.ts", "internal.lib.secret", "internal.lib.secret as any")
        app.push()
        missing = app.convex("run", "calls:use", f'{{"handle": "{handle}"}}')
        assert "Function handle not found" in missing.told
    finally:
        moved.rename(app.directory / "convex" / "box")
        app.write("convex.config.ts", APP)
        app.write("box/lib.ts", BOX_FUNCTIONS)
        app.push()
    assert app.call("calls:handle") == handle
    assert app.call("calls:use", {"handle": handle})[0] == expected


def test_a_handle_has_no_name(app: ConvexProject) -> None:
    names: Any = app.call("calls:names")
    assert names["same"] is True
    assert names["ofHandle"].startswith("thrown:")
    assert names["ofComponent"].startswith("thrown:")


def test_a_job_is_where_it_was_scheduled_wherever_it_leads(app: ConvexProject) -> None:
    app.call("calls:schedule")
    app.server.wait_for(lambda: app.call("calls:jobs")["left"] == ["calls.js:later success"])
    assert app.call("calls:jobs") == {"app": 0, "left": ["calls.js:later success"], "right": []}


def test_calls_at_once_run_one_after_the_other_each_in_a_world_of_its_own(app: ConvexProject) -> None:
    """Each sees what the one before has written, and neither its variables nor what it did to globals."""
    for done in (0, 3):
        assert app.call("calls:counts") == [[done + 1, 1, 3], [done + 2, 1, 3], [done + 3, 1, 3]]


def test_a_function_of_the_app_may_paginate_behind_a_component(app: ConvexProject) -> None:
    app.call("calls:add", {"to": "app", "name": "mine"})
    assert app.call("calls:pageByHandle") == 1


def test_an_id_of_a_component_finds_nothing_in_the_app(app: ConvexProject) -> None:
    """Both tables have one name and one number: only the namespace tells them apart."""
    own = app.call("calls:add", {"to": "app", "name": "mine"})
    other = app.call("calls:add", {"to": "left", "name": "theirs"})
    assert app.call("calls:named", {"id": own}) == "mine"
    assert app.call("calls:named", {"id": other}) is None
    kept: Any = app.call("calls:keep")
    assert app.call("calls:file", {"id": kept["id"]}) is None
    with urllib.request.urlopen(kept["url"]) as answer:
        assert answer.read() == b"stored"
    url, _, component = kept["url"].partition("?component=")
    ids = {each["path"]: each["id"] for each in app.call("_system/frontend/components:list")}
    assert component == ids["left"]
    for elsewhere in (url, f"{url}?component={ids['right']}", f"{url}?component={ids['']}"):
        with pytest.raises(urllib.error.HTTPError) as missing:
            urllib.request.urlopen(elsewhere)
        assert missing.value.code == 404


def test_a_live_query_follows_components_and_the_variables_handed_down_to_them(app: ConvexProject) -> None:
    def change(value: str | None) -> None:
        app.post("/api/update_environment_variables", {"changes": [{"name": "TONE", "value": value}]})

    with app.start("run", "calls:sounds", "--watch") as watch:
        place = watch.wait_for("0 unset, 0 fixed")
        change("soft")
        place = watch.wait_for("0 soft, 0 fixed", place)
        app.call("calls:add", {"to": "left", "name": "beat"})
        place = watch.wait_for("1 soft, 0 fixed", place)
        change(None)
        watch.wait_for("1 unset, 0 fixed", place)
        assert watch.interrupt() in (0, -2, 130)


def test_a_prefix_of_the_app_moves_its_routes_alone(app: ConvexProject) -> None:
    paths = ("/nothing", "/api/hello", "/api/gc/hello")
    before = [ask(app, path)[1] for path in paths]
    app.edit("convex.config.ts", "defineApp({ env })", 'defineApp({ env, httpPrefix: "/app" })')
    app.push()
    assert who(app, "/app/api/exact") == who(app, "/app/nothing") == "app"
    assert who(app, "/nothing") == 404
    assert who(app, "/api/exact") == "box"
    moved = ask(app, "/app/nothing")[1]
    assert [[moved[0], "/nothing", *moved[2:]], *(ask(app, path)[1] for path in paths[1:])] == before
    app.write("convex.config.ts", APP)
    app.push()
    assert who(app, "/api/exact") == "app"


def test_a_route_for_all_that_a_mount_has_is_refused(app: ConvexProject) -> None:
    app.edit("http.ts", 'pathPrefix: "/api/v2/"', 'pathPrefix: "/api/"')
    done = app.convex("dev", "--once", "--typecheck", "disable")
    app.write("http.ts", APP_ROUTES)
    assert done.status == 1
    assert "/api/" in done.told
    assert who(app, "/api/v2/x") == "app"


def test_what_was_imported_before_its_component_is_there_when_it_is_mounted(app: ConvexProject) -> None:
    """Its place in the archive is that of no component yet; ids stay what they were."""
    app.call("calls:add", {"to": "left", "name": "archived"})
    whole, part = app.directory / "whole.zip", app.directory / "part.zip"
    app.ok("export", "--path", str(whole))
    with zipfile.ZipFile(whole) as archive, zipfile.ZipFile(part, "w") as moved:
        for name in archive.namelist():
            if name.startswith("_components/left/") and "_storage" not in name:
                moved.writestr(name.replace("/left/", "/later/", 1), archive.read(name))
        rows = archive.read("_components/left/items/documents.jsonl").decode().splitlines()
    ids = sorted(json.loads(row)["_id"] for row in rows)
    assert ids
    app.ok("import", "--append", "--yes", str(part))
    states: Any = {each["path"]: each["state"] for each in app.call("_system/frontend/components:list")}
    assert states["later"] == "unmounted"
    app.edit("convex.config.ts", "export default", 'app.use(box, { name: "later" });\nexport default')
    try:
        assert "Remounted component later." in app.push().screen
        source = "return (await ctx.db.query('items').collect()).map((item) => item._id)"
        seen = app.ok("run", "--inline-query", source, "--component", "later").output
        assert sorted(json.loads(seen)) == ids
    finally:
        app.write("convex.config.ts", APP)
        app.push()
