"""Ranges, expressions, orders and pages: js-runtime 3, semantics 1.2, 3.2, 3.3, 6.5 and 14."""

# ruff: noqa: E501  (texts of errors)

from __future__ import annotations

from typing import Any

from conformance.case import Case, PerLanguage
from parabola.values.int64 import Int64

NAN = float("nan")


def values(*given: Any) -> list[dict[str, Any]]:
    """Documents named by their positions."""
    return [{"name": str(index), "value": value} for index, value in enumerate(given)]


ABSENT = {"name": "absent"}
NULL = {"name": "null", "value": None}
NUMBERS = values(0.0, 1.0, 2.0, 3.0)
FIELD = ["field", "value"]

SORTED = [
    ABSENT,
    *(
        {"name": name, "value": value}
        for name, value in [
            ("null", None),
            ("int", Int64(-5)),
            ("bigger int", Int64(9)),
            ("-inf", float("-inf")),
            ("negative", -1.5),
            ("-0", -0.0),
            ("0", 0.0),
            ("1", 1.0),
            ("inf", float("inf")),
            ("nan", NAN),
            ("false", False),
            ("true", True),
            ("empty string", ""),
            ("a", "a"),
            ("tilde", "\uff5e"),
            ("smile", "\U0001f600"),
            ("empty bytes", b""),
            ("bytes", b"\x01"),
            ("[]", []),
            ("[1]", [1.0]),
            ("[1, 0]", [1.0, 0.0]),
            ("{}", {}),
            ("{a}", {"a": 1.0}),
            ("{a, b}", {"a": 1.0, "b": 0.0}),
            ("{b}", {"b": 0.0}),
        ]
    ),
]
SORTED_NAMES = [row["name"] for row in SORTED]


def in_range(item: str, conditions: list[list[Any]], value: Any = ..., **more: Any) -> Case:
    more.setdefault("documents", [ABSENT, NULL, *NUMBERS])
    args = {"index": more.pop("index", "by_value"), "conditions": conditions}
    return Case(f"js 3.2 {item}", "queries:in_range", args, value, **more)


def matching(item: str, condition: list[Any], value: Any = ..., **more: Any) -> Case:
    more.setdefault("documents", NUMBERS)
    return Case(f"js 3.3 {item}", "queries:matching", {"condition": condition}, value, **more)


RANGES = [
    in_range("lt includes absent and null", [["lt", "value", 2.0]], ["absent", "null", "0", "1"]),
    in_range("lte", [["lte", "value", 1.0]], ["absent", "null", "0", "1"]),
    in_range("gte null excludes absent", [["gte", "value", None]], ["null", "0", "1", "2", "3"]),
    in_range("gt absent", [["gt", "value"]], ["null", "0", "1", "2", "3"]),
    in_range("eq absent", [["eq", "value"]], ["absent"]),
    in_range("both bounds", [["gt", "value", 0.0], ["lte", "value", 2.0]], ["1", "2"]),
    in_range("empty interval", [["gt", "value", 2.0], ["lt", "value", 1.0]], []),
    in_range("gt includes higher types", [["gt", "value", 2.0]], ["3", "s"],
             documents=[*NUMBERS, {"name": "s", "value": "x"}]),
    in_range("1n is not 1", [["eq", "value", 1.0]], ["1"], documents=values(Int64(1), 1.0)),
    in_range("-0 is not 0", [["eq", "value", 0.0]], ["1"], documents=values(-0.0, 0.0)),
    in_range("NaN finds NaN", [["eq", "value", NAN]], ["1"], documents=values(1.0, NAN)),
    in_range(
        "prefix and bound", [["eq", "kind", "a"], ["gt", "value", 1.0]], ["y"], index="by_kind_value",
        documents=[
            {"name": "x", "kind": "a", "value": 1.0},
            {"name": "y", "kind": "a", "value": 2.0},
            {"name": "z", "kind": "b", "value": 2.0},
        ],
    ),
    in_range("out of order", [["eq", "value", 1.0]], index="by_kind_value",
             error="(?s)didn't use the index fields in order.*Index fields: .*Query fields: .*First incorrect field"),
    in_range("unindexed field", [["eq", "name", "1"]],
             error='The index range included a comparison with "name", but .* doesn\'t index this field'),
    in_range("two equalities", [["eq", "value", 1.0], ["eq", "value", 2.0]],
             error="Already defined equality bound in index range"),
    in_range("two lower bounds", [["gt", "value", 1.0], ["gte", "value", 2.0]],
             error="Already defined lower bound in index range"),
    in_range("bounds on two fields", [["gt", "kind", "a"], ["lt", "value", 2.0]], index="by_kind_value",
             error="Upper and lower bounds in `range` can only be applied to a single index field"),
    in_range("missing index", [], index="by_nothing", error=r"Index items\.by_nothing not found"),
    Case("js 3.2 missing table is empty", "queries:missing_table", {}, PerLanguage(typescript=[]),
         error=PerLanguage(typescript=None, python='There is no table "nowhere" in the schema.')),
    Case("js 3.2 built-in by_creation_time", "queries:by_creation_time", {}, ["1", "2", "3"],
         documents=NUMBERS),
    Case("sem 14.15 past the declared fields", "queries:past_declared_fields", {}, ["1", "2"],
         documents=values(1.0, 1.0, 1.0)),
]  # fmt: skip

