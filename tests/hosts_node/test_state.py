"""Every execution finds fresh modules and untouched globals (js-runtime 4.2)."""

from __future__ import annotations

import pytest

from hosts_node.driver import Host, result

PRISTINE = ["undefined"] * 4 + ['{"a":1}', "undefined", "undefined", ""]


def test_module_variables_do_not_last(host: Host) -> None:
    assert [host.query("state:counter") for _ in range(3)] == [1, 1, 1]
    assert [host.query("state:memory", {"name": name}) for name in "ab"] == [["a"], ["b"]]


def test_changed_globals_and_prototypes_do_not_last(host: Host) -> None:
    for _ in range(3):
        assert host.query("state:inspectPollution") == PRISTINE
        assert host.mutation("state:pollute") == "overwritten"
    assert host.query("state:inspectPollution") == PRISTINE
    assert host.query("documents:everyKind")["i"] == {"$integer": "BQAAAAAAAAA="}


def test_a_global_made_by_user_code_is_a_global(host: Host) -> None:
    assert host.query("state:bareGlobal") == 7


def test_executions_in_flight_do_not_share_anything(host: Host) -> None:
    runs = [host.start("query", "state:counter") for _ in range(20)]
    assert [host.receive("done")["result"] for _ in runs] == [1] * 20


def test_a_module_may_ask_to_keep_its_state(host: Host) -> None:
    assert [host.query("reuse:counter") for _ in range(3)] == [1, 2, 3]


def test_actions_find_fresh_modules_too(host: Host) -> None:
    assert [host.action("actions:counter") for _ in range(2)] == [1, 1]


@pytest.mark.parametrize(
    "way", ["deleted", "assigned", "accessor", "pinned", "emptied", "frozen", "reparented"]
)
def test_globals_that_a_function_deletes_or_replaces_are_there_again(host: Host, way: str) -> None:
    """Some packages put their own in the place of Date, Math, process and crypto, or take them away."""
    kinds = {"query": "Query", "mutation": "Mutation", "action": "Action"}
    before = {kind: result(host.run(kind, f"changed_globals:look{name}")) for kind, name in kinds.items()}
    for kind, name in kinds.items():
        changed = host.run(kind, f"changed_globals:change{name}", {"way": way})
        # Without the built-ins' own methods not even a result can be told.
        if way != "emptied":
            assert result(changed) == ""
        for other, of in kinds.items():
            assert result(host.run(other, f"changed_globals:look{of}")) == before[other]
