"""What a function does at a time, and leaves behind, happens in the same order with answers ahead."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from executors.relayed_backend import call, lines_of, relayed_backend, run_by_engine, value
from host_pools import pool_of
from parabola.backend import Backend

SCHEMA = """
import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";
const t = () => defineTable({ n: v.number() }).index("by_n", ["n"]);
export default defineSchema({ here: t(), else: t() });
"""
KINDS = [
    "get",
    "first",
    "patch",
    "badPatch",
    "insert",
    "digest",
    "url",
    "tick",
    "throwLater",
    "reject",
    "void",
    "loop",
    "all",
    "race",
]
SOURCE = """
import { mutationGeneric as mutation, queryGeneric as query } from "convex/server";
const program = async (ctx, { table, steps, gate }) => {
  const order = [];
  const byN = (n) => ctx.db.query(table).withIndex("by_n", (q) => q.eq("n", n));
  const doc = await byN(0).first();
  const one = {
    get: async () => (await ctx.db.get(doc._id)).n,
    first: async (n) => (await byN(n).first())?.n ?? null,
    patch: async (n) => { await ctx.db.patch(doc._id, { n: 0 }); },
    badPatch: async (n) => { await ctx.db.patch(doc._id, { n: n === gate ? "no" : 0 }); },
    insert: async (n) => { await ctx.db.insert(table, { n: 5 + n }); },
    digest: async () => { for (let i = 0; i < 5; i++) await null; },
    url: async (n) => (await ctx.db.query(table).take(n + 1)).length,
    tick: async () => { await null; },
    throwLater: async (n) => { if (n === gate) throw new Error("thrown"); },
    reject: async (n) => {
      if (n === gate) void Promise.reject(new Error("left"));
      await ctx.db.get(doc._id);
    },
    void: async (n) => { void ctx.db.patch(doc._id, { n: n === gate ? "no" : 0 }); await null; },
    loop: async (n) => {
      let sum = 0;
      for await (const one of ctx.db.query(table)) if ((sum += one.n) > n) break;
      return sum;
    },
  };
  const run = (kind, n, name) => {
    const each = (...kinds) => kinds.map((one, at) => run(one, n, `${name}.${at}`));
    if (kind === "all") return Promise.all(each("get", "patch", "first", "loop"));
    if (kind === "race") return Promise.race(each("first", "insert", "get"));
    return one[kind](n).then((value) => {
      order.push(`${name}${kind} ${value}`);
      console.log(name, kind);
      return value;
    });
  };
  for (const [at, [kind, n, isCaught]] of steps.entries()) {
    const result = run(kind, n, String(at));
    if (isCaught) await result.catch((e) => order.push(`${at} caught ${e.message.slice(0, 30)}`));
    else if (n === 2) result.catch(() => order.push(`${at} later`));
    else await result;
  }
  return order;
};
export const fill = mutation(async (ctx, { table }) => {
  for (const d of await ctx.db.query(table).collect()) await ctx.db.delete(d._id);
  for (const n of [0, 1, 2]) await ctx.db.insert(table, { n });
});
""" + "\n".join(f"export const m{i} = mutation(program);" for i in range(200))

NUMBER = iter(range(10_000))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def backend(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Backend]:
    async with relayed_backend(tmp_path_factory.mktemp("order"), p=SOURCE, schema=SCHEMA) as backend:
        await pool_of(backend).execute_transactions()
        yield backend


@given(
    st.lists(
        st.tuples(st.sampled_from(KINDS), st.integers(0, 3), st.booleans()).map(list), min_size=1, max_size=5
    ),
    st.lists(st.sampled_from([9, 9, 0, 1, 2]), min_size=3, max_size=5),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.asyncio(loop_scope="module")
async def test_the_order_of_events_is_the_same(backend: Backend, steps: Any, gates: Any) -> None:
    i = next(NUMBER) % 100
    executed, by_engine = f"p:m{2 * i}", f"p:m{2 * i + 1}"
    run_by_engine(backend, executed, is_so=False)
    run_by_engine(backend, by_engine)
    for table in ("here", "else"):
        await value(backend, "p:fill", table=table)
    for number, gate in enumerate([9, 9, *gates]):
        here = await call(backend, executed, table="here", steps=steps, gate=gate)
        there = await call(backend, by_engine, table="else", steps=steps, gate=gate)
        texts = [
            r.value if r.error is None else r.error.text().splitlines()[0].replace("else", "here")
            for r in (here, there)
        ]
        assert (number, texts[0]) == (number, texts[1])
        assert lines_of(here) == lines_of(there)
