"""One limit of time for a function and all it calls, in time in which the process ran (js-runtime 5.5)."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from client_calls import client_call
from hosts_node.driver import Host, bundle_sources, error, packages_folder
from parabola.backend import Backend, BackendConfig
from parabola.functions.deployed.deployment import Module
from parabola.functions.deployed.identity import Identity
from parabola.functions.processes.host_watchdog import process_cpu_seconds
from parabola.services.deploys.push import Push

SOURCE = """
const wrap = (f) => async (...args) => JSON.stringify((await f(...args)) ?? null);
const call = (op, args) => Convex.asyncSyscall(op, JSON.stringify(args));
const callee = () => call("1.0/runUdf", { udfType: "query", name: "main:callee", args: {} });
const spin = () => { let n = 0; while (n < 3e7) n++; };
const query = (f) => Object.assign(f, { isQuery: true, invokeQuery: wrap(f) });
const calls = query(async () => { spin(); await callee(); await callee(); });
const f = query(async () => { spin(); await callee(); spin(); });
export { calls, f, query as helper };
export const leaf = query(() => 1);
"""


@pytest.fixture
def host() -> Host:
    host = Host()
    host.load([{"path": "main.js", "source": SOURCE}])
    return host


def test_a_call_reports_its_own_time_and_nobody_elses(host: Host) -> None:
    try:
        run_id = host.start("query", "main:f", userMsUsed=900.0)
        asked = host.receive("syscall", run_id=run_id)
        assert 0 < asked["userMs"] < 900
        reply = {"call": asked["calls"][0]["call"], "value": None}
        host.send({"type": "reply", "id": run_id, "replies": [reply], "userMsUsed": 10.0})
        ended = host.receive("done", "failed", run_id=run_id)
        assert ended["type"] == "done"
        assert asked["userMs"] < ended["usage"]["userMs"] < 900
    finally:
        host.close()


def test_what_the_callees_used_counts_for_the_caller(host: Host) -> None:
    try:
        run_id = host.start("query", "main:calls")
        asked = host.receive("syscall", run_id=run_id)
        reply = {"call": asked["calls"][0]["call"], "value": None}
        host.send({"type": "reply", "id": run_id, "replies": [reply], "userMsUsed": 1001.0})
        ended = host.receive("done", "failed", run_id=run_id)
        assert (ended["kind"], error(ended)["frames"]) == ("timeout", [])
        assert ended["usage"]["userMs"] < 1000
        assert host.run("query", "main:leaf", userMsUsed=1001.0)["kind"] == "timeout"
        assert host.query("main:leaf", userMsUsed=10.0) == 1
    finally:
        host.close()


NESTED = """
import { mutationGeneric as mutation, makeFunctionReference } from "convex/server";
const noop_ = makeFunctionReference<"mutation">("nested:noop");
export const noop = mutation({ args: {}, handler: async () => null });
export const many = mutation({
  handler: async (ctx: any, { n }: any) => {
    for (let i = 0; i < n; i++) await ctx.runMutation(noop_, {});
    return n;
  },
});
"""
IN_PYTHON = """
from parabola import MutationCtx, mutation


@mutation
async def noop(ctx: MutationCtx) -> None:
    return None


@mutation
async def many(ctx: MutationCtx, n: float) -> float:
    for _ in range(int(n)):
        await ctx.run_mutation(noop, {})
    return n
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def backend(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Backend]:
    if not packages_folder().is_dir():
        pytest.skip("the npm packages of the tests are not installed")
    modules = bundle_sources(tmp_path_factory.mktemp("functions"), {"nested.ts": NESTED})
    backend = await Backend.open(BackendConfig(tmp_path_factory.mktemp("data")))
    try:
        typescript = tuple(Module(one["path"], "isolate", one["source"]) for one in modules)
        await backend.deploy(Push("typescript", typescript))
        await backend.deploy(Push("python", (Module("python_nested.py", "python", IN_PYTHON),)))
        yield backend
    finally:
        await backend.close()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("path", ["nested:many", "python_nested:many"])
async def test_two_thousand_nested_calls_are_no_fault(backend: Backend, path: str) -> None:
    result = await backend.run_any(client_call(path, {"n": 2000.0}, Identity.admin()))
    assert (result.error, result.value) == (None, 2000.0)


def test_an_analysis_that_has_no_processor_for_a_while_comes_to_its_end() -> None:
    schema = "let n = 0; while (n < 3e8) n++; const s = { export: () => '{}' }; export { s as default };"
    host = Host()
    try:
        host.load([{"path": "schema.js", "source": schema}])
        pid = host.process.pid
        before = process_cpu_seconds(pid) or 0.0
        host.send({"type": "analyze", "id": 5, "phase": "schema"})
        deadline = time.monotonic() + 30
        while (process_cpu_seconds(pid) or 0.0) < before + 0.1 and time.monotonic() < deadline:
            time.sleep(0.002)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(1.2)  # longer than it may compute
        os.kill(pid, signal.SIGCONT)
        answer = host.receive("analysis", "failed", run_id=5)
        assert answer["type"] == "analysis", answer
    finally:
        host.close()


def test_an_analysis_that_computes_for_ever_is_stopped() -> None:
    host = Host()
    try:
        endless = {"path": "schema.js", "source": "for (;;); export default {};"}
        fine = {"path": "schema.js", "source": "export default { export: () => '{}' };"}
        host.load([endless])
        text = "Failed to analyze schema.js: Function execution timed out (maximum duration: 1s)"
        assert error(host.analyze("schema"))["message"] == text
        host.load([fine])
        assert host.analyze("schema")["result"] == {"schema": {}}
    finally:
        host.close()
