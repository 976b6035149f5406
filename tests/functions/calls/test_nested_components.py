"""Calls between components: one transaction over the namespaces of all, held against a naive model of these
(components 7.2, 8 and 9.1).
"""

from __future__ import annotations

import asyncio
import copy
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from functions.component_trees import paths_of, redeploy, running_tree
from functions.engine import CallFailed, Engine, ScriptedRun, ScriptedWorld
from parabola.functions.deployed.function_path import parse_path
from parabola.functions.deployed.identity import Identity
from parabola.values.limits import MAX_NESTED_CALL_DEPTH

TOO_DEEP = "Cross component call depth limit exceeded"
Json = dict[str, Any]


def tree_world() -> ScriptedWorld:
    """A mutation that does what a program says, in whatever component it runs, and a query that tells."""
    world = ScriptedWorld()

    @world.mutation("m:run")
    async def run(run: ScriptedRun, args: Json) -> list[Any]:
        told: list[Any] = []
        for step in args["steps"]:
            match step["do"]:
                case "insert":
                    await run.insert("t", n=step["n"])
                case "look":
                    told.append([row["n"] for row in await run.all("t")])
                case "get":
                    row = await run.call("1.0/get", {"id": step["id"]})
                    told.append(None if row is None else row["n"])
                case "remove":
                    try:
                        await run.call("1.0/remove", {"id": step["id"]})
                        told.append("removed")
                    except CallFailed:
                        told.append("nothing to remove")
                case "where":
                    told.append((await run.call("1.0/getFunctionMetadata"))["componentPath"])
                case "fail":
                    raise ValueError("as it was told")
                case "call":
                    target = {
                        name: step[name] for name in ("reference", "functionHandle", "name") if name in step
                    }
                    call = {**target, "udfType": step["kind"], "args": {"steps": step["steps"]}}
                    try:
                        told.append(await run.call("1.0/runUdf", call))
                    except CallFailed as failed:
                        if not step["catch"]:
                            raise
                        is_deep = TOO_DEEP in failed.error["message"]
                        told.append("too deep" if is_deep else "failed")
        return told

    world.query("m:look")(run)
    world.mutation("m:hidden", visibility="internal")(run)
    return world


# The model


class Failed(Exception):
    """A program that fails."""


@dataclass
class Namespaces:
    """The numbers in each table, in their order, and which documents of the beginning are still there."""

    tables: list[list[int]]
    firsts: list[bool]
    parents: list[int]
    trace: list[Any] = field(default_factory=list)

    def run(self, place: int, steps: list[Json], depth: int = 0) -> list[Any]:
        """What the program tells that runs in an instance. Raises `Failed`; what it did stays then."""
        told: list[Any] = []
        for step in steps:
            match step["do"]:
                case "insert":
                    self.tables[place].append(step["n"])
                case "look":
                    told.append(list(self.tables[place]))
                case "get":
                    is_there = step["of"] == place and self.firsts[place]
                    told.append(1000 + place if is_there else None)
                case "remove":
                    is_there = step["of"] == place and self.firsts[place]
                    if is_there:
                        self.firsts[place] = False
                        self.tables[place].remove(1000 + place)
                    told.append("removed" if is_there else "nothing to remove")
                case "where":
                    told.append(paths_of(self.parents)[place])
                case "fail":
                    raise Failed
                case "call":
                    told.append(self._call(step, depth))
        return told

    def _call(self, step: Json, depth: int) -> Any:
        if depth + 1 > MAX_NESTED_CALL_DEPTH:
            if not step["catch"]:
                raise Failed
            return "too deep"
        before = copy.deepcopy((self.tables, self.firsts))
        try:
            return self.run(step["to"], step["steps"], depth + 1)
        except Failed:
            self.tables, self.firsts = before
            if not step["catch"]:
                raise
            return "failed"


# Programs

READS = [{"do": "look"}, {"do": "where"}]


