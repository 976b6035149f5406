"""The surroundings of a function: js-runtime 3.7, 5, 7, 9, semantics 6.5, 7 and 14."""

# ruff: noqa: E501  (texts of errors)

from __future__ import annotations

import re
from typing import Any

from conformance.case import Case, PerLanguage
from conformance.query_cases import ABSENT, NUMBERS

TYPESCRIPT = ("typescript",)


def in_query(item: str, what: str, value: Any = ..., **more: Any) -> Case:
    return Case(f"js {item}", "runtime:in_query", {"what": what}, value, **more)


def in_mutation(item: str, what: str, value: Any = ..., **more: Any) -> Case:
    return Case(item, "runtime:in_mutation", {"what": what}, value, **more)


def in_action(item: str, what: str, value: Any = ..., **more: Any) -> Case:
    return Case(item, "runtime:in_action", {"what": what}, value, **more)


def logged(item: str, what: str, line: str) -> Case:
    return in_query(f"5.8 {item}", what, logs=[line], languages=TYPESCRIPT)


def names(*given: str) -> Case:
    return Case("", "queries:all", {}, list(given))


CONSOLE = [
    in_query("5.8 levels", "levels", logs=PerLanguage(
        typescript=["[DEBUG] 'd'", "[INFO] 'i'", "[LOG] 'l'", "[WARN] 'w'", "[ERROR] 'e'"],
        python=["[DEBUG] d", "[INFO] i", "[LOG] l", "[WARN] w", "[ERROR] e"])),
    in_query("5.8 scalars", "scalars", logs=PerLanguage(
        typescript=[r"[LOG] 'a\'b\n' 1 -0 NaN 5n true null undefined"], python=["[LOG] a'b 1 True None"])),
    logged("arrays", "arrays", "[LOG] [] [ 1, 2, 'x' ] [ 1, [ 2 ] ] [\n  {\n    a: 1\n  }\n]"),
    logged("objects", "objects", "[LOG] {} {\n  a: 1,\n  'c-d': [ 1 ],\n  e: {\n    f: null\n  }\n}"),
    logged("collections", "collections", "[LOG] Map (1) {\n  'k' => 1\n} Set (1) {\n  1\n}"),
    logged("functions", "functions",
           "[LOG] [Function: named] [Function (anonymous)] [Function: Klass]"),
    logged("errors", "errors", "[LOG] [Error: boom]"),
    logged("buffers", "buffers", "[LOG] Uint8Array [Uint8Array] {\n  0: 1,\n  1: 2\n}"),
    logged("no substitution", "no_substitution", "[LOG] '%s' 'x'"),
    in_query("5.9 at most 256 lines", "many_lines", logs=[
        *(f"[LOG] {n}" for n in range(255)),
        "[ERROR] Log overflow (maximum 256). Remaining log lines omitted."]),
    in_query("5.9 long lines are cut", "long_line",
             logs=[re.compile(r"^\[LOG\] '?x{32000,32768} \(truncated due to length\)$")]),
]  # fmt: skip

FORBIDDEN = "Can't use {} in queries and mutations. Please consider using an action."
SURROUNDINGS = [
    in_query("5.1 the clock stands still", "frozen_clock", True),
    in_query("5.1 UTC", "utc", 0.0),
    in_query("5.1 random", "random", True),
    in_query("5.1 randomUUID", "random_uuid", True),
    in_mutation("js 4.2 state is fresh", "fresh_state", 1.0, languages=TYPESCRIPT,
                then=[in_mutation("", "fresh_state", 1.0)]),
    in_query("5.4 environment", "environment", ["hello", None]),
    in_query("5.4 system variables", "system_environment", "string"),
    in_query("5.4 nothing to list", "environment_is_closed", [], languages=TYPESCRIPT),
    in_query("5.2 network", "network", error=PerLanguage(
        typescript=re.escape(FORBIDDEN.format("fetch()") + " See https://docs.convex.dev/functions/actions for more details."),
        python=r"Can't use urllib.request.urlopen\(.*\) in queries and mutations. Please consider using an action.")),
    in_query("5.2 timers", "timer", error=PerLanguage(
        typescript=re.escape(FORBIDDEN.format("setTimeout")), python=re.escape(FORBIDDEN.format("asyncio.sleep()")))),
    in_query("5.2 keys", "key_generation", error=re.escape(FORBIDDEN.format("cryptographic randomness")),
             languages=TYPESCRIPT),
    in_query("5.2 digests are allowed", "digest", 0xBA, languages=TYPESCRIPT),
    in_query("5.3 no Node.js, no browser", "no_node", ["undefined"] * 3, languages=TYPESCRIPT),
    in_query("1.10 nobody", "identity", None),
    in_query("1.11 metrics", "metrics", [4.0, 31996.0, 0.0], documents=NUMBERS),
    in_query("1.7 metadata", "metadata", ["runtime:inQuery", "query", "public", ""], languages=TYPESCRIPT),
    in_action("js 5.1 the clock of actions runs", "clock_runs", True),
]  # fmt: skip