ORDERS = [
    Case("sem 1.2 total order", "queries:in_range", {"index": "by_value"}, SORTED_NAMES,
         documents=SORTED[::-1]),
    Case("sem 1.2 total order, descending", "queries:in_range", {"index": "by_value", "order": "desc"},
         SORTED_NAMES[::-1], documents=SORTED),
    Case("js 3.4 ties go by creation", "queries:in_range", {"index": "by_value"}, ["0", "1", "2"],
         documents=values(1.0, 1.0, 1.0)),
    Case("js 3.4 ties reversed", "queries:in_range", {"index": "by_value", "order": "desc"},
         ["2", "1", "0"], documents=values(1.0, 1.0, 1.0)),
    Case("sem 14.9 creation order", "queries:all", {}, ["0", "1", "2", "3"], documents=NUMBERS),
    Case("js 3.1 desc", "queries:all", {"order": "desc"}, ["3", "2", "1", "0"], documents=NUMBERS),
    Case("js B ordered twice", "queries:ordered_twice", error="may only specify order at most once"),
    Case("js B reuse", "queries:reused",
         error="can only be chained once|has been chained with another operator and can't be reused"),
]  # fmt: skip

EXPRESSIONS = [
    matching("eq", ["eq", FIELD, ["literal", 1.0]], ["1"]),
    matching("neq", ["neq", FIELD, ["literal", 1.0]], ["0", "2", "3"]),
    matching("comparison across types", ["lt", FIELD, ["literal", "x"]], ["0", "1", "2", "3"]),
    matching("absent is lowest", ["lt", FIELD, ["literal", None]], ["absent"], documents=[ABSENT, NULL]),
    matching("1n is not 1", ["eq", FIELD, ["literal", Int64(1)]], []),
    matching("0 is not -0", ["eq", FIELD, ["literal", -0.0]], []),
    matching("and", ["and", ["gt", FIELD, ["literal", 0.0]], ["lt", FIELD, ["literal", 2.0]]], ["1"]),
    matching("or", ["or", ["eq", FIELD, ["literal", 0.0]], ["eq", FIELD, ["literal", 3.0]]], ["0", "3"]),
    matching("not", ["not", ["eq", FIELD, ["literal", 0.0]]], ["1", "2", "3"]),
    matching("empty and", ["and"], ["0", "1", "2", "3"]),
    matching("empty or", ["or"], []),
    matching("add", ["eq", ["add", FIELD, ["literal", 1.0]], ["literal", 3.0]], ["2"]),
    matching("sub and mul", ["eq", ["mul", ["sub", FIELD, ["literal", 1.0]], ["literal", 2.0]],
                             ["literal", 4.0]], ["3"]),
    matching("div and mod", ["eq", ["mod", ["div", FIELD, ["literal", 1.0]], ["literal", 2.0]],
                             ["literal", 1.0]], ["1", "3"]),
    matching("neg", ["eq", ["neg", FIELD], ["literal", -2.0]], ["2"]),
    matching("int64 arithmetic", ["eq", ["add", FIELD, ["literal", Int64(2)]], ["literal", Int64(5)]],
             ["0"], documents=values(Int64(3))),
    matching("int64 overflow", ["eq", ["add", FIELD, ["literal", Int64(1)]], ["literal", Int64(5)]],
             error="Cannot add .* and .*: the result is out of range for Int64",
             documents=values(Int64(2**63 - 1))),
    matching("int64 division by zero", ["eq", ["div", FIELD, ["literal", Int64(0)]], ["literal", Int64(5)]],
             error="Cannot divide .* by zero", documents=values(Int64(1))),
    matching("mixed arithmetic", ["eq", ["add", FIELD, ["literal", Int64(1)]], ["literal", 5.0]],
             error=r"Cannot add .* \(type .*\) and .* \(type .*\)"),
    matching("neg of a string", ["eq", ["neg", FIELD], ["literal", 5.0]],
             error="Cannot negate", documents=values("x")),
    matching("logic wants booleans", ["and", FIELD],
             error=r"Cannot use value .* \(type .*\) as a Boolean"),
    matching("the result is boolean", FIELD, error=r"Cannot use value .* \(type .*\) as a Boolean"),
    matching("short circuit", ["or", ["literal", True], FIELD], ["0", "1", "2", "3"]),
    matching("nested field", ["eq", ["field", "value.a.b"], ["literal", 1.0]], ["0"],
             documents=values({"a": {"b": 1.0}}, {"a": 5.0}, 3.0)),
    matching("system fields", ["gt", ["field", "_creationTime"], ["literal", 0.0]], ["0", "1", "2", "3"]),
    Case("js 3.3 absent field", "queries:absent_field", {}, ["absent"], documents=[ABSENT, NULL]),
    Case("js 3.2 absent in an index", "queries:absent_in_index", {}, ["absent"], documents=[ABSENT, NULL]),
    Case("js 3.1 operators in order", "queries:filter_then_take", {}, ["2"], documents=NUMBERS),
]  # fmt: skip

