"""A module that stays in its realm between calls is as fresh as one evaluated anew (js-runtime 4.2)."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from hosts_node.driver import Host, Json, lines, result
from hosts_node.module_states import STATES, module

CALLS = 8
WARM = 50
"""Calls after which V8 has made the best it can of what is compared."""
CHANGES = {
    "nothing": "",
    "a method of a prototype": "Array.prototype.at = () => 9;",
    "a new method of a prototype": "Array.prototype.left = 9;",
    "a symbol": "Array.prototype[Symbol.for('left')] = 9;",
    "a symbol taken away": "delete Array.prototype[Symbol.unscopables];",
    "a constructor": "Array.from = 9;",
    "a global": "JSON = null;",
    "a property of an object": "o.a = 9;",
    "a property of a class": "K.a = 9;",
    "a method of a class": "K.prototype.m = 9;",
    "a property taken away": "delete o.inner.b;",
    "a prototype": "Object.setPrototypeOf(o.inner, null);",
    "no more properties": "Object.preventExtensions(o);",
}


@pytest.fixture(scope="module")
def states() -> Iterator[Host]:
    host = Host()
    sources = [
        {"path": f"m{index}.js", "source": module(state)} for index, state in enumerate(STATES.values())
    ]
    host.load(sources)
    yield host
    host.close()


@pytest.mark.parametrize("name", STATES)
def test_every_call_sees_what_the_first_one_saw(states: Host, name: str) -> None:
    path = f"m{[*STATES].index(name)}:f"
    ended = [states.run("query", path) for _ in range(CALLS)]
    assert [(result(one), lines(one)) for one in ended] == [(result(ended[0]), lines(ended[0]))] * CALLS


@pytest.mark.parametrize(
    "path",
    ["boom", "convexError", "thrown", "frames", "staticMethod", "builtinFrame", "promiseAll"],
)
def test_a_failure_has_the_same_frames_in_a_kept_module(host: Host, path: str) -> None:
    failures: list[Json] = [host.run("query", f"errors:{path}")["error"] for _ in range(CALLS)]
    assert failures == [failures[0]] * CALLS


MODULE = """
const o = { a: 1, inner: { b: 1 } };
class K { static a = 1; m() { return 1; } }
const ofTheLanguage = () => [[7].at(0), [].left, [][Symbol.for("left")], typeof Array.from, typeof JSON];
const ofTheModule = () => [o.a, K.a, new K().m(), "b" in o.inner, "toString" in o.inner];
const seen = () => [...ofTheLanguage(), Symbol.unscopables in [], ...ofTheModule(), Object.isExtensible(o)];
const changes = { %s };
export const f = {
  isQuery: true,
  async invokeQuery(text) {
    const { parse, stringify } = JSON;
    const was = seen().map(String);
    changes[parse(text)[0].what]();
    return stringify(was.join());
  },
};
"""


def test_what_one_of_many_calls_changes_is_seen() -> None:
    changes = (f"{json.dumps(name)}() {{ {code} }}" for name, code in CHANGES.items())
    host = Host()
    try:
        host.load([{"path": "m.js", "source": MODULE % ", ".join(changes)}])
        fresh = host.query("m:f", {"what": "nothing"})
        for change in CHANGES:
            told = {host.query("m:f", {"what": what}) for what in [*["nothing"] * WARM, change]}
            assert told == {fresh}
    finally:
        host.close()
