"""The contract between functions and the engine: js-runtime 1, 2.9, 5.6, 5.9, 8 and 9, semantics 14.23."""

# ruff: noqa: E501  (texts of errors)

from __future__ import annotations

import re
from typing import Any

from conformance.case import Case

TYPESCRIPT = ("typescript",)


def within(kind: str, item: str, what: str, value: Any = ..., **more: Any) -> Case:
    return Case(item, f"contract:in_{kind}", {"what": what}, value, **more)


def raw(item: str, what: str, value: Any, kind: str = "mutation") -> Case:
    """A call by its name, as only the library makes it."""
    return within(kind, f"js {item}", what, value, languages=TYPESCRIPT)


CALLS_BY_NAME = [
    raw("1.4 unknown operation", "unknown_operation", "Unknown async operation 1.0/nope"),
    raw("1.4 missing argument", "missing_argument", "Invalid arguments for `db.get`: missing field `id`"),
    raw("1.4 bad argument", "bad_argument", "Invalid argument `id` for `db.get`: expected a string"),
    raw("1.4 nobody named", "nobody_named",
        "Invalid arguments for `runUdf`: Missing required argument 'name'"),
    raw("1.8 no database in an action", "database_operation", "Unknown async operation 1.0/get", "action"),
    raw("1.12 virtual table", "virtual_table", "_storage is a read-only table"),
    raw("1.7 request metadata in a query", "request_metadata", "Cannot get request metadata in a Query", "query"),
    raw("1.5 one stream twice in a batch", "next_twice",
        [{"done": True, "value": None}, "in-progress query not found"]),
    raw("1.7 unknown stream", "next_of_nothing", "in-progress query not found"),
    raw("1.6 cleanups", "cleanups", ["true", "false", "false"]),
]  # fmt: skip

BATCHES = [
    within("mutation", "js 1.5 order of events", "order_of_batches", languages=TYPESCRIPT,
           value=["microtask", "first", "insert a", "insert b", "1 rows"]),
    within("mutation", "js 1.5 races", "race_is_decided_by_issue", "first", languages=TYPESCRIPT),
]  # fmt: skip

IDS = [
    within("query", "js 1.7 unknown table number", "unknown_table", None),
    within("mutation", "js 1.12 user table through db.system", "user_table_of_system",
           error="User tables cannot be accessed with db.system."),
    within("query", "js 1.7 handles", "handle", [True, 7.0]),
    within("action", "js 1.8 handles in an action", "handle", [True, 7.0]),
    within("query", "js 1.12 unknown handle", "unknown_handle", error="Function handle not found"),
    within("query", "js 1.12 handle of nothing", "handle_of_nothing",
           error="Could not find public function for 'contract:nowhere'"),
    within("query", "js 1.12 strange storage id", "file_garbage",
           error='Invalid storage ID: "garbage". Storage ID should be an Id of \'_storage\' table, or a UUID string.'),
    within("mutation", "js 1.12 storage id of another table", "file_of_another_table",
           error="Invalid storage ID. Storage ID cannot be an ID on any table other than '_storage'."),
    within("query", "js 1.7 missing file", "missing_file", [None, None]),
    within("mutation", "js 1.7 deletion of a missing file", "delete_missing_file", error="storage id [0-9a-f-]+ not found"),
]  # fmt: skip

CALLEES = [
    within("mutation", "js 2.1 direct calls", "direct_call", 7.0, languages=TYPESCRIPT,
           logs=[re.compile(r"^\[WARN\] 'Convex functions should not directly call other Convex functions\.")]),
    *(
        within(kind, f"js 5.6 floating rejection of a callee, {kind}", "floating_callee", languages=TYPESCRIPT,
               value=re.compile(r"^Uncaught Error: floating\n    at handler \(\.\./convex/contract\.ts:\d+:\d+\)\n$"))
        for kind in ("mutation", "action")
    ),
    within("mutation", "js 8 uncatchable error of a callee", "unimplemented_callee", languages=TYPESCRIPT,
           value="Not implemented: cache for Request. Consider calling an action defined in Node.js instead "
                 "(https://docs.convex.dev/functions/actions).\n"),
    within("mutation", "js 8 stuck callee", "stuck_callee", re.compile("^Returned promise will never resolve")),
    within("mutation", "js 9 limits are catchable", "limit_is_catchable",
           re.compile(r"Too many documents read in a single function execution \(limit: 1\)\. Consider using smaller "
                      "limits in your queries")),
    within("mutation", "sem 14.23 a failed callee still counts", "counters_of_a_failed_callee", [1.0, 1.0, 0.0]),
]  # fmt: skip

SIZES = [
    within("mutation", "js 9 scheduled functions", "too_many_jobs",
           error=r"Too many functions scheduled by this mutation \(limit: 1000\)"),
    within("query", "js 2.9 large result", "large_result",
           error=r"Function contract\.(js|py):large return value is too large \(actual: 17 MiB, limit: 16 MiB\)"),
    within("query", "js 2.9 large arguments", "large_arguments",
           error=r"Arguments for contract\.(js|py):takes are too large \(actual: 17 MiB, limit: 16 MiB\)"),
]  # fmt: skip

CONTRACT_CASES: list[Case] = [*CALLS_BY_NAME, *BATCHES, *IDS, *CALLEES, *SIZES]
