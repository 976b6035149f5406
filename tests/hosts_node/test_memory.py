"""A call that eats memory fails by itself; its neighbours never notice (js-runtime 5.5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec.structs import replace

from client_calls import client_call
from hosts_node.driver import Host, bundle_sources, packages_folder
from parabola.backend import Backend, BackendConfig
from parabola.functions.deployed.deployment import Module
from parabola.functions.deployed.identity import Identity
from parabola.functions.outcomes.failures import FunctionFailure
from parabola.functions.outcomes.results import FunctionResult
from parabola.functions.processes.host_bundle import HostCommand, Purpose
from parabola.functions.settings import FunctionSettings
from parabola.host_programs import host_programs, isolate_command
from parabola.services.deploys.push import Push
from parabola.values.encoding import encode

TEXT = "JavaScript execution ran out of memory (maximum memory usage: 64 MB)"
HEAP_MB = 256
MEBIBYTE = 1024 * 1024
FUNCTIONS = """
import { actionGeneric as action, mutationGeneric as mutation, queryGeneric as query } from "convex/server";

const MEBIBYTE = 2 ** 20;
const kept: any[] = [];
const growths: Record<string, (ctx: any) => any> = {
  /** A little more in every step. */
  heapInSteps: async (ctx) => {
    for (let n = 0; n < 64; n++) {
      kept.push(new Array(MEBIBYTE).fill(n));
      await ctx.step();
    }
  },
  buffersInSteps: async (ctx) => {
    for (let n = 0; n < 64; n++) {
      kept.push(new Uint8Array(8 * MEBIBYTE));
      await ctx.step();
    }
  },
  /** As much, but only for a while: the limit is on what a call holds. */
  garbageInSteps: async (ctx) => {
    for (let n = 0; n < 16; n++) {
      kept[0] = new Array(MEBIBYTE).fill(n);
      await ctx.step();
    }
    return "done";
  },
  /** All in one step, which nothing in the process can interrupt. */
  heapAtOnce: async (ctx) => {
    if (ctx.db?.insert) await ctx.db.insert("items", {});
    for (;;) kept.push(new Array(MEBIBYTE).fill(0));
  },
  buffersAtOnce: async (ctx) => {
    if (ctx.db?.insert) await ctx.db.insert("items", {});
    for (;;) kept.push(new Uint8Array(8 * MEBIBYTE).fill(1));
  },
};

const handler = async (ctx: any, { how }: any) => {
  const step = ctx.db
    ? async () => await ctx.db.query("items").first()
    : async () => await new Promise((resolve) => setTimeout(resolve, 0));
  return await growths[how]({ ...ctx, step });
};
export const inQuery = query({ handler });
export const inMutation = mutation({ handler });
export const inAction = action({ handler });
export const neighbour = mutation({
  handler: async ({ db }) => {
    await db.insert("items", {});
    for (let n = 0; n < 40; n++) await db.query("items").first();
  },
});
export const count = query({ handler: async ({ db }) => (await db.query("items").collect()).length });
"""


def small_host(purpose: Purpose, memory: int) -> HostCommand:
    """A host that is soon full. The limit of time is out of the way: what is tested is that of memory."""
    command = isolate_command(purpose)
    heap = f"--max-old-space-size={HEAP_MB}"
    argv = [heap if part.startswith("--max-old-space-size") else part for part in command.argv]
    return replace(command, argv=argv, heap_bytes=HEAP_MB * MEBIBYTE, memory_bytes=2 * HEAP_MB * MEBIBYTE)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def backend(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Backend]:
    if not packages_folder().is_dir():
        pytest.skip("the npm packages of the tests are not installed")
    folder = tmp_path_factory.mktemp("functions")
    modules = bundle_sources(folder, {"memory.ts": FUNCTIONS})
    push = Push("typescript", tuple(Module(one["path"], "isolate", one["source"]) for one in modules))
    hosts = replace(host_programs(), commands={"isolate": small_host})
    functions = FunctionSettings(hosts=1, user_seconds=60.0)
    backend = await Backend.open(
        BackendConfig(tmp_path_factory.mktemp("data"), hosts=hosts, functions=functions)
    )
    try:
        await backend.deploy(push)
        yield backend
    finally:
        await backend.close()


async def call(backend: Backend, name: str, how: str = "") -> FunctionResult:
    return await backend.run_any(client_call(f"memory:{name}", encode({"how": how}), Identity.admin()))


def failure(result: FunctionResult) -> FunctionFailure:
    assert result.error is not None, result.value
    return result.error


async def run_with_neighbours(backend: Backend, how: str, greedy: list[str]) -> None:
    before = (await call(backend, "count")).value
    calls = [*(call(backend, name, how) for name in greedy), *(call(backend, "neighbour") for _ in range(5))]
    results = await asyncio.gather(*calls)
    for result in results[:-5]:
        assert (failure(result).message, failure(result).kind) == (TEXT, "memory")
    assert [result.error for result in results[-5:]] == [None] * 5
    # Neighbours took effect once each, the mutation that failed not at all.
    assert (await call(backend, "count")).value == before + 5


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("how", "greedy"), [("heapInSteps", ["inMutation"]), ("buffersInSteps", ["inQuery", "inAction"])]
)
async def test_a_call_that_holds_too_much_after_a_step_fails_and_costs_no_process(
    backend: Backend, how: str, greedy: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    await run_with_neighbours(backend, how, greedy)
    assert "ended" not in caplog.text


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("how", "greedy"), [("heapAtOnce", ["inMutation"]), ("buffersAtOnce", ["inQuery", "inAction"])]
)
async def test_a_call_that_eats_memory_within_a_step_is_killed_and_its_neighbours_run_again(
    backend: Backend, how: str, greedy: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    await run_with_neighbours(backend, how, greedy)
    assert caplog.text.count("ended") >= len(greedy)


@pytest.mark.asyncio(loop_scope="module")
async def test_memory_that_a_call_has_let_go_does_not_count(backend: Backend) -> None:
    for name in ("inQuery", "inAction"):
        result = await call(backend, name, "garbageInSteps")
        assert (result.error, result.value) == (None, "done")


HEAVY = """
import { queryGeneric as query } from "convex/server";

/** Every call has this for itself. */
const ballast = new Array(2 ** 19).fill(0);
export const reads = query({
  handler: async (ctx: any) => {
    await ctx.db.query("items").collect();
    return ballast.length;
  },
});
export const calls = query({
  handler: async (ctx: any) => (await ctx.runQuery("light:one", {})) + ballast.length,
});
"""
LIGHT = """
import { queryGeneric as query } from "convex/server";
export const one = query({ handler: async () => 1 });
"""


@pytest.mark.parametrize(("path", "expected"), [("heavy:reads", 2**19), ("heavy:calls", 2**19 + 1)])
def test_calls_wait_before_they_begin_while_the_process_is_full(
    tmp_path: Path, path: str, expected: int
) -> None:
    if not packages_folder().is_dir():
        pytest.skip("the npm packages of the tests are not installed")
    host = Host(node_flags=("--max-old-space-size=128",))
    try:
        host.load(bundle_sources(tmp_path, {"heavy.ts": HEAVY, "light.ts": LIGHT}))
        runs = [host.start("query", path) for _ in range(60)]
        results = {}
        while len(results) < len(runs):
            message = host.receive("done", "failed")
            host.end_nested(message)
            if message["id"] in runs:
                results[message["id"]] = message.get("result")
        assert list(results.values()) == [expected] * len(runs)
    finally:
        host.close()
