"""Calls, failures and nesting: js-runtime 2.8, 2.9, 6, 8, A.6 and B."""

# ruff: noqa: E501  (texts of errors)

from __future__ import annotations

from typing import Any

from conformance.case import Case, PerLanguage
from parabola.values.int64 import Int64

NAN = float("nan")


def echo(item: str, value: Any) -> Case:
    return Case(f"js 1.2 {item}", "calling:echo", {"value": value}, value)


def typed(item: str, args: dict[str, Any], error: str | None = None) -> Case:
    args = {"name": "x", **args}
    return Case(f"js 2.8 {item}", "calling:typed", args, ... if error else args, error)


def names(*given: str) -> Case:
    return Case("", "nesting:names", {}, list(given))


def nested(levels: int) -> Any:
    return 0.0 if levels == 0 else [nested(levels - 1)]


VALUES = [
    echo("null", None),
    echo("numbers", [0.0, -0.0, 1.5, 1e21, float("inf"), float("-inf"), NAN]),
    echo("int64", [Int64(0), Int64(-(2**63)), Int64(2**63 - 1)]),
    echo("strings", ["", "é", "\U0001f600", "\0"]),
    echo("bytes", b"\x00\xff"),
    echo("objects", {"": 1.0, "a b": {}, "list": [[], {}]}),
    echo("forty levels", nested(40)),
    Case("js 2.1 undefined is null", "calling:nothing", {}, None),
    Case("js 1.2 undefined fields", "calling:returns_undefined_fields", {}, {"a": 1.0}),
    Case("js 2.8 unvalidated", "calling:untyped", {"a": 1.0, "b": [True]}, {"a": 1.0, "b": [True]}),
]

MISMATCH = r"ArgumentValidationError: Value does not match validator.\nPath: "
ARGUMENTS = [
    typed("all kinds", {"size": 1.0, "choice": "a", "list": [{"flag": True}], "record": {"a": 1.0},
                        "big": Int64(5), "maybe": None}),
    typed("wrong scalar", {"name": 5.0}, MISMATCH + r".name\nValue: 5.0\nValidator: v.string\(\)"),
    typed("int64 is not a number", {"size": Int64(5)}, MISMATCH + r".size\nValue: 5\nValidator: v.float64\(\)"),
    typed("number is not an int64", {"big": 5.0}, MISMATCH + r".big\nValue: 5.0\nValidator: v.int64\(\)"),
    typed("no union member", {"choice": "b"},
          MISMATCH + r'.choice\nValue: "b"\nValidator: v.union\(v.literal\("a"\), v.literal\(0.0\), v.literal\(1.5\)\)'),
    typed("literal -0", {"choice": -0.0}, MISMATCH + r".choice\nValue: -0.0\n"),
    typed("path into arrays", {"list": [{"flag": True}, {"flag": 1.0}]}, MISMATCH + r".list\[1\].flag\nValue: 1.0"),
    typed("path into records", {"record": {"a": "x"}}, MISMATCH + r'.record.values\(\)\nValue: "x"'),
    typed("extra field", {"more": 1.0},
          r"ArgumentValidationError: Object contains extra field `more` that is not in the validator.\n\n"
          r'Object: {more: 1.0, name: "x"}\nValidator: v.object\({'),
    typed("no system fields in arguments (sem 14.20)", {"_creationTime": 1.0},
          "ArgumentValidationError: Object contains extra field `_creationTime` that is not in the validator."),
    typed("id in upper case (sem 14.8)", {"item": "J57000820C20A1G7104GM2RC1M70YNR8"},
          MISMATCH + r'.item\nValue: "J57000820C20A1G7104GM2RC1M70YNR8"\nValidator: v.id\("items"\)'),
    typed("null is not absent", {"size": None}, MISMATCH + r".size\nValue: null\nValidator: v.float64\(\)"),
    typed("undecodable id", {"item": "garbage"}, MISMATCH + r'.item\nValue: "garbage"\nValidator: v.id\("items"\)'),
    Case("js 2.8 missing field", "calling:typed", {},
         error=r"ArgumentValidationError: Object is missing the required field `name`. Consider wrapping "
               r"the field validator in `v.optional\(...\)` if this is expected.\n\nObject: {}\nValidator: v.object"),
    Case("js 2.8 no arguments wanted", "calling:without_arguments", {"a": 1.0},
         error="ArgumentValidationError: Object contains extra field `a` that is not in the validator."),
]  # fmt: skip

