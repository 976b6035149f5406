"""`npx convex run`: functions of every kind, by every spelling, as anybody; queries written at the prompt."""

from __future__ import annotations

import json

import pytest

from e2e.convex_cli import ConvexProject

pytestmark = pytest.mark.e2e


@pytest.fixture
def empty(messages: ConvexProject) -> ConvexProject:
    """The project without messages."""
    messages.call("messages:clear")
    return messages


@pytest.mark.parametrize(
    "function",
    ["messages:list", "messages.js:list", "api.messages.list", "convex/messages.ts:list"],
)
def test_functions_are_found_by_every_spelling(empty: ConvexProject, function: str) -> None:
    assert empty.run(function, {"channel": "nobody"}) == []


def test_queries_mutations_and_actions_run(empty: ConvexProject) -> None:
    done = empty.ok("run", "messages:send", '{"channel": "c", "body": "hi"}')
    id = json.loads(done.output)
    assert "[LOG] 'sending to' 'c'" in done.told
    assert empty.call("messages:list", {"channel": "c"}) == ["hi"]
    done = empty.ok("run", "messages:announce", '{"channel": "c", "body": "big"}')
    assert json.loads(done.output) == 2
    assert "[WARN] 'announcing' 'big'" in done.told
    assert empty.run("messages:like", {"id": id}) is None
    likes = empty.ok("run", "--inline-query", f'(await ctx.db.get("{id}")).likes === 1n')
    assert likes.output.strip() == "true"


def test_internal_functions_run(empty: ConvexProject) -> None:
    assert empty.run("messages:count") == 0
    assert empty.run("internal.messages.count") == 0


def test_values_of_every_type_are_printed(empty: ConvexProject) -> None:
    printed = empty.run("messages:values")
    assert printed == {
        "big": {"$integer": "BQAAAAAAAAA="},
        "bytes": {"$bytes": "AQI="},
        "list": [None, True],
        "negative": {"$float": "AAAAAAAAAIA="},
    }


def test_a_function_that_fails_ends_with_1_and_its_place(empty: ConvexProject) -> None:
    done = empty.convex("run", "messages:fail")
    assert done.status == 1
    assert 'Failed to run function "messages:fail"' in done.told
    assert "Uncaught Error: this one fails" in done.told
    assert "at handler (../convex/messages.ts:" in done.told


def test_wrong_arguments_are_explained(empty: ConvexProject) -> None:
    done = empty.convex("run", "messages:send", '{"channel": 5}')
    assert done.status == 1
    assert "ArgumentValidationError" in done.told


def test_an_unknown_function_lists_what_there_is(empty: ConvexProject) -> None:
    done = empty.convex("run", "messages:nothing")
    assert done.status == 1
    assert "Could not find function for 'messages:nothing'" in done.told
    assert "• messages:list" in done.told
    assert "• reports:digest" in done.told


def test_a_function_runs_as_somebody(empty: ConvexProject) -> None:
    assert empty.run("messages:whoami") is None
    assert empty.run("messages:whoami", {}, "--identity", '{"name": "Ada"}') == "Ada"


def test_components_that_are_not_there_are_named(empty: ConvexProject) -> None:
    done = empty.convex("run", "messages:count", "--component", "counter")
    assert done.status == 1
    assert "Component path 'counter' not found" in done.told
    done = empty.convex("run", "--inline-query", "1", "--component", "counter")
    assert done.status == 1
    assert 'Component path "counter" was not found' in done.told
    assert "This deployment has no mounted components." in done.told


def test_code_is_pushed_before_a_run(empty: ConvexProject) -> None:
    empty.write(
        "fresh.ts", 'import { query } from "./_generated/server";\nexport const one = query(async () => 1);\n'
    )
    assert empty.run("fresh:one", {}, "--push", "--typecheck", "disable") == 1
    (empty.directory / "convex" / "fresh.ts").unlink()
    done = empty.convex("run", "fresh:one", "--push", "--typecheck", "disable")
    assert done.status == 1
    assert "Could not find function for 'fresh:one'" in done.told


def test_a_watched_query_prints_every_change(empty: ConvexProject) -> None:
    with empty.start("run", "messages:list", '{"channel": "w"}', "--watch") as watch:
        place = watch.wait_for("[]")
        empty.call("messages:send", {"channel": "w", "body": "first"})
        place = watch.wait_for('"first"', place)
        empty.call("messages:send", {"channel": "w", "body": "second"})
        watch.wait_for('"second"', place)
        watch.interrupt()


def test_only_queries_are_watched(empty: ConvexProject) -> None:
    done = empty.convex("run", "messages:send", '{"channel": "w", "body": "x"}', "--watch")
    assert done.status == 1
    assert empty.call("messages:count") == 0


def inline(project: ConvexProject, query: str) -> object:
    return json.loads(project.ok("run", "--inline-query", query).output)


def test_inline_queries_read_what_they_like(empty: ConvexProject) -> None:
    for number in range(3):
        empty.call("messages:send", {"channel": "c", "body": f"message {number}"})
    bodies = 'await ctx.db.query("messages").order("desc").take(2)'
    assert inline(empty, f"({bodies}).map((message) => message.body)") == ["message 2", "message 1"]
    query = """
      const page = await ctx.db.query("messages")
        .withIndex("by_channel", (q) => q.eq("channel", "c").gt("_creationTime", 0))
        .filter((q) => q.or(q.eq(q.field("body"), "message 0"), q.neq(q.field("likes"), undefined)))
        .paginate({ numItems: 5, cursor: null });
      const [only] = page.page;
      console.log("found", only.body);
      return {
        done: page.isDone,
        same: (await ctx.db.get(only._id))._id === (await ctx.db.query("messages").first())._id,
        table: ctx.db.normalizeId("messages", only._id) === only._id,
        files: await ctx.db.system.query("_storage").collect(),
        who: await ctx.auth.getUserIdentity(),
        called: await ctx.runQuery("messages:list", { channel: "c" }),
        big: 2n ** 40n,
      };
    """
    done = empty.ok("run", "--inline-query", query)
    assert "[LOG] 'found' 'message 0'" in done.told
    assert json.loads(done.output) == {
        "done": True,
        "same": True,
        "table": True,
        "files": [],
        "who": None,
        "called": ["message 0", "message 1", "message 2"],
        "big": {"$integer": "AAAAAAABAAA="},
    }


def test_an_inline_query_may_be_a_whole_module(empty: ConvexProject) -> None:
    source = "const answer = 42;\nexport default query({ handler: async () => answer });"
    assert inline(empty, source) == 42


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ('throw new Error("on purpose")', "Uncaught Error: on purpose"),
        ("this is no JavaScript", "SyntaxError"),
        ('await ctx.db.insert("messages", {})', "ctx.db.insert is not a function"),
        ("await fetch('https://example.com')", "Can't use fetch() in queries and mutations"),
        ("while (true) {}", "Function execution timed out (maximum duration: 1s)"),
        ('await ctx.db.query("messages").withIndex("none").collect()', "Index messages.none not found."),
        ('await ctx.runQuery("messages:nothing")', "Could not find"),
    ],
)
def test_inline_queries_that_fail_say_why(empty: ConvexProject, query: str, text: str) -> None:
    done = empty.convex("run", "--inline-query", query)
    assert done.status == 1
    assert "Query failed" in done.told
    assert text in done.told
    assert empty.call("messages:count") == 0