ENDS = [
    Case("js 3.1 first", "queries:first", {}, "0", documents=NUMBERS),
    Case("js 3.1 first of none", "queries:first", {}, None),
    Case("js 3.1 take", "queries:take", {"n": 2.0}, ["0", "1"], documents=NUMBERS),
    Case("js 3.1 take 0", "queries:take", {"n": 0.0}, [], documents=NUMBERS),
    Case("js B take of a fraction", "queries:take", {"n": 1.5},
         error="Arg 1 `n` to `take` must be a non-negative integer"),
    Case("js 3.1 unique of none", "queries:unique", {}, None),
    Case("js 3.1 unique of one", "queries:unique", {}, "0", documents=values(1.0)),
    Case("js B unique of two", "queries:unique", {}, documents=NUMBERS,
         error=r"unique\(\) query returned more than one result from table items:\n \[\w+, \w+, \.\.\.\]"),
    Case("js 1.7 count", "queries:count", {}, 4.0, documents=NUMBERS),
    Case("js 3.8 stopped early", "queries:iterate", {"until": "2"}, ["0", "1"], documents=NUMBERS),
    Case("js B wrong reader", "queries:wrong_reader",
         error=PerLanguage(
             typescript=r"User tables can only be accessed from db\.query\(\)",
             python=r"User tables can(not| only) be accessed")),
]  # fmt: skip


def page(item: str, options: dict[str, Any], value: Any = ..., **more: Any) -> Case:
    more.setdefault("documents", NUMBERS)
    args = {"paginationOpts": {"cursor": None, **options}, **more.pop("args", {})}
    return Case(f"js 3.7 {item}", "queries:page", args, value, **more)


PAGES = [
    page("no item", {"numItems": 0.0}, error="Must request at least 1 document while paginating"),
    page("too many", {"numItems": 32001.0}, error="Requested too many items: 32001"),
    page("strange cursor", {"numItems": 1.0, "cursor": "garbage"},
         error="Failed to parse cursor",
         data={"isConvexSystemError": True, "paginationError": "InvalidCursor"}),
    Case("js 3.7 two paginated queries", "queries:two_pages", documents=NUMBERS,
         error="ran multiple paginated queries. Convex only supports a single paginated query"),
    page("bad number", {"numItems": -1.0}, error="`options.numItems` must be a positive number. Received `-1"),
]  # fmt: skip

QUERY_CASES: list[Case] = [*RANGES, *ORDERS, *EXPRESSIONS, *ENDS, *PAGES]