RETURNS = [
    Case("js 2.9 returns kept", "calling:returns_text", {"what": "text"}, "x"),
    Case("js 2.9 returns broken", "calling:returns_text", {"what": "number"},
         error=r"ReturnsValidationError: Value does not match validator.\n\nValue: 5.0\nValidator: v.string\(\)"),
    Case("js 2.9 returns, extra field", "calling:returns_object", {"extra": True},
         error="ReturnsValidationError: Object contains extra field `b` that is not in the validator."),
    Case("parabola: returns drops system fields", "calling:returns_without_system_fields", {},
         [{"name": "x"}], documents=[{"name": "x"}]),
    Case("parabola: other fields stay strict", "calling:returns_without_system_fields", {},
         documents=[{"name": "x", "more": 1.0}],
         error="ReturnsValidationError: Object contains extra field `more`"),
    Case("js B a query returned", "calling:returns_query",
         error=PerLanguage(typescript=r"Return value is a Query. Results must be retrieved with `.collect\(\)`",
                           python=r"(?i)query.*collect\(\)")),
    Case("js B unsupported result", "calling:returns_set",
         error=PerLanguage(typescript=r"Set\[1\] is not a supported Convex type \(present at path .a in original",
                           python=r"\.a\b")),
]  # fmt: skip

PATHS = [
    Case(
        "js 2.9 unknown function",
        "calling:nowhere",
        error="Could not find (public )?function for 'calling:nowhere'",
    ),
    Case("js 2.9 unknown module", "nowhere:f", error="Could not find (public )?function for 'nowhere:f'"),
    Case("js 2.9 internal for admins", "calling:hidden", {}, "seen"),
    Case("js 4.3 not registered", "calling:not_registered", error="Could not find (public )?function for"),
]


def failing(item: str, what: str, error: Any, data: Any = ..., **more: Any) -> Case:
    return Case(f"js 6.1 {item}", "failing:in_query", {"what": what}, error=error, data=data, **more)


FRAMES = PerLanguage(
    typescript=r"Uncaught Error: from below\n    at inner \(\.\./convex/failing\.ts:\d+:\d+\)\n"
    r"    at outer \(\.\./convex/failing\.ts:\d+:\d+\)\n    at (async )?handler \(\.\./convex/failing\.ts",
    python=r"Uncaught ValueError: from below\n    at inner \(convex/failing\.py:\d+\)\n"
    r"    at outer \(convex/failing\.py:\d+\)\n    at deep \(convex/failing\.py:\d+\)",
)
FAILURES = [
    failing("error", "error", PerLanguage(typescript="^Uncaught Error: boom\n", python="^Uncaught ValueError: boom\n")),
    failing("name", "type_error", "^Uncaught TypeError: bad type\n"),
    failing("own class", "special", "^Uncaught Special: very\n"),
    failing("only a name", "without_message",
            PerLanguage(typescript="^Uncaught Error\n", python="^Uncaught ValueError\n")),
    failing("a string", "string", "^Uncaught just text\n?$", languages=("typescript",)),
    failing("an object", "object", "^Uncaught #<Object>\n?$", languages=("typescript",)),
    failing("text of a ConvexError", "convex_text", "^Uncaught ConvexError: plain\n", "plain"),
    failing("data of a ConvexError", "convex_object",
            PerLanguage(typescript='^Uncaught ConvexError: {"code":1,"big":"2n"}\n', python="^Uncaught ConvexError: {"),
            {"code": 1.0, "big": Int64(2)}),
    Case("js 6.1 in a mutation", "failing:in_mutation", {"what": "convex_text"},
         error="^Uncaught ConvexError: plain\n", data="plain"),
    Case("js 6.1 in an action", "failing:in_action", {"what": "convex_text"},
         error="^Uncaught ConvexError: plain\n", data="plain"),
    Case("js 6.1 frames", "failing:deep", error=FRAMES),
    Case("js 5.5 stack overflow", "failing:recursion", {},
         PerLanguage(typescript="RangeError", python="RecursionError")),
    Case("js 5.5 user timeout", "failing:endless",
         error=r"Function execution timed out \(maximum duration: 1s\)"),
    Case("js 5.7 pending for ever", "failing:never", error="Returned promise will never resolve"),
]  # fmt: skip