@st.composite
def trees_and_programs(draw: st.DrawFn) -> tuple[list[int], list[list[Json]]]:
    """A tree, by the parents of its instances, and programs that its app runs one after the other."""
    count = draw(st.integers(1, 5))
    parents = [draw(st.integers(0, number)) for number in range(count)]

    def program(place: int, depth: int) -> list[Json]:
        return [step(place, depth) for _ in range(draw(st.integers(0, 4)))]

    def step(place: int, depth: int) -> Json:
        kinds = [
            "insert",
            "insert",
            "look",
            "get",
            "remove",
            "where",
            "fail",
            *(["call"] * 4 if depth < 4 else []),
        ]
        match draw(st.sampled_from(kinds)):
            case "insert":
                return {"do": "insert", "n": draw(st.integers(0, 99))}
            case ("get" | "remove") as do:
                return {"do": do, "of": draw(st.integers(0, count))}
            case "call":
                return call(place, depth)
            case do:
                return {"do": do}

    def call(place: int, depth: int) -> Json:
        children = [number for number, parent in enumerate(parents, 1) if parent == place]
        way = draw(st.sampled_from(["handle", "name", *(["reference"] * 2 if children else [])]))
        to = {"handle": lambda: draw(st.integers(0, count)), "name": lambda: place}.get(
            way, lambda: draw(st.sampled_from(children))
        )()
        step: Json = {"do": "call", "way": way, "to": to, "catch": draw(st.booleans()), "kind": "mutation"}
        if draw(st.integers(0, 4)) == 0:
            return {**step, "kind": "query", "steps": draw(st.lists(st.sampled_from(READS), max_size=3))}
        return {**step, "steps": program(to, depth + 1)}

    programs = [program(0, 0) for _ in range(draw(st.integers(1, 4)))]
    return parents, programs


def for_engine(steps: list[Json], engine: Engine, ids: list[str], firsts: list[str]) -> list[Json]:
    """A program with the ids of documents, and the references and handles of functions."""
    found = []
    for step in steps:
        step = dict(step)
        if "of" in step:
            step["id"] = firsts[step["of"]]
        if step["do"] == "call":
            function = "look" if step["kind"] == "query" else "run"
            match step["way"]:
                case "handle":
                    name = parse_path(f"m:{function}")
                    step["functionHandle"] = engine.runner.handles.handle(ids[step["to"]], name)
                case "reference":
                    step["reference"] = f"_reference/childComponent/c{step['to']}/m/{function}"
                case _:
                    step["name"] = f"m:{function}"
            step["steps"] = for_engine(step["steps"], engine, ids, firsts)
        found.append(step)
    return found


async def first_documents(engine: Engine, ids: list[str]) -> list[str]:
    """A document in each instance; their ids."""
    tx = engine.database.begin(writable=True)
    found = [await tx.view(id).insert("t", {"n": 1000 + place}) for place, id in enumerate(ids)]
    await engine.database.commit(tx)
    return found


async def contents(engine: Engine, ids: list[str]) -> list[list[int]]:
    query = {"source": {"type": "FullTableScan", "tableName": "t", "order": "asc"}, "operators": []}
    tx = engine.database.begin()
    return [[int(row.value["n"]) for row in await tx.view(id).query(query).collect()] for id in ids]


async def hold_against_the_model(directory: Path, parents: list[int], programs: list[list[Json]]) -> None:
    async with running_tree(directory, tree_world(), parents) as engine:
        components = engine.runner.active.deployment.components.values()
        by_path = {component.path: component.id for component in components}
        ids = [by_path.get(path, "") for path in paths_of(parents)]
        firsts = await first_documents(engine, ids)
        model = Namespaces([[1000 + place] for place in range(len(ids))], [True] * len(ids), parents)
        for steps in programs:
            before = copy.deepcopy((model.tables, model.firsts))
            result = await engine.mutation("m:run", {"steps": for_engine(steps, engine, ids, firsts)})
            try:
                expected = model.run(0, steps)
            except Failed:
                model.tables, model.firsts = before
                assert result.error is not None
            else:
                assert result.error is None, result.error
                assert result.value == expected
            assert await contents(engine, ids) == model.tables


