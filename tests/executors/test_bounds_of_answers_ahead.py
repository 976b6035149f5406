"""What a function does beyond all measure costs nobody else anything, and itself no more than by message."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from executors.relayed_backend import call, lines_of, relayed_backend, run_by_engine, value
from host_pools import pool_of
from parabola.backend import Backend
from parabola.functions.processes.host_failures import HostLost
from parabola.functions.processes.host_losses import HostLosses

SCHEMA = """
import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";
const t = defineTable({ n: v.any(), text: v.optional(v.string()) }).index("by_n", ["n"]);
export default defineSchema({ t });
"""
SOURCE = """
import { mutationGeneric as mutation, queryGeneric as query } from "convex/server";
const logged = async (ctx, { n, other }) => {
  await ctx.db.insert("t", { n, text: n === 7 ? 5 : "text" }).catch((e) => console.log("caught"));
  console.log("before");
  if (other) await ctx.runQuery("m:count");
  console.log("after");
};
export const logged1 = mutation(logged);
export const logged2 = mutation(logged);
const many = async (ctx, { size }) => {
  const said = [];
  for (let i = 0; i < 14; i++) {
    try {
      await ctx.db.insert("t", { n: 1, text: "\\u0001".repeat(size) });
      said.push("in");
    } catch (e) {
      said.push(e.message.slice(0, 60));
    }
  }
  return said;
};
export const many1 = mutation(many);
export const many2 = mutation(many);
export const count = query(async (ctx) => (await ctx.db.query("t").take(3)).length);
const eqs = async (ctx, { n }) => {
  for (let i = 0; i < 8; i++) await ctx.db.query("t").withIndex("by_n", (q) => q.eq("n", n)).first();
  return n.length;
};
export const eqs1 = mutation(eqs);
const deep = async (ctx, { depth }) => {
  const raw = `{"id":"x","query":1,"more":${"[".repeat(depth)}${"]".repeat(depth)}}`;
  try { return JSON.parse(await Convex.asyncSyscall("1.0/get", raw)); } catch (e) { return e.message; }
};
export const deep1 = query(deep);
const reading = async (ctx, { n }) => {
  console.log("before");
  for await (const doc of ctx.db.query("t")) { await ctx.runQuery("m:count"); break; }
  console.log("after");
};
export const reading1 = mutation(reading);
export const reading2 = mutation(reading);
export const slow = query(async (ctx, { n }) => {
  for (let i = 0; i < 50; i++) await ctx.db.query("t").withIndex("by_n", (q) => q.eq("n", i)).first();
  return n;
});
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def backend(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Backend]:
    async with relayed_backend(tmp_path_factory.mktemp("m"), m=SOURCE, schema=SCHEMA) as backend:
        await pool_of(backend).execute_transactions()
        await value(backend, "m:logged2", n=0)
        yield backend


@pytest.mark.asyncio(loop_scope="module")
async def test_lines_are_logged_once(backend: Backend) -> None:
    for n in range(5):
        await call(backend, "m:logged1", n=n)
    run_by_engine(backend, "m:logged1", is_so=False)
    run_by_engine(backend, "m:logged2")
    here = await call(backend, "m:logged1", n=7, other=True)
    there = await call(backend, "m:logged2", n=7, other=True)
    assert lines_of(here) == lines_of(there)


@pytest.mark.asyncio(loop_scope="module")
async def test_writes_longer_than_a_message(backend: Backend) -> None:
    for _ in range(4):
        await value(backend, "m:many1", size=1)
    run_by_engine(backend, "m:many2")
    here = await call(backend, "m:many1", size=900_000)
    there = await call(backend, "m:many2", size=900_000)
    assert (here.error is None) == (there.error is None)
    assert here.error or here.value == there.value


@pytest.fixture
def lost(monkeypatch: pytest.MonkeyPatch) -> list[HostLost]:
    """The hosts that calls lose from now on."""
    losses: list[HostLost] = []
    count = HostLosses.count

    def counted(counting: HostLosses, loss: HostLost) -> None:
        losses.append(loss)
        count(counting, loss)

    monkeypatch.setattr(HostLosses, "count", counted)
    return losses


@pytest.mark.asyncio(loop_scope="module")
async def test_a_long_argument_costs_no_host(backend: Backend, lost: list[HostLost]) -> None:
    for number in range(4):
        await value(backend, "m:eqs1", n=f"text {number}")
    running = asyncio.create_task(value(backend, "m:slow", n=3))
    await call(backend, "m:eqs1", n="x" * 9_000_000)
    assert await running == 3
    assert not lost


@pytest.mark.asyncio(loop_scope="module")
async def test_a_deep_call_costs_no_host(backend: Backend, lost: list[HostLost]) -> None:
    running = asyncio.create_task(value(backend, "m:slow", n=4))
    await call(backend, "m:deep1", depth=300)
    assert await running == 4
    assert not lost


@pytest.mark.asyncio(loop_scope="module")
async def test_lines_are_logged_once_where_a_query_is_under_way(backend: Backend) -> None:
    for _ in range(3):
        await value(backend, "m:logged2", n=0)
    run_by_engine(backend, "m:reading2")
    run_by_engine(backend, "m:reading1", is_so=False)
    here = await call(backend, "m:reading1", n=7)
    there = await call(backend, "m:reading2", n=7)
    assert lines_of(here) == lines_of(there)
