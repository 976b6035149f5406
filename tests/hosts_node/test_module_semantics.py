"""Modules made by factories behave as Node's own do, live bindings and cycles included (js-runtime 4.2)."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hosts_node.driver import FOLDER, Host, Json
from hosts_node.module_graphs import GRAPHS, Graph, random_graph
from parabola.functions.processes.host_watchdog import process_memory_bytes
from parabola.hosts import node

ENTRY = """
import { f as run } from "./main.js";
const invoke = () => JSON.stringify({ value: run(), log: globalThis.log });
const f = Object.assign(() => 0, { isQuery: true, invokeQuery: async () => invoke() });
export { f };
"""


def in_node(folder: Path, graphs: list[Graph]) -> list[Json]:
    folders = []
    for index, graph in enumerate(graphs):
        (folder / str(index)).mkdir()
        (folder / str(index) / "package.json").write_text('{"type":"module"}')
        for name, source in graph.items():
            (folder / str(index) / f"{name}.js").write_text(source)
        folders.append(str(folder / str(index)))
    command = [node.node_executable(), str(FOLDER / "real_modules.mjs"), *folders]
    outcomes: list[Json] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return outcomes


PLANS = """
const { ModuleSet } = await import(process.argv.at(-1));
const graphs = JSON.parse(require("node:fs").readFileSync(0));
const isNative = (graph) => {
  const modules = Object.entries(graph).map(([name, source]) => ({ path: `${name}.js`, source }));
  return new ModuleSet(modules).plan("main.js").isNative;
};
process.stdout.write(JSON.stringify(graphs.map(isNative)));
"""


def needs_the_loader(graphs: list[Graph]) -> list[bool]:
    """Whether V8's own module loader is needed for each graph."""
    module_set = (node.ENTRY.parent / "modules" / "module_set.mjs").as_uri()
    program = f"(async () => {{{PLANS}}})()"
    command = [node.node_executable(), *node.FLAGS, "-e", program, module_set]
    answer = subprocess.run(command, input=json.dumps(graphs).encode(), capture_output=True, check=True)
    needed: list[bool] = json.loads(answer.stdout)
    return needed


def in_host(host: Host, graph: Graph) -> Json:
    modules = [{"path": f"{name}.js", "source": source} for name, source in graph.items()]
    host.load([*modules, {"path": "entry.js", "source": ENTRY}])
    message = host.run("query", "entry:f")
    if message["type"] == "failed":
        return {"error": message["error"]["message"].removeprefix("Uncaught ")}
    outcome: Json = message["result"]
    return {"value": outcome["value"], "log": outcome.get("log") or []}


def comparable(outcome: Json) -> Any:
    """V8 words one error in several ways."""
    text = json.dumps(outcome, sort_keys=True)
    text = re.sub(r"Cannot access '[\w.]+' before initialization|\w+ is not defined", "<uninitialized>", text)
    text = re.sub(r"(conflicting star exports for name '\w+')[^\"]*", r"\1", text)
    text = re.sub(r"Detected cycle while resolving name 'x' in '[^']*'", "<none>", text)
    text = re.sub(r"The requested module '[^']*' does not provide an export named 'x'", "<none>", text)
    return re.sub(r"Cannot delete property '\w+' of \S+", "<undeletable>", text)


@pytest.fixture(scope="module")
def bare() -> Iterator[Host]:
    host = Host()
    yield host
    host.close()


def test_graphs_mean_what_they_mean_to_node(bare: Host, tmp_path: Path) -> None:
    graphs = {**GRAPHS, **{f"random {seed}": random_graph(seed) for seed in range(120)}}
    for (name, graph), expected in zip(graphs.items(), in_node(tmp_path, list(graphs.values())), strict=True):
        found = in_host(bare, graph)
        assert comparable(found) == comparable(expected), (name, graph)


def test_what_can_be_rewritten_needs_no_loader() -> None:
    graphs = {**GRAPHS, **{f"random {seed}": random_graph(seed) for seed in range(120)}}
    needed = dict(zip(graphs, needs_the_loader(list(graphs.values())), strict=True))
    assert [name for name, is_needed in needed.items() if is_needed] == []
    assert needs_the_loader([{"main": "export const f = () => $imprt;"}]) == [True]


LOADER: Graph = {
    "loader": """
        import { count, step } from "./counter.js"; import { other } from "./cycle.js";
        const data = Array.from({ length: 5000 }, (_, i) => ({ a: i, b: "s" + i }));
        export let counter = 0;
        export const own = () => data.length;
        const invoke = async () => { counter++; step(); return JSON.stringify(other() + counter + count); };
        export const q = Object.assign(() => 0, { isMutation: true, invokeMutation: invoke });""",
    "counter": "export let count = 0; export default class { } export function step() { count += 1; }",
    "cycle": """
        import { own } from "./loader.js"; export * from "./counter.js";
        export const other = () => own();""",
}


def test_two_thousand_calls_stay_in_one_process_of_level_size() -> None:
    host = Host(node_flags=("--max-old-space-size=512",))
    try:
        host.load([{"path": f"{name}.js", "source": source} for name, source in LOADER.items()])
        sizes = []
        for _ in range(4):
            runs = 0
            while runs < 500:
                assert host.mutation("loader:q") == 5002  # as fresh as the first
                runs += 1
            sizes.append(process_memory_bytes(host.process.pid) or 0)
        assert host.process.poll() is None
        assert sizes[-1] - sizes[0] < 100 * 2**20, sizes
    finally:
        host.close()


def test_positions_are_those_of_the_authors_file_where_calls_were_rewritten(bare: Host) -> None:
    # A map of one line to itself, a segment for each column.
    source = (
        'import{g,go}from"./a.js";const f=()=>{go();g(g(1),boom())};'
        'function boom(){throw new Error("x")}export{f}'
    )
    segments = "AAAA" + ",CAAC" * (len(source) + 20)
    source_map = json.dumps({"version": 3, "sources": ["main.ts"], "mappings": segments})
    bare.load(
        [
            {"path": "main.js", "source": source, "sourceMap": source_map},
            {"path": "a.js", "source": "export let g; export const go = () => { g = (x) => x; };"},
            {"path": "entry.js", "source": ENTRY},
        ]
    )
    frames = bare.run("query", "entry:f")["error"]["frames"]
    places = [source.index("new Error") + 1, source.index("boom()") + 1]
    assert frames == [f"boom (main.ts:1:{places[0]})", f"f (main.ts:1:{places[1]})"]