LOOSE_ENDS = [
    in_query("5.6 floating rejection", "floating_rejection", error="^Uncaught Error: floating\n",
             languages=TYPESCRIPT),
    in_query("5.6 handled late", "handled_late", error="Unable to decode ID", languages=TYPESCRIPT),
    in_query("5.6 handled in time", "handled_in_time", "survived", languages=TYPESCRIPT),
    in_action("js 5.6 floating rejection in an action", "floating_rejection", error="^Uncaught Error: floating\n",
              languages=TYPESCRIPT),
    in_mutation("js 5.7 dangling write", "dangling_write", "value", then=[names("dangling")],
                logs=[re.compile(r"^\[WARN\] 1 unawaited operation: \[insert\]. Async operations should be awaited "
                                 "or they might not run.")]),
    in_mutation("js 5.7 dangling sequence", "dangling_sequence", None, then=[names("first", "second")]),
    in_mutation("js 5.7 dangling failure", "dangling_failure", error="Unable to decode ID", then=[names()]),
    in_mutation("js 5.7 rejected main", "rejected_main", error="Error: main", then=[names()]),
    in_action("js 5.7 dangling in an action", "dangling", "value",
              logs=[re.compile(r"^\[WARN\] 1 unawaited operation: \[query\]. ")]),
]  # fmt: skip

LIMITS = [
    in_query("9 index intervals", "too_many_reads",
             error=r"Too many reads in a single function execution \(limit: 4096\). Consider using smaller limits in your "
                   "queries, paginating your queries, or using indexed queries with a selective index range expressions.",
             documents=[ABSENT]),
    in_mutation("js 9 documents written", "too_many_writes",
                error=r"Too many writes in a single function execution \(limit: 16000\)|timed out", then=[names()]),
]  # fmt: skip

SCHEDULING = [
    in_mutation("sem 7 schedule and cancel", "schedule", ["pending", [{}], "canceled"]),
    in_mutation("sem 7.1 missing module", "schedule_nowhere",
                error="Attempted to schedule function at nonexistent path: nowhere"),
    in_mutation("sem 7.1 missing export", "schedule_missing_export",
                error="Attempted to schedule function, but no exported function nowhere found in the file: "
                      r"calling(\.\w+)?. Did you forget to export it\?"),
    in_mutation("sem 7.1 too late", "schedule_late", error="is more than 5 years in the future"),
    in_mutation("sem 7.1 negative", "schedule_negative", error="`delayMs` must be non-negative"),
    in_mutation("sem 7.1 infinite", "schedule_infinite", error="`delayMs` must be a finite number"),
    in_mutation("sem 7.1 too early", "schedule_early", error="0 is more than 5 years in the past"),
    in_mutation("lib a delay that is no number", "schedule_text_delay", error="`delayMs` must be a number"),
    in_mutation("lib a time that is none", "schedule_text_time",
                error="The invoke time must a Date or a timestamp"),
    in_mutation("sem 7.1 a date", "schedule_date", ["calling", 1793491200000.0]),
    in_mutation("sem 14.38 wrong arguments", "schedule_wrong_arguments", "accepted"),
    in_mutation("sem 7.4 wrong id", "cancel_wrong_id",
                error="Invalid scheduled function ID. The ID must be an ID on the '_scheduled_functions' table."),
]  # fmt: skip

FILES = [
    in_mutation("sem 8 an id of another table", "files_elsewhere",
                error="Invalid storage ID. Storage ID cannot be an ID on any table other than '_storage'."),
    in_mutation("sem 8 no id at all", "files_nonsense",
                error='Invalid storage ID: "nonsense". Storage ID should be an Id of \'_storage\' table, or a '
                      "UUID string."),
    in_mutation("sem 8 a missing file", "files_missing", [None, None]),
    in_mutation("sem 8 delete a missing file", "files_delete_missing",
                error="storage id 11111111-2222-4333-8444-555555555555 not found"),
]  # fmt: skip

PAGES = [
    in_action("sem 14.35 pages", "walk", [["0", "1"], ["2", "3"], []], documents=NUMBERS),
    in_action("sem 14.37 filtered", "walk_filtered", [[], False, "SplitRequired"], documents=NUMBERS),
    in_action("sem 14.36 cursor of another query", "cursor_of_another_query", documents=NUMBERS,
              error="InvalidCursor: Tried to run a query starting from a cursor, but it looks like this cursor "
                    "is from a different query",
              data={"isConvexSystemError": True, "paginationError": "InvalidCursor"}),
    in_action("sem 14.34 a page grows", "page_grows", [["0", "between", "1"], True], documents=NUMBERS),
]  # fmt: skip

RUNTIME_CASES: list[Case] = [*CONSOLE, *SURROUNDINGS, *LOOSE_ENDS, *LIMITS, *SCHEDULING, *FILES, *PAGES]