def in_mutation(item: str, what: str, value: Any = ..., **more: Any) -> Case:
    return Case(f"js 8 {item}", "nesting:in_mutation", {"what": what}, value, **more)


def in_action(item: str, what: str, value: Any = ..., **more: Any) -> Case:
    return Case(f"js 7.1 {item}", "nesting:in_action", {"what": what}, value, **more)


CHILD_FAILED = PerLanguage(
    typescript=["Uncaught Error: child failed", ["mine"]],
    python=["Uncaught ValueError: child failed", ["mine"]],
)
NESTING = [
    in_mutation("child sees and adds", "child_sees_and_adds", ["mine", "theirs"], then=[names("mine", "theirs")]),
    in_mutation("failed child undone", "failed_child_is_undone", CHILD_FAILED, then=[names("mine")],
                logs=PerLanguage(typescript=["[LOG] 'failing'"], python=["[LOG] failing"])),
    in_mutation("uncaught child", "uncaught_child", then=[names()],
                error="^Uncaught (Error: )?Uncaught (Value)?Error: child failed\n    at "),
    in_mutation("data survives", "child_data", [True, {"code": 7.0}]),
    in_mutation("data survives to the client", "uncaught_child_data", error="ConvexError", data={"code": 7.0}),
    in_mutation("stale snapshot", "stale", []),
    in_mutation("bad arguments", "bad_arguments",
                "ArgumentValidationError: Value does not match validator.\nPath: .name\nValue: 5.0\n"
                "Validator: v.string()\n"),
    in_mutation("unknown function", "unknown", error="Could not find public function for 'nesting:nowhere'"),
    in_mutation("same clock", "same_clock", True),
    in_mutation("derived seed", "other_random", True),
    in_mutation("timeouts end the parent", "timeout_is_not_caught",
                error=r"Function execution timed out \(maximum duration: 1s\)"),
    in_mutation("limits for a child", "limited",
                error=r"Too many documents read in a single function execution \(limit: \d+\)"),
    in_mutation("calls together", "together", [["a", "b", "c"], ["a", "b", "c"]]),
    Case("js 8 depth", "nesting:deeper", {"level": 7.0}, "bottom"),
    Case("js 8 too deep", "nesting:deeper", {"level": 20.0},
         error="Cross component call depth limit exceeded. Do you have an infinite loop in your app?"),
    Case("js 8 a query runs no mutation", "nesting:query_runs_mutation",
         error="Cannot call a Mutation function from a Query function|Trying to execute nesting.* as Query, but "
               "it is defined as Mutation"),
    in_action("query and mutation", "calls", ["a"]),
    in_action("data of a callee", "catches", {"code": 7.0}, then=[names()]),
    in_action("another action", "action", ["a"]),
    in_action("what is committed stays", "keeps_what_is_committed", error="Error: late", then=[names("kept")]),
    in_action("no database", "no_database",
              error=PerLanguage(typescript=r"Uncaught TypeError: Cannot read properties of undefined \(reading 'query'\)",
                                python="ctx.db|db")),
    in_action("unknown function", "unknown", error="Could not find public function for 'nesting:nowhere'"),
    in_action("wrong kind", "wrong_kind",
              error=r"Trying to execute nesting\.(js|py):add as Query, but it is defined as Mutation"),
]  # fmt: skip

CALL_CASES: list[Case] = [*VALUES, *ARGUMENTS, *RETURNS, *PATHS, *FAILURES, *NESTING]
