"""A function does the same whether its calls are answered ahead or by the engine, whatever was foreseen."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from executors.relayed_backend import call, lines_of, reads_of, relayed_backend, run_by_engine, value
from host_pools import pool_of
from parabola.backend import Backend
from parabola.functions.outcomes.results import FunctionResult

PROGRAMS = 48
"""Functions that do as they are told: so many programs are met without what others have taught."""

SCHEMA = """
import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";
const table = () => defineTable({ n: v.number(), next: v.optional(v.number()) }).index("by_n", ["n"]);
export default defineSchema({ here: table(), else: table() });
"""

SOURCE = """
import { mutationGeneric as mutation, queryGeneric as query } from "convex/server";

const program = async (ctx, { table, steps, values }) => {
  const ids = [], said = [], order = [];
  const ordinal = (id) => (ids.includes(id) ? ids.indexOf(id) : ids.push(id) - 1);
  const seen = (doc) => doc && [ordinal(doc._id), doc.n, doc.next ?? null];
  const byN = (n) => ctx.db.query(table).withIndex("by_n", (q) => q.eq("n", n));
  const from = (n) => ctx.db.query(table).withIndex("by_n", (q) => q.gte("n", n));
  const id = (at) => ids[at % ids.length] ?? "none";
  let last = null;
  const kinds = {
    eq: async (n) => (await byN(n).collect()).map((doc) => seen((last = doc))),
    first: async (n) => seen((last = await byN(n).first())),
    unique: async (n) => seen(await byN(n).unique()),
    range: async (n) => (await from(n).order("desc").take(2)).map(seen),
    all: async () => (await ctx.db.query(table).collect()).map(seen),
    left: async () => { for await (const doc of ctx.db.query(table)) return seen(doc); },
    follow: async () => last && seen((last = await byN(last.next ?? -1).first())),
    get: async (at) => seen(await ctx.db.get(id(at))),
    insert: async (n) => ordinal(await ctx.db.insert(table, { n: n === 3 ? "no number" : n })),
    patch: async (at, n) => (await ctx.db.patch(id(at), { n: n === 3 ? null : n })) ?? "patched",
    replace: async (at, n) => (await ctx.db.replace(id(at), { n, next: at })) ?? "replaced",
    remove: async (at) => (await ctx.db.delete(id(at))) ?? "removed",
    perhaps: async (at, n) => (at === n ? kinds.patch(0, n) : "nothing"),
    sometimes: async (at, n) => (at === n ? kinds.first(n) : "nothing"),
    leave: async (at, n) => { if (at === n) throw { said, order }; return "stayed"; },
    late: async (at) => { for (let i = 0; i < 3 * at; i++) await null; return "late"; },
    forget: async (n) => { void ctx.db.insert(table, { n }); return "forgotten"; },
    other: async () => (await ctx.runQuery("programs:count", { table })),
  };
  const step = async ([kind, a, b]) => {
    const [at, n] = [values[a], values[b]];
    try {
      const answer = await kinds[kind](at, n);
      order.push(kind);
      return answer ?? null;
    } catch (error) {
      if (kind === "leave") throw error;
      order.push(`no ${kind}`);
      return String(error.message ?? error);
    }
  };
  try {
    for (const one of steps) {
      said.push(Array.isArray(one[0]) ? await Promise.all(one.map(step)) : await step(one));
    }
  } catch (left) {
    return [left.said, left.order, ids];
  }
  return [said, order, ids];
};
export const count = query(async (ctx, { table }) => (await ctx.db.query(table).collect()).length);
export const fill = mutation(async (ctx, { table }) => {
  for (const doc of await ctx.db.query(table).collect()) await ctx.db.delete(doc._id);
  for (const n of [0, 1, 1, 2]) await ctx.db.insert(table, { n, next: (n + 1) % 3 });
});
export const content = query(async (ctx, { table }) =>
  (await ctx.db.query(table).collect()).map(({ n, next }) => [n, next ?? null]));
""" + "\n".join(
    f"export const {kind}{number} = {kind}(program);"
    for kind in ("mutation", "query")
    for number in range(2 * PROGRAMS)
)

ID = r"\b[0-9a-z]{31,37}\b"
PLACES = st.integers(0, 3)
READS = st.sampled_from(["eq", "first", "unique", "range", "all", "left", "follow", "get", "sometimes"])
WRITES = st.sampled_from(["insert", "patch", "replace", "remove", "forget", "perhaps"])
OTHERS = st.sampled_from(["leave", "late", "other"])


def steps_of(kinds: st.SearchStrategy[str]) -> st.SearchStrategy[list[Any]]:
    one = st.tuples(kinds, PLACES, PLACES).map(list)
    return st.lists(one | st.lists(one, min_size=2, max_size=4), min_size=1, max_size=7)


RUNS = st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=3, max_size=6)
"""The values that one program is given, run after run."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def backend(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Backend]:
    async with relayed_backend(
        tmp_path_factory.mktemp("programs"), programs=SOURCE, schema=SCHEMA
    ) as backend:
        await pool_of(backend).execute_transactions()
        yield backend


