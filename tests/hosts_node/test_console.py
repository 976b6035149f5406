"""Log lines (js-runtime 5.8, 5.9)."""

from __future__ import annotations

import pytest

from hosts_node.driver import Host, lines

SHOWN = {
    "strings": ["'a\\'b\\n\\x07'"],
    "scalars": ["1", "-0", "NaN", "5n", "true", "null", "undefined", "Symbol(s)"],
    "functions": [
        "[Function: nm]",
        "[Function (anonymous)]",
        "[Function: K]",
        "[Function (anonymous)] { x: 1 }",
    ],
    "errors": ["[Error: boom]", "{ [TypeError: t] code: 5 }", "{ [Error: x] [cause]: [Error: c] }"],
    "arrays": ["[]", "{}", "[ 1, 2, 'x' ]", "[ 1, [ 2 ] ]", "[ , 1 ]", "[\n  {\n    a: 1\n  }\n]"],
    "objects": [
        "{\n  a: 1,\n  'c-d': [ 1 ],\n  e: {\n    f: null\n  }\n}",
        "{\n  a: 1,\n  self: [Circular]\n}",
        "Foo {\n  a: 1\n}",
        "[Object: null prototype] {\n  a: 1\n}",
    ],
    "builtins": [
        "Thu Jan 01 1970 00:00:00 GMT+0000 (Coordinated Universal Time)",
        "/x/g",
        "Map (2) {\n  'k' => 'v',\n  1 => {\n    a: 2\n  }\n}",
        "Set (2) {\n  1,\n  'a'\n}",
        "Map (0) {}",
    ],
    "binary": [
        "Uint8Array [Uint8Array] {\n  0: 1,\n  1: 2\n}",
        "ArrayBuffer [ArrayBuffer] {}",
        "Promise [Promise] {}",
        "WeakMap { ? }",
        "Object('s')",
        "Object(1)",
    ],
    "deep": [
        "{\n  a: {\n    b: {\n      c: {\n        d: {\n          e: [Object]\n"
        "        }\n      }\n    }\n  }\n}",
        "[ [ [ [ [ [Array] ] ] ] ] ]",
    ],
    "symbols": ["{\n  [Symbol(q)]: 1\n}", "custom"],
    "env": ["[process.env]"],
    "kinds_of_functions": [
        "[Function: later]",
        "[Function: some]",
        "[Function: max]",
        "[Function: L]",
    ],
    "kinds_of_errors": [
        "{ [Mine: m] name: 'Mine' }",
        "[TypeError]",
        "[AggregateError: all]",
        "{ [Error: x] cause: {\n    b: 1\n  } }",
        "[RangeError: two\nlines]",
    ],
    "kinds_of_arrays": [
        "[ 1, 2, extra: 'x' ]",
        "[ 1, , 3 ]",
        "[ 1, 2 ]",
        "{\n  0: 1,\n  1: 'a'\n}",
    ],
    "kinds_of_objects": [
        "[Object: null prototype] {}",
        "Tagged [Tagged] {}",
        "{\n  a: 1,\n  [Symbol(Symbol.toStringTag)]: 'T'\n}",
        "{\n  x: 1\n}",
        "{\n  1: 2,\n  : 1,\n  $x: 3,\n  'é': 4\n}",
        "{\n  a: 1\n}",
        "{}",
    ],
    "kinds_of_boxes": [
        "Object(true)",
        "Object(1n)",
        "Object(Symbol(s))",
    ],
    "kinds_of_collections": [
        "Map (2) {\n  { x: 1 } => [ 1 ],\n  [ 1, 2 ] => Map (1) {\n    3 => 4\n  }\n}",
        "Set (1) {\n  Set (1) {\n    1\n  }\n}",
        "WeakSet { ? }",
        "DataView [DataView] {}",
        "Invalid Date",
        "/x/",
    ],
    "mixed": [
        "{\n  a: [\n    {\n      m: Map (1) {\n        'k' => {\n          s: [Object],\n"
        "          e: [Object],\n          d: [Object],\n          f: [Function: f]\n"
        "        }\n      }\n    }\n  ]\n}",
    ],
}


@pytest.mark.parametrize("which", SHOWN)
def test_forms_of_values(host: Host, which: str) -> None:
    message = host.run("query", "console_lines:show", {"which": which})
    assert [line["messages"] for line in message["logs"]] == [[shown] for shown in SHOWN[which]]


def test_levels_and_timers(host: Host) -> None:
    assert lines(host.run("query", "console_lines:levels")) == [
        "[DEBUG] 'd' 1",
        "[ERROR] 'e'",
        "[INFO] 'i'",
        "[LOG] 'l %s' 'x'",
        "[WARN] 'w'",
        "[WARN] Timer 'default' already exists",
        "[INFO] default: 0ms {\n  a: 1\n}",
        "[INFO] default: 0ms",
        "[WARN] Timer 'missing' does not exist",
    ]


def test_trace_shows_where(host: Host) -> None:
    assert lines(host.run("query", "console_lines:trace")) == [
        "[LOG] 'here' 1\n    at handler (../convex/console_lines.ts:119:13)"
    ]


def test_methods_that_do_not_exist(host: Host) -> None:
    assert set(host.query("console_lines:absent")) == {"undefined"}


def test_lines_of_a_failed_call_are_kept(host: Host) -> None:
    message = host.run("query", "console_lines:logThenFail")
    assert (message["type"], lines(message)) == ("failed", ["[LOG] 'before'"])


def test_the_number_of_lines_is_limited(host: Host) -> None:
    logs = host.run("query", "console_lines:tooMany")["logs"]
    assert len(logs) == 256
    assert logs[-2]["messages"] == ["254"]
    assert (logs[-1]["level"], logs[-1]["messages"]) == (
        "ERROR",
        ["Log overflow (maximum 256). Remaining log lines omitted."],
    )


def test_a_long_line_is_cut_at_a_character(host: Host) -> None:
    (line,) = host.run("query", "console_lines:tooLong")["logs"]
    assert line["isTruncated"]
    assert [len(text.encode()) for text in line["messages"]] == [32767]
