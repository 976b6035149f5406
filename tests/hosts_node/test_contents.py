"""What user code lets out is that call's own affair: whatever it is, and by whichever way it leaves.

Every message must be one that the engine's reader takes (`driver` reads as strictly), every call must end
with `done` or `failed`, and a call that waits in the same process must not notice.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hosts_node.driver import FOLDER, Database, Host, Json, bundle, error, lines, packages_folder, result

HALF = "\ud83d"
SENTENCE = r"String '\ud83d' is not valid Unicode: it has a lone surrogate"
SOURCES = FOLDER / "contents"
CONTENTS = re.findall(r"^  (\w+)(?::|,$)", (SOURCES / "hostile.ts").read_text().split("CONTENTS")[1], re.M)
DOORS = re.findall(r"^  (\w+): \(", (SOURCES / "doors.ts").read_text(), re.M)
RESPONSES = re.findall(r"^  (\w+): \(", (SOURCES / "http.ts").read_text(), re.M)
KINDS = ("query", "mutation", "action")


class Lenient(Database):
    """Answers whatever it is asked."""

    def answer(self, run_id: int, op: str, args: Json) -> Any:
        self.calls.append((op, args))
        if op == "1.0/queryStreamNext":
            return {"values": [], "done": True}
        if op in ("1.0/queryPage", "1.0/insert"):
            return {"page": [], "isDone": True, "continueCursor": "", "_id": "t0"}
        return None


def hold(host: Host) -> tuple[int, Json]:
    """A call in flight, and what it asks for."""
    run_id = host.start("mutation", "functions:waits")
    return run_id, host.receive("syscall", run_id=run_id)


def release(host: Host, neighbour: tuple[int, Json]) -> None:
    """The call that was in flight all the time ends as if nothing had been."""
    assert host.process.poll() is None
    run_id, asked = neighbour
    host.serve(asked)
    assert result(host.receive("done", "failed", run_id=run_id)) is None
    assert host.query("functions:fine") == "fine"


@pytest.fixture(scope="module")
def isolate() -> Iterator[Host]:
    if not packages_folder().is_dir():
        pytest.skip("the npm packages of the tests are not installed")
    host = Host()
    host.database = Lenient()
    host.load(bundle(FOLDER, "contents"))
    yield host
    host.close()


@pytest.fixture(scope="module")
def full() -> Iterator[Host]:
    if not packages_folder().is_dir():
        pytest.skip("the npm packages of the tests are not installed")
    host = Host("node")
    host.database = Lenient()
    host.load(bundle(FOLDER, "contents_node"))
    yield host
    host.close()


def request(door: str, content: Json) -> Json:
    body = base64.b64encode(json.dumps({"door": door, **content}).encode()).decode()
    return {
        "request": {"method": "POST", "url": "http://site/", "headerPairs": [], "body": body},
        "route": "/",
    }


def through(host: Host, kind: str, door: str, content: Json) -> Json:
    """Sends a content through a door of a function of this kind; answers the last message."""
    if kind == "httpAction":
        return host.run("httpAction", "http.js", request(door, content))
    if door == "raw":
        return host.run(kind, f"functions:raw{kind.capitalize()}", content)
    return host.run(kind, f"functions:{kind}", {"door": door, **content})


@pytest.mark.parametrize("kind", [*KINDS, "httpAction"])
def test_every_content_leaves_by_every_door(isolate: Host, kind: str) -> None:
    neighbour = hold(isolate)
    for door in [*DOORS, "raw"] if kind != "httpAction" else [*DOORS, *RESPONSES]:
        for content in CONTENTS:
            message = through(isolate, kind, door, {"content": content})
            assert message["type"] == "done" or message["error"]["message"], (door, content)
    release(isolate, neighbour)


def test_every_content_leaves_a_node_action_by_every_door(full: Host) -> None:
    for door in [*DOORS, "raw"]:
        if door == "rejected":
            continue  # ends the process, as a rejection that nobody handles does in Node.js
        for content in CONTENTS:
            message = through(full, "action", door, {"content": content})
            assert message["type"] == "done" or message["error"]["message"], (door, content)
    assert full.action("functions:fine") == "fine"


TEXTS = st.text(st.characters(categories=("Cs", "Cc", "L", "P", "S", "Zl", "Zp")), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS.filter(lambda t: t[:1] != "$"), inner),
    max_leaves=8,
)
TOWER = st.builds(lambda levels, inner: "[" * levels + inner + "]" * levels, st.integers(0, 2000), TEXTS)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(KINDS), door=st.sampled_from([*DOORS, "raw"]), value=TEXTS | VALUES | TOWER)
def test_whatever_the_text_the_call_ends(isolate: Host, kind: str, door: str, value: Any) -> None:
    neighbour = hold(isolate)
    through(isolate, kind, door, {"value": value})
    release(isolate, neighbour)


@pytest.mark.parametrize("content", ["half", "otherHalf", "turned"])
def test_a_result_with_half_a_character_is_refused_as_in_python(isolate: Host, content: str) -> None:
    message = error(through(isolate, "query", "value", {"content": content}))["message"]
    assert message.startswith("Function functions:query return value invalid: String '\\u")
    assert message.endswith("' is not valid Unicode: it has a lone surrogate")
    message = error(through(isolate, "query", "value", {"content": "inside"}))["message"]
    assert message.endswith(f"invalid: {SENTENCE} (present at path .list[1].text)")


WHERE = {
    "table": ("half", ".table"),
    "insert": ("half", ".it"),
    "replace": ("inside", ".it.list[1].text"),
    "argument": ("half", ".it"),
    "scheduled": ("inside", ".it.list[1].text"),
    "id": ("half", ".id"),
    "path": ("half", ".name"),
    "indexValue": ("half", ".query.source.range[0].value"),
    "filter": ("half", ".query.operators[0].filter.$eq[1]"),
}


@pytest.mark.parametrize("door", WHERE)
def test_a_call_with_half_a_character_says_where(isolate: Host, door: str) -> None:
    content, place = WHERE[door]
    isolate.database.calls.clear()
    message = error(through(isolate, "mutation", door, {"content": content}))["message"]
    assert message == f"Uncaught Error: {SENTENCE} (present at path {place})"
    assert isolate.database.calls == []


def test_names_of_fields_are_refused_by_the_library(isolate: Host) -> None:
    for content, name in (("emojiKey", "👍"), ("halfKey", "\ufffd")):
        assert error(through(isolate, "query", "value", {"content": content}))["message"] == (
            f"Uncaught Error: Field name {name} has invalid character '\ufffd': "
            "Field names can only contain non-control ASCII characters"
        )


def test_logs_and_error_texts_are_repaired(isolate: Host) -> None:
    message = through(isolate, "query", "log", {"content": "half"})
    assert lines(message) == ["[LOG] '\ufffd' 'beside'"]
    assert error(through(isolate, "query", "error", {"content": "half"}))["message"] == (
        "Uncaught Error: \ufffd"
    )
    assert error(through(isolate, "query", "thrown", {"content": "half"}))["message"] == "Uncaught \ufffd"
    [label] = (
        lines(through(isolate, "action", "label", {"content": "half"}))
        or [
            f"[{line['level']}] {' '.join(line['messages'])}"
            for sent in isolate.messages
            if sent["type"] == "log"
            for line in sent["lines"]
        ][-1:]
    )
    assert label.startswith("[INFO] \ufffd: ")


LIMITS = {
    "deep65": "Value is too nested (nested 65 levels deep > maximum nesting 64)",
    "deep1100": "Value is too nested (nested 1100 levels deep > maximum nesting 64)",
    "long": "Array length is too long (9000 > maximum length 8192)",
    "wide": "Object has too many fields (1100 > maximum number 1024)",
}


@pytest.mark.parametrize("content", LIMITS)
def test_what_breaks_a_limit_is_refused_where_it_leaves(isolate: Host, content: str) -> None:
    sentence = LIMITS[content]
    found = error(through(isolate, "query", "value", {"content": content}))["message"]
    assert found == f"Function functions:query return value invalid: {sentence}"
    found = error(through(isolate, "mutation", "insert", {"content": content}))["message"]
    assert found.startswith("Uncaught Error: ")
    thrown = error(through(isolate, "mutation", "data", {"content": content}))
    assert thrown["message"] == f"ConvexError with invalid data: {sentence}"
    assert "data" not in thrown
    assert result(through(isolate, "query", "value", {"content": "deep64"}))


HUGE = {
    "text": ('"x".repeat(50_000_000)', "is too large (actual: 47.68 MiB, limit: 16 MiB)"),
    "zeroes": ('"\\0".repeat(12_000_000)', "is too large to be sent (limit: 64 MiB of JSON)"),
}


@pytest.mark.parametrize("what", HUGE)
def test_what_is_too_large_never_leaves(what: str) -> None:
    content, text = HUGE[what]
    source = f"""
      const invoke = async (f) => JSON.stringify(await f());
      const query = (f) => Object.assign(f, {{ isQuery: true, invokeQuery: () => invoke(f) }});
      export const f = query(() => {content});
      export const logs = query(() => {{
        for (let i = 0; i < 300; i++) console.log('"'.repeat(32_000));
        return "\\0".repeat(9_500_000);
      }});
      export const stores = query(async () => {{
        const args = JSON.stringify({{ table: "t", value: {{ a: {content} }} }});
        return Convex.asyncSyscall("1.0/insert", args).catch((error) => error.message);
      }});
      export const fails = query(() => {{ throw new Error({content}); }});
      export const fine = query(() => "fine");
    """
    host = Host()
    try:
        host.load([{"path": "main.js", "source": source}])
        assert text in error(host.run("query", "main:f"))["message"]
        if what == "zeroes":
            assert host.query("main:logs") == "\0" * 9_500_000
            assert sum(len(sent["lines"]) for sent in host.messages if sent["type"] == "log") == 256
        assert len(error(host.run("query", "main:fails"))["message"].encode()) <= 65536
        assert "is too large" in host.query("main:stores")
        assert host.query("main:fine") == "fine"
    finally:
        host.close()


def test_a_tampered_realm_breaks_its_own_call_only(isolate: Host) -> None:
    source = """
      const invoke = async (f) => { const it = await f(); leaked = true; return JSON.stringify(it); };
      const query = (f) => Object.assign(f, { isQuery: true, invokeQuery: () => invoke(f) });
      const tampers = [
        () => (String.prototype.toWellFormed = () => "\\ud83d"),
        () => (Array.prototype[Symbol.iterator] = () => ({ next: () => { throw "\\ud83d"; } })),
        () => (Error.prepareStackTrace = () => { throw 1; }),
        () => (Error.prepareStackTrace = () => ({ matchAll: () => { throw 1; } })),
        () => (Object.prototype.toJSON = () => "\\ud83d"),
        () => (Promise.resolve = () => undefined),
        () => (Promise.prototype.then = () => undefined),
        () => (JSON.stringify = () => '}{"id":1}'),
        () => (JSON.stringify = () => 'null,"id":99999'),
        () => (JSON.stringify = () => ({ toString: () => "1" })),
        () => (Error.stackTraceLimit = Infinity),
        () => (Array.prototype[Symbol.iterator] = () => ({ next: () => { while (leaked); throw 1; } })),
        () => (RegExp.prototype.exec = () => { while (leaked); }),
        () => (Map.prototype.clear = () => { while (leaked); }),
        () => Convex.__defineGetter__("syscall", () => { while (leaked); }),
      ];
      /** What is changed for good must never be called when the call is over. */
      let leaked = false;
      const make = (i, fails) => query(() => {
        tampers[i]();
        console.log("a", ["b"]);
        if (!fails) return ["x"];
        leaked = true;
        const deep = (n) => { if (n === 0) throw new TypeError("\\ud83d"); deep(n - 1); };
        return deep(2000);
      });
    """ + "\n".join(
        f"export const f{i} = make({i}, false); export const e{i} = make({i}, true);" for i in range(15)
    )
    host = Host()
    try:
        host.load([{"path": "main.js", "source": source + "export const fine = query(() => 'fine');"}])
        for i in range(15):
            for name in ("f", "e"):
                message = host.run("query", f"main:{name}{i}")
                assert message["type"] == "done" or message["error"]["message"]
                assert host.query("main:fine") == "fine"
    finally:
        host.close()
