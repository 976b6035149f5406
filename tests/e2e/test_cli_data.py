"""`npx convex data`: tables, documents, formats."""

from __future__ import annotations

import json

import pytest

from e2e.convex_cli import ConvexProject

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def three(messages: ConvexProject) -> ConvexProject:
    """The project with three messages."""
    for number in range(3):
        messages.call("messages:send", {"channel": "c", "body": f"message {number}"})
    return messages


def bodies(project: ConvexProject, *options: str) -> list[str]:
    output = project.ok("data", "messages", "--format", "jsonl", *options).output
    return [json.loads(line)["body"] for line in output.splitlines()]


def test_tables_are_listed(three: ConvexProject) -> None:
    assert three.ok("data").output.splitlines() == ["messages"]


def test_documents_are_shown_as_a_table(three: ConvexProject) -> None:
    heading, rule, *rows = three.ok("data", "messages").output.splitlines()
    assert heading.split() == ["_id", "|", "_creationTime", "|", "body", "|", "channel"]
    assert set(rule) == {"-", "|"}
    assert ['"message 2"' in rows[0], '"message 0"' in rows[2]] == [True, True], "newest first"


def test_order_and_limit_choose(three: ConvexProject) -> None:
    assert bodies(three) == ["message 2", "message 1", "message 0"]
    assert bodies(three, "--order", "asc") == ["message 0", "message 1", "message 2"]
    assert bodies(three, "--limit", "2", "--order", "asc") == ["message 0", "message 1"]
    assert bodies(three, "--limit", "1") == ["message 2"]


@pytest.mark.parametrize("format", ["json", "jsonArray"])
def test_documents_come_as_one_array(three: ConvexProject, format: str) -> None:
    documents = json.loads(three.ok("data", "messages", "--format", format).output)
    assert [document["body"] for document in documents] == ["message 2", "message 1", "message 0"]


@pytest.mark.parametrize("table", ["_storage", "_scheduled_functions", "nothing"])
def test_a_table_without_documents_says_so(three: ConvexProject, table: str) -> None:
    done = three.ok("data", table)
    assert done.output == ""
    assert "There are no documents in this table." in done.told


def test_a_component_that_is_not_there_is_refused(three: ConvexProject) -> None:
    done = three.convex("data", "--component", "counter")
    assert done.status == 1
    assert "Component path 'counter' not found" in done.told