PAIRS = itertools.cycle(range(PROGRAMS))


def a_pair(backend: Backend, kind: str) -> tuple[str, str]:
    """Two functions that are alike: the one is executed by a relay, the other one by the engine."""
    number = next(PAIRS)
    executed, by_engine = f"programs:{kind}{2 * number}", f"programs:{kind}{2 * number + 1}"
    run_by_engine(backend, executed, is_so=False)
    run_by_engine(backend, by_engine)
    return executed, by_engine


def said_in(result: FunctionResult, table: str) -> Any:
    """What a function has been told, without the ids and the name of its table."""
    if result.error is not None:
        return re.sub(ID, "id", result.error.text().replace(table, "table"))
    said, order, ids = result.value
    text = str(said).replace(table, "table")
    for number, id in enumerate(ids):
        text = text.replace(id, f"id {number}")
    return re.sub(ID, "id", text), order, len(ids)


@given(steps_of(READS | WRITES | OTHERS), RUNS)
@example([["unique", 0, 0], ["patch", 0, 1]], [[0, 1, 0, 0], [2, 1, 0, 0], [0, 2, 0, 0], [0, 3, 0, 0]])
@example([["first", 0, 0], ["follow", 0, 0], ["follow", 0, 0]], [[0] * 4, [1] * 4, [2] * 4, [0] * 4])
@example([["first", 0, 0], ["perhaps", 1, 2], ["all", 0, 0]], [[1, 0, 2, 0]] * 3 + [[1, 2, 2, 0]])
@example(
    [["sometimes", 0, 1], ["insert", 2, 2], ["get", 3, 0]], [[1, 1, 2, 0]] * 3 + [[1, 2, 2, 0], [0, 2, 1, 1]]
)
@example(
    [[["sometimes", 0, 1], ["insert", 2, 2]], ["insert", 3, 3]],
    [[1, 0, 2, 1]] * 3 + [[1, 1, 2, 1]],
)
@example(
    [["first", 0, 0], ["patch", 1, 1], ["other", 0, 0], ["patch", 2, 3]],
    [[0, 2, 0, 1], [0, 2, 0, 1], [0, 2, 0, 2], [0, 1, 0, 3], [0, 1, 0, 3]],
)
@example([["insert", 0, 0], ["insert", 1, 1]], [[0, 1, 0, 0], [2, 2, 0, 0], [1, 2, 0, 0], [0, 3, 0, 0]])
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.asyncio(loop_scope="module")
async def test_a_mutation_is_told_and_leaves_behind_the_same(
    backend: Backend, steps: list[Any], runs: list[list[int]]
) -> None:
    executed, by_engine = a_pair(backend, "mutation")
    for table in ("here", "else"):
        await value(backend, "programs:fill", table=table)
    for values in runs:
        here = await call(backend, executed, table="here", steps=steps, values=values)
        there = await call(backend, by_engine, table="else", steps=steps, values=values)
        assert said_in(here, "here") == said_in(there, "else")
        assert lines_of(here) == lines_of(there)
        left = [await value(backend, "programs:content", table=table) for table in ("here", "else")]
        assert left[0] == left[1]


@given(steps_of(READS | OTHERS), RUNS)
@example([["first", 0, 0], ["leave", 1, 2], ["eq", 3, 3]], [[0, 1, 2, 1], [1, 1, 2, 0], [0, 1, 1, 1]])
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.asyncio(loop_scope="module")
async def test_a_query_is_told_the_same_and_depends_on_the_same(
    backend: Backend, steps: list[Any], runs: list[list[int]]
) -> None:
    executed, by_engine = a_pair(backend, "query")
    await value(backend, "programs:fill", table="here")
    for values in runs:
        here = await call(backend, executed, table="here", steps=steps, values=values)
        there = await call(backend, by_engine, table="here", steps=steps, values=values)
        assert said_in(here, "here") == said_in(there, "here")
        assert here.read_set is not None
        assert there.read_set is not None
        assert reads_of(here.read_set) == reads_of(there.read_set)


@pytest.mark.asyncio(loop_scope="module")
async def test_nobody_fails_where_many_are_told_ahead_of_what_others_change(backend: Backend) -> None:
    await value(backend, "programs:fill", table="here")
    steps = [["first", 0, 0], ["first", 1, 1], ["patch", 2, 0], ["patch", 3, 1]]
    swaps = [[0, 2, 1, 0] if number % 2 else [2, 0, 1, 0] for number in range(60)]
    executed, _ = a_pair(backend, "mutation")
    results = await asyncio.gather(
        *(call(backend, executed, table="here", steps=steps, values=values) for values in swaps)
    )
    assert not any(result.error for result in results)
