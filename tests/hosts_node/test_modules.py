"""Modules mean what ECMAScript says, whichever way they are instantiated (js-runtime 4.2)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from hosts_node.driver import FOLDER, Host, Json, error, packages_folder
from parabola.hosts import node

HEAD = (
    "const query = (f) =>\n"
    "  Object.assign(f, { isQuery: true, invokeQuery: async () => JSON.stringify(await f()) });\n"
)


@pytest.fixture(scope="module")
def bare() -> Iterator[Host]:
    host = Host()
    yield host
    host.close()


def run(host: Host, **sources: str) -> Json:
    """Runs `f` of the module `main`."""
    host.load([{"path": f"{name}.js", "source": HEAD + text} for name, text in sources.items()])
    return host.run("query", "main:f")


def value(host: Host, **sources: str) -> object:
    message = run(host, **sources)
    assert message["type"] == "done", message
    return message["result"]


def test_names_defaults_namespaces_and_strings(bare: Host) -> None:
    assert value(
        bare,
        main="""
        import d, { a as b, "a b" as s } from "./dep.js";
        import * as all from "./dep.js";
        export { f };
        const f = query(() => [d, b, s, Object.keys(all), all[Symbol.toStringTag]]);
        """,
        dep="const d = 1; const a = 2; const s = 3; export { d as default, a, s as 'a b' };",
    ) == [1, 2, 3, ["a", "a b", "default"], "Module"]


def test_exports_from_elsewhere(bare: Host) -> None:
    assert value(
        bare,
        main=(
            'import * as all from "./middle.js"; '
            "const f = query(() => ({ ...all, inner: all.inner.a })); export { f };"
        ),
        middle=(
            'export * from "./dep.js"; export { a as again } from "./dep.js"; '
            'export * as inner from "./dep.js"; const own = 0; export { own };'
        ),
        dep="const a = 1; const own = 2; const d = 3; export { a, own, d as default };",
    ) == {"a": 1, "again": 1, "own": 0, "inner": 1}


def test_modules_are_evaluated_once_and_dependencies_first(bare: Host) -> None:
    assert value(
        bare,
        main=(
            'import "./left.js"; import "./right.js"; import { log } from "./log.js"; '
            'log.push("main"); const f = query(() => log); export { f };'
        ),
        left='import { log } from "./log.js"; log.push("left");',
        right='import { log } from "./log.js"; log.push("right");',
        log="const log = []; export { log };",
    ) == ["left", "right", "main"]


def test_a_variable_assigned_later_is_seen_by_importers(bare: Host) -> None:
    assert (
        value(
            bare,
            main=(
                'import { count, increment } from "./dep.js"; const f = query(() => { increment(); '
                "return count; }); export { f };"
            ),
            dep="let count = 0; function increment() { count += 1; } export { count, increment };",
        )
        == 1
    )


def test_a_destructured_export_is_live_too(bare: Host) -> None:
    assert (
        value(
            bare,
            main=(
                'import { a, set } from "./dep.js"; const f = query(() => { set(); return a; }); '
                "export { f };"
            ),
            dep="let a = 0; const set = () => { ({ a } = { a: 5 }); }; export { a, set };",
        )
        == 5
    )


def test_cycles(bare: Host) -> None:
    assert (
        value(
            bare,
            main=(
                'import { other } from "./other.js"; const own = 1; const f = query(() => other()); '
                "export { f, own };"
            ),
            other='import { own } from "./main.js"; function other() { return own; } export { other };',
        )
        == 1
    )


def test_a_missing_export_is_a_syntax_error(bare: Host) -> None:
    message = run(bare, main='import { nope } from "./dep.js"; export {};', dep="export {};")
    assert error(message)["message"] == (
        "Uncaught SyntaxError: The requested module './dep.js' does not provide an export named 'nope'"
    )


def test_modules_are_strict_and_have_no_this(bare: Host) -> None:
    assert value(
        bare,
        main=(
            "const self = this; "
            "const f = query(function () { return [self === undefined, this === undefined]; }); "
            "export { f };"
        ),
    ) == [
        True,
        True,
    ]
    assert (
        "ReferenceError"
        in error(run(bare, main="const f = query(() => { undeclared = 1; }); export { f };"))["message"]
    )


def test_text_that_looks_like_statements_is_left_alone(bare: Host) -> None:
    assert value(
        bare,
        main=r"""
        const text = `import { a } from "x"; ${`export { ${1} }`} `;
        const pattern = /[/"'`]export {/.source; // import "nothing"
        const half = 8 / 2 / 2; /* export { x } */
        const o = { import: 1, export: 2, import_() {}, get async() { return 3; } };
        const f = query(() => [text, pattern, half, o.import, o.export, o.async]);
        if (half) /x/.test(text);
        export { f };
        """,
    ) == ['import { a } from "x"; export { 1 } ', "[/\"'`]export {", 2, 1, 2, 3]


def test_top_level_await_is_refused(bare: Host) -> None:
    message = run(bare, main="await new Promise(() => {}); const f = query(() => 1); export { f };")
    assert error(message)["message"] == "Uncaught Error: Top-level awaits in source files are unsupported"


def test_import_meta_and_dynamic_import_are_refused(bare: Host) -> None:
    for expression, text in (
        ("import.meta.url", "import.meta unsupported"),
        ("import . meta", "import.meta unsupported"),
        ('await import("./main.js")', "dynamic module import unsupported"),
    ):
        message = run(bare, main=f"const f = query(async () => {expression}); export {{ f }};")
        assert error(message)["message"] == f"Uncaught TypeError: {text}"


def test_databases_and_calls_are_refused_at_import_time(bare: Host) -> None:
    for op, text in (
        ("1.0/get", "Can't use database at import time"),
        ("1.0/runUdf", "Cannot call another function at import time"),
    ):
        message = run(
            bare, main=f"Convex.asyncSyscall('{op}', '{{}}'); const f = query(() => 1); export {{ f }};"
        )
        assert error(message)["message"] == f"Uncaught Error: {text}"


REFUSED_AT_IMPORT = {
    "void fetch('http://h/')": "fetch()",
    "setTimeout(() => {}, 1)": "setTimeout",
    "setInterval(() => {}, 1)": "setInterval",
    "crypto.subtle.generateKey({ name: 'HMAC', hash: 'SHA-1' }, true, ['sign'])": "cryptographic randomness",
    "void Convex.asyncSyscall('1.0/actions/query', '{}')": "Syscall 1.0/actions/query",
}


@pytest.mark.parametrize("statement", REFUSED_AT_IMPORT)
def test_import_time_has_no_network_timers_or_keys(bare: Host, statement: str) -> None:
    what = REFUSED_AT_IMPORT[statement]
    in_actions = f"{what} unsupported at import time"
    if what == "cryptographic randomness":
        in_actions = "Cannot use cryptographic randomness at import time"
    source = HEAD + f"{statement}; const f = query(() => 1); export {{ f }};"
    bare.load([{"path": "main.js", "source": source}])
    assert error(bare.run("action", "main:f"))["message"] == f"Uncaught Error: {in_actions}"
    failed = error(bare.analyze("modules"))["message"]
    assert failed.startswith(f"Failed to analyze main.js: Uncaught Error: {in_actions}\n")
    if not what.startswith("Syscall"):
        assert error(bare.run("query", "main:f"))["message"] == (
            f"Uncaught Error: Can't use {what} in queries and mutations. Please consider using an action. "
            "See https://docs.convex.dev/functions/actions for more details."
        )


def test_what_does_not_exist_cannot_be_imported(bare: Host) -> None:
    for specifier, text in (
        (
            "./nowhere.js",
            "Couldn't find JavaScript module 'nowhere.js'. Did you forget to run `npx convex dev`?",
        ),
        ("node:fs", "Unsupported scheme (node) in node:fs"),
        ("https://h/x.js", "Unsupported scheme (https) in https://h/x.js"),
    ):
        message = run(bare, main=f'import "{specifier}"; const f = query(() => 1); export {{ f }};')
        assert error(message)["message"] == text


TYPES = [0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1, 96, 2, 127, 127, 1, 127]
EXPORTS = [3, 2, 1, 0, 7, 7, 1, 3, 97, 100, 100, 0, 0]
ADDITION = [*TYPES, *EXPORTS, 10, 9, 1, 7, 0, 32, 0, 32, 1, 106, 11]
"""A module of WebAssembly with one function, `add`."""


@pytest.mark.parametrize("kind", ["query", "mutation", "action"])
@pytest.mark.parametrize(
    "expression",
    [
        "(await WebAssembly.instantiate(bytes, {})).instance",
        "await WebAssembly.instantiate(await WebAssembly.compile(bytes.buffer))",
        "await WebAssembly.compile(bytes).then((m) => WebAssembly.instantiate(m)).finally(() => {})",
        "(await Promise.all([WebAssembly.instantiate(bytes), WebAssembly.compile(bytes)]))[0].instance",
    ],
)
def test_web_assembly_is_compiled_and_run_everywhere(bare: Host, kind: str, expression: str) -> None:
    name = kind.capitalize()
    source = (
        f"const {kind} = (f) => Object.assign(f, {{ is{name}: true, "
        f"invoke{name}: async () => JSON.stringify(await f()) }});"
        f"const f = {kind}(async () => {{ const bytes = new Uint8Array({ADDITION}); "
        f"const instance = {expression}; return instance.exports.add(2, 3); }}); export {{ f }};"
    )
    bare.load([{"path": "main.js", "source": source}])
    assert bare.run(kind, "main:f")["result"] == 5


def test_web_assembly_that_is_none_is_refused_by_name(bare: Host) -> None:
    for name in ("compile", "instantiate"):
        body = f"async () => {{ await WebAssembly.{name}(new Uint8Array([0, 97])); }}"
        message = run(bare, main=f"const f = query({body}); export {{ f }};")
        assert error(message)["message"].startswith(f"Uncaught CompileError: WebAssembly.{name}(): expected")
        body = f"async () => {{ await WebAssembly.{name}Streaming(new Uint8Array([0, 97])); }}"
        message = run(bare, main=f"const f = query({body}); export {{ f }};")
        assert f"WebAssembly.{name}Streaming is not supported" in error(message)["message"]


def test_import_time_has_the_clock_and_the_randomness_of_the_push(bare: Host) -> None:
    source = HEAD + "const a = [Date.now(), Math.random()]; const f = query(() => a); export { f };"
    bare.load([{"path": "main.js", "source": source}], importPhase={"now": 5, "seed": "01" * 32})
    first, second = (bare.run("query", "main:f", now=9.0, seed=f"0{i}" * 32)["result"] for i in (1, 2))
    assert first == second
    assert first[0] == 5


def test_what_modules_log_and_read_at_import_belongs_to_every_call(bare: Host) -> None:
    source = HEAD + "console.log(process.env.NAME); const f = query(() => 1); export { f };"
    bare.load([{"path": "main.js", "source": source}], {"NAME": "n"})
    for _ in range(3):
        message = bare.run("query", "main:f")
        assert [line["messages"] for line in message["logs"]] == [["'n'"]]
        assert message["usage"]["envRead"] == ["NAME"]


def test_positions_are_those_of_the_bundle_without_a_source_map(bare: Host) -> None:
    assert (
        error(run(bare, main="const f = query(() => { throw new Error('x'); }); export { f };"))["frames"]
        == []
    )


def test_a_new_deployment_replaces_the_old_one(bare: Host) -> None:
    for number in (1, 2):
        assert value(bare, main=f"const f = query(() => {number}); export {{ f }};") == number


@pytest.mark.parametrize(
    ("assignment", "seen"),
    [
        ("a = 1", 1),
        ("a += 1", 1),
        ("++a", 1),
        ("[a] = [1]", 1),
        ("[[, a = 1]] = [[]]", 1),
        ("({ x: a } = { x: 1 })", 1),
        ("for (a of [1]);", 1),
        ("for ([a] of [[1]]);", 1),
        ("let a = 1; a", 0),
        ("const { x: a } = { x: 1 }; a", 0),
        ("o[a] = 1", 0),
        ("({ x: o.y = a } = {})", 0),
    ],
)
def test_every_way_to_assign_an_exported_variable_is_noticed(bare: Host, assignment: str, seen: int) -> None:
    found = value(
        bare,
        main='import { a, set } from "./dep.js"; const f = query(() => { set(); return a; }); export { f };',
        dep=f"let a = 0; const o = {{}}; function set() {{ {assignment} }} export {{ a, set }};",
    )
    assert found == seen


@pytest.mark.parametrize("package", ["convex", "react", "esbuild"])
def test_our_reading_of_real_modules_agrees_with_that_of_v8(package: str) -> None:
    script = [str(FOLDER / "compare_syntax.mjs"), str(node.ENTRY.parent), str(packages_folder() / package)]
    command = [node.node_executable(), *node.FLAGS, *script]
    outcome = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert outcome["different"] == []
    assert outcome["compared"] > 0
