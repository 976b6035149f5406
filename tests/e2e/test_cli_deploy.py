"""`npx convex deploy`: what it changes, what it only shows, what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.convex_cli import ConvexProject

pytestmark = pytest.mark.e2e

DEPLOY = ("deploy", "--typecheck", "disable")


def messages_of_pushes(project: ConvexProject) -> list[str | None]:
    events = project.call("_system/frontend/paginatedDeploymentEvents", {"paginationOpts": PAGE})
    return [event["metadata"]["message"] for event in events["page"]]


PAGE = {"cursor": None, "numItems": 10}


def test_deploy_deploys_and_keeps_its_message(fresh: ConvexProject) -> None:
    done = fresh.ok(*DEPLOY, "--message", "the first one", runner="npx")
    assert f"Deployed Convex functions to {fresh.server.url}" in done.told
    assert "[+] messages.by_channel   channel, _creationTime" in done.told
    assert fresh.call("messages:count") == 0
    fresh.ok(*DEPLOY, runner="bunx")
    assert messages_of_pushes(fresh) == [None, "the first one"]


def test_a_dry_run_tells_and_changes_nothing(messages: ConvexProject) -> None:
    messages.edit("schema.ts", '.index("by_channel", ["channel"])', '.index("by_body", ["body"])')
    messages.edit("messages.ts", '.withIndex("by_channel", (q) => q.eq("channel", channel))', "")
    try:
        done = messages.ok(*DEPLOY, "--dry-run")
        assert f"Would have deployed Convex functions to {messages.server.url}" in done.told
        assert "[-] messages.by_channel" in done.told
        assert "[+] messages.by_body" in done.told
        assert messages.call("messages:list", {"channel": "c"}) == [], "the index is there as before"
        names = messages.call("_system/frontend/indexes", {"tableName": "messages", "tableNamespace": None})
        assert [index["name"] for index in names] == ["by_channel"]
        done = messages.ok(*DEPLOY, "--verbose")
        assert '"removed_indexes": [' in done.screen
        names = messages.call("_system/frontend/indexes", {"tableName": "messages", "tableNamespace": None})
        assert [index["name"] for index in names] == ["by_body"]
    finally:
        messages.edit("schema.ts", '.index("by_body", ["body"])', '.index("by_channel", ["channel"])')
        messages.edit(
            "messages.ts",
            '.query("messages")\n      \n',
            '.query("messages")\n      .withIndex("by_channel", (q) => q.eq("channel", channel))\n',
        )
        messages.push()


def test_modules_that_are_gone_are_removed(messages: ConvexProject) -> None:
    messages.write(
        "extra.ts", 'import { query } from "./_generated/server";\nexport const one = query(async () => 1);\n'
    )
    messages.push()
    assert messages.call("extra:one") == 1
    (messages.directory / "convex" / "extra.ts").unlink()
    messages.ok(*DEPLOY)
    assert messages.convex("run", "extra:one").status == 1


def test_a_command_may_run_with_the_address_of_the_deployment(messages: ConvexProject) -> None:
    command = "node -e 'console.log(`built for ${process.env.CONVEX_URL}`)'"
    done = messages.ok(*DEPLOY, "--cmd", command)
    assert f"built for {messages.server.url}" in done.screen


PYTHON = """
from parabola import MutationCtx, QueryCtx, internal_mutation, query

@query
async def one(ctx: QueryCtx) -> float:
    return 1.0

@internal_mutation
async def tick(ctx: MutationCtx) -> None:
    pass
"""
CRONS = """
import { cronJobs } from "convex/server";
import { internal } from "./_generated/api";
import { internal as python } from "./python.generated";

const crons = cronJobs();
crons.daily("clear all messages", { hourUTC: 4, minuteUTC: 30 }, internal.messages.clear);
crons.hourly("in Python", { minuteUTC: 5 }, python.steps.tick);
export default crons;
"""


def test_each_language_leaves_the_modules_of_the_other_and_may_plan_its_functions(
    fresh: ConvexProject,
) -> None:
    fresh.ok(*DEPLOY)
    fresh.write("steps.py", PYTHON)
    fresh.server.cli("deploy", "--project", str(fresh.directory), *fresh.server_options)
    assert (fresh.call("steps:one"), fresh.call("messages:count")) == (1, 0)
    fresh.server.cli("codegen", "--project", str(fresh.directory))
    fresh.write("crons.ts", CRONS)
    fresh.ok(*DEPLOY)
    assert (fresh.call("steps:one"), fresh.call("messages:count")) == (1, 0)
    planned = {job["name"]: job["cronSpec"]["udfPath"] for job in fresh.call("_system/frontend/listCronJobs")}
    assert planned == {"clear all messages": "messages.js:clear", "in Python": "steps.py:tick"}


def test_a_wrong_key_is_refused(messages: ConvexProject) -> None:
    for command in (DEPLOY, ("dev", "--once"), ("run", "messages:count"), ("data",)):
        done = messages.convex(*command, variables={"CONVEX_SELF_HOSTED_ADMIN_KEY": "wrong|0123"})
        assert "admin key" in done.told.lower()
        if command[0] in ("deploy", "run"):
            assert done.status == 1
    assert messages.call("messages:count") == 0


def test_a_push_that_cannot_be_done_ends_with_1_and_changes_nothing(messages: ConvexProject) -> None:
    messages.write("extra.ts", 'throw new Error("on purpose");\nexport {};\n')
    done = messages.convex(*DEPLOY)
    assert done.status == 1
    assert "Failed to analyze extra.js: Uncaught Error: on purpose" in done.told
    assert "extra.ts:1" in done.told, "the place in the author's own file"
    (messages.directory / "convex" / "extra.ts").unlink()

    messages.call("messages:send", {"channel": "c", "body": "not a number"})
    messages.edit("schema.ts", "body: v.string()", "body: v.number()")
    try:
        done = messages.convex(*DEPLOY)
    finally:
        messages.edit("schema.ts", "body: v.number()", "body: v.string()")
    assert done.status == 1
    assert "Schema validation failed." in done.told
    assert '"not a number"' in done.told
    assert messages.call("messages:list", {"channel": "c"}) == ["not a number"]
    assert messages.call("messages:clear") == 1


def test_two_pushes_at_once_both_come_to_an_end(messages: ConvexProject, tmp_path: Path) -> None:
    other = ConvexProject(tmp_path, messages.server)
    other.edit("messages.ts", "=> message.body", "=> `${message.body}!`")
    messages.call("messages:send", {"channel": "both", "body": "text"})
    once = ("dev", "--once", "--typecheck", "disable")
    with messages.start(*once) as first, other.start(*once) as second:
        statuses = (first.wait(), second.wait())
    # One may be told that the other got in between: the command line ends with 0 all the same.
    assert statuses == (0, 0), first.screen + second.screen
    assert messages.call("messages:list", {"channel": "both"}) in (["text"], ["text!"])
    assert messages.call("messages:clear") == 1
    messages.push()