@settings(max_examples=40)
@given(trees_and_programs())
def test_calls_of_a_tree_do_what_a_model_of_its_namespaces_does(
    drawn: tuple[list[int], list[list[Json]]],
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(hold_against_the_model(Path(directory), *drawn))


# Examples

CHAIN = [0, 1, 2]


def through(number: int, *steps: Json, catch: bool = False, **more: Any) -> Json:
    """A call of a child, and what it does."""
    reference = f"_reference/childComponent/c{number}/m/run"
    return {
        "do": "call",
        "reference": reference,
        "kind": "mutation",
        "catch": catch,
        "steps": list(steps),
        **more,
    }


async def test_the_ninth_level_is_refused_whatever_components_are_involved(tmp_path: Path) -> None:
    async with running_tree(tmp_path, tree_world(), [0, 1, 2, 3, 4, 5, 6, 7, 8]) as engine:
        step: Json = {"do": "where"}
        for number in range(9, 0, -1):
            step = through(number, step, catch=number == 9)
        told = (await engine.mutation("m:run", {"steps": [step]})).value
        for _ in range(9):
            [told] = told
        assert told == "too deep"


async def test_nothing_but_own_functions_and_the_public_ones_of_children_is_reached(tmp_path: Path) -> None:
    async with running_tree(tmp_path, tree_world(), [0, 0, 1]) as engine:
        world = engine.world

        @world.mutation("m:reach")
        async def reach(run: ScriptedRun, args: Json) -> str:
            try:
                await run.call("1.0/runUdf", {"udfType": "mutation", "args": {"steps": []}, **args["target"]})
                return "reached"
            except CallFailed as failed:
                return str(failed.error["message"])

        child = "_reference/childComponent"
        refused = {
            f"{child}/c9/m/run": 'Child component "c9" not found',
            f"{child}/c3/m/run": 'Child component "c3" not found',  # a grandchild
            f"{child}/c1/m/hidden": 'Child component "c1" does not export m.hidden',
            f"{child}/c1/c3/m/run": 'Child component "c1" does not export c3.m.run',
            f"{child}/c1/m": 'Child component "c1" does not export m',
            "_reference/parent/m/run": "Couldn't resolve _reference/parent/m/run",
        }
        await redeploy(engine)
        for reference, text in refused.items():
            told = (await engine.mutation("m:reach", {"target": {"reference": reference}})).value
            assert told.startswith(text), (reference, told)
        assert told == "Couldn't resolve _reference/parent/m/run"
        typo = {"reference": f"{child}/c1/m/rum"}
        told = (await engine.mutation("m:reach", {"target": typo})).value
        assert told == 'Child component "c1" does not export m.rum. Did you mean `m.run`?'
        for handle, text in {
            "function://nothing#m:run": "Function handle not found",
            "nothing": "Invalid function handle nothing",
        }.items():
            told = (await engine.mutation("m:reach", {"target": {"functionHandle": handle}})).value
            assert text in told
        assert (await engine.mutation("m:reach", {"target": {"name": "m:hidden"}})).value == "reached"


async def test_limits_of_a_call_hold_for_whatever_it_does_in_other_components(tmp_path: Path) -> None:
    async with running_tree(tmp_path, tree_world(), CHAIN) as engine:
        world = engine.world

        @world.mutation("m:limited")
        async def limited(run: ScriptedRun, args: Json) -> list[Any]:
            call = {
                "udfType": "mutation",
                "reference": "_reference/childComponent/c1/m/run",
                "args": {"steps": args["steps"]},
                "transactionLimits": {"documentsWritten": 2},
            }
            await run.insert("t", n=0)
            try:
                told = [await run.call("1.0/runUdf", call)]
            except CallFailed as failed:
                told = [failed.error["message"]]
            # The limits end with the call, and what was rolled back counts no more.
            for n in range(3):
                await run.insert("t", n=n)
            metrics = await run.call("1.0/getTransactionMetrics")
            return [*told, metrics["documentsWritten"]["used"]]

        await redeploy(engine)
        two = through(2, {"do": "insert", "n": 1}, {"do": "insert", "n": 2})
        three = through(2, *({"do": "insert", "n": n} for n in range(3)))
        assert (await engine.mutation("m:limited", {"steps": [two]})).value == [[[]], 6.0]
        refused, used = (await engine.mutation("m:limited", {"steps": [three]})).value
        assert "Too many writes in a single function execution (limit: 3)" in refused
        assert used == 4.0


async def test_metrics_of_a_component_count_what_its_callers_used(tmp_path: Path) -> None:
    async with running_tree(tmp_path, tree_world(), CHAIN) as engine:
        world = engine.world

        async def counting(run: ScriptedRun, args: Json) -> list[Any]:
            await run.insert("t", n=1)
            used = (await run.call("1.0/getTransactionMetrics"))["documentsWritten"]["used"]
            if not args["down"]:
                return [used]
            [next, *rest] = args["down"]
            reference = f"_reference/childComponent/c{int(next)}/m/counting"
            call = {"udfType": "mutation", "reference": reference, "args": {"down": rest}}
            return [used, *await run.call("1.0/runUdf", call)]

        world.mutation("m:counting")(counting)
        await redeploy(engine)
        assert (await engine.mutation("m:counting", {"down": [1, 2, 3]})).value == [1.0, 2.0, 3.0, 4.0]


async def test_one_commit_has_one_timestamp_in_all_components(tmp_path: Path) -> None:
    async with running_tree(tmp_path, tree_world(), CHAIN) as engine:
        world = engine.world
        placeholder = {"$commitTs": None}

        async def stamp(run: ScriptedRun, args: Json) -> Any:
            await run.insert("t", at=placeholder)
            if args["down"]:
                [next, *rest] = args["down"]
                reference = f"_reference/childComponent/c{int(next)}/m/stamp"
                call = {
                    "udfType": "mutation",
                    "reference": reference,
                    "args": {"down": rest, "at": placeholder},
                }
                return await run.call("1.0/runUdf", call)
            # The placeholder of a caller is this transaction's own.
            await run.insert("t", at=args["at"])
            return placeholder

        world.mutation("m:stamp")(stamp)
        await redeploy(engine)
        result = await engine.mutation("m:stamp", {"down": [1, 2, 3]})
        assert result.error is None, result.error
        query = {"source": {"type": "FullTableScan", "tableName": "t", "order": "asc"}, "operators": []}
        tx = engine.database.begin()
        ids = ["", *engine.runner.active.deployment.components]
        stamps = [row.value["at"] for id in ids for row in await tx.view(id).query(query).collect()]
        assert len(stamps) == 5
        assert {*stamps, result.value} == {stamps[0]}
        assert int(stamps[0]) == result.ts


async def test_nobody_is_known_in_a_component_and_the_caller_again_behind_it(tmp_path: Path) -> None:
    async with running_tree(tmp_path, tree_world(), CHAIN) as engine:
        world = engine.world

        async def who(run: ScriptedRun, args: Json) -> list[Any]:
            identity = await run.call("1.0/getUserIdentity")
            name = None if identity is None else identity["name"]
            if not args["targets"]:
                return [name]
            [target, *rest] = args["targets"]
            call = {"udfType": "mutation", "args": {"targets": rest}, **target}
            return [name, *await run.call("1.0/runUdf", call)]

        world.mutation("m:who")(who)
        await redeploy(engine)
        home = engine.runner.handles.handle("", parse_path("m:who"))
        targets = [
            {"reference": "_reference/childComponent/c1/m/who"},
            {"reference": "_reference/childComponent/c2/m/who"},
            {"functionHandle": home},
        ]
        ann = Identity.user({"name": "Ann", "tokenIdentifier": "i|a", "issuer": "i", "subject": "a"})
        told = (await engine.mutation("m:who", {"targets": targets}, ann)).value
        assert told == ["Ann", None, None, "Ann"]


async def test_a_component_that_is_written_elsewhere_is_nobody_elses_conflict(tmp_path: Path) -> None:
    """A live query is run again for the namespace it read, and not for one with the same code and numbers."""
    async with running_tree(tmp_path, tree_world(), [0, 0]) as engine:
        touched: list[str] = []
        look = {
            "steps": [
                {
                    **through(1, {"do": "look"}),
                    "kind": "query",
                    "reference": "_reference/childComponent/c1/m/look",
                }
            ]
        }
        live = engine.live("m:look", look, on_invalid=lambda: touched.append("again"))
        try:
            await engine.mutation("m:run", {"steps": [through(1), through(2, {"do": "insert", "n": 1})]})
            assert (await engine.now(live)).value == [[[]]]
            await engine.mutation("m:run", {"steps": [through(2, {"do": "insert", "n": 2})]})
            await engine.mutation("m:run", {"steps": [{"do": "insert", "n": 2}]})
            assert touched == []
            await engine.mutation("m:run", {"steps": [through(1, {"do": "insert", "n": 3})]})
            assert touched == ["again"]
            assert (await engine.now(live)).value == [[[3.0]]]
        finally:
            live.close()


async def test_in_one_component_only_those_conflict_who_read_what_others_write(tmp_path: Path) -> None:
    """Different documents of it may be written at once, and a stale snapshot is nobody's conflict."""
    async with running_tree(tmp_path, tree_world(), [0]) as engine:
        world = engine.world
        attempts: list[str] = []

        @world.mutation("m:outer")
        async def outer(run: ScriptedRun, args: Json) -> Any:
            attempts.append(args["name"])
            told = await run.call("1.0/runUdf", args["first"])
            if attempts.count(args["name"]) == 1:  # somebody else commits in between
                await engine.mutation("m:run", {"steps": [args["meanwhile"]]})
            await run.insert("t", n=0)
            return told

        @world.query("m:ids")
        async def ids(run: ScriptedRun, args: Json) -> list[str]:
            return [row["_id"] for row in await run.all("t")]

        await redeploy(engine)
        await engine.mutation("m:run", {"steps": [through(1, *({"do": "insert", "n": n} for n in range(4)))]})
        child = "_reference/childComponent/c1/m/"
        call = {"name": "ids", "first": {"udfType": "query", "reference": f"{child}ids", "args": {}}}
        last = {"do": "insert", "n": 4}
        told = (await engine.mutation("m:outer", {**call, "meanwhile": through(1, last)})).value
        assert len(told) == 5
        assert attempts == ["ids", "ids"]  # it had read the table that the other one wrote to

        attempts.clear()
        look = {"udfType": "snapshotQuery", "args": {"steps": [{"do": "look"}]}}
        (component,) = engine.runner.active.deployment.components.values()
        handle = engine.runner.handles.handle(component.id, parse_path("m:look"))
        stale = {"name": "stale", "first": {**look, "functionHandle": handle}}
        assert (await engine.mutation("m:outer", {**stale, "meanwhile": through(1, last)})).error is None
        assert attempts == ["stale"]

        attempts.clear()
        remove = {"udfType": "mutation", "reference": f"{child}run"}
        one, other = told[0], told[1]
        apart = {
            "name": "apart",
            "first": {**remove, "args": {"steps": [{"do": "remove", "id": one}]}},
            "meanwhile": through(1, {"do": "remove", "id": other}),
        }
        assert (await engine.mutation("m:outer", apart)).value == ["removed"]
        assert attempts == ["apart"]
