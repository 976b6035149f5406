"""Index keys, and that every index holds exactly the keys of the live documents after any writes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from database.stores import collect, create_index, insert, opened, range_of
from parabola.database.commits.write_set import changed_keys
from parabola.database.model.indexes import Index, id_key, prefix_interval
from parabola.database.model.intervals import Interval
from parabola.values.int64 import Int64
from parabola.values.ordering import compare, encode_key
from parabola.values.placeholders import UNDEFINED

# Keys

DOCUMENT: dict[str, Any] = {
    "_id": "abc",
    "_creationTime": 5.0,
    "a": 1.0,
    "o": {"x": {"y": "deep"}},
    "l": [1.0],
}


def key(*fields: str) -> bytes:
    return Index(1, 1, "i", fields).key(DOCUMENT)


def test_a_key_is_the_indexed_values_and_then_the_id() -> None:
    assert key("a", "_creationTime") == encode_key([1.0, 5.0, "abc"])
    assert key() == encode_key(["abc"]) == id_key("abc")


def test_a_path_leads_into_objects_and_to_undefined_elsewhere() -> None:
    assert key("o.x.y") == encode_key(["deep", "abc"])
    for path in ("o.x.z", "o.y.y", "a.x", "l.0", "missing", "missing.x"):
        assert key(path) == encode_key([UNDEFINED, "abc"]), path


def test_arrays_and_objects_are_indexed_as_a_whole() -> None:
    assert key("l", "o") == encode_key([[1.0], {"x": {"y": "deep"}}, "abc"])


def test_a_prefix_interval_holds_the_keys_that_begin_with_the_values() -> None:
    interval = prefix_interval([1.0])
    assert interval.contains(encode_key([1.0]))
    assert interval.contains(key("a", "_creationTime"))
    assert not interval.contains(encode_key([Int64(1), 5.0, "abc"]))
    assert not interval.contains(encode_key([1.0000000000000002, 5.0, "abc"]))


def test_a_range_may_constrain_the_fields_and_then_the_id() -> None:
    assert Index(1, 1, "i", ("a", "_creationTime")).range_fields == ("a", "_creationTime", "_id")


VALUES = st.sampled_from([1.0, 2.0, "x", None, {"x": 1.0}, {"x": "y"}])
BODIES = st.dictionaries(st.sampled_from(["a", "b", "o"]), VALUES)


@given(
    st.lists(
        st.sampled_from(
            [(), ("_creationTime",), ("a",), ("a", "_creationTime"), ("a", "b", "_creationTime")]
            + [("o.x", "_creationTime"), ("_creationTime", "a")]
        )
    ),
    st.none() | BODIES,
    st.none() | BODIES,
    st.booleans(),
    st.booleans(),
)
def test_the_keys_before_and_after_a_change_are_those_of_both_documents(
    paths: list[tuple[str, ...]],
    old: dict[str, Any] | None,
    new: dict[str, Any] | None,
    is_patch: bool,
    is_same_time: bool,
) -> None:
    time = 5.5
    before = None if old is None else {**old, "_id": "abc", "_creationTime": time}
    after = None if new is None else {**new, "_id": "abc", "_creationTime": time if is_same_time else 6.5}
    if before is not None and after is not None and is_patch:
        after = {**before, **after}
    indexes = [Index(number, 1, "i", fields) for number, fields in enumerate(paths)]
    assert changed_keys(indexes, "abc", before, after) == tuple(
        (index.index_id, before and index.key(before), after and index.key(after)) for index in indexes
    )


# Maintenance, against a naive model

FIELDS = ("a", "b", "o.x")
leaves = st.sampled_from([None, 1.0, 2.0, Int64(1), "s", True, UNDEFINED])
fields = st.fixed_dictionaries(
    {}, optional={"a": leaves, "b": leaves, "o": st.just({}) | st.fixed_dictionaries({"x": leaves})}
).map(lambda fields: {name: value for name, value in fields.items() if value is not UNDEFINED})
operations = st.lists(
    st.tuples(
        st.sampled_from(["insert", "patch", "patch", "replace", "delete", "commit", "commit", "abort"]),
        st.integers(0, 9),
        fields,
    ),
    max_size=25,
)


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _clean(item) for name, item in value.items() if item is not UNDEFINED}
    return value


@given(operations, st.booleans())
@settings(max_examples=40)
async def test_every_index_agrees_with_sorting_the_documents(
    steps: list[tuple[str, int, dict[str, Any]]], reopen: bool
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        async with opened(Path(directory)) as database:
            await create_index(database, "t", "by_a", "a")
            await create_index(database, "t", "by_b_a", "b", "a")
            await create_index(database, "t", "by_ox", "o.x")
            ids = await insert(database, "t", {"a": 1.0}, {"a": 2.0, "b": "s"}, {"o": {"x": None}}, {})
            committed = {id: (await database.begin().get(id)).value for id in ids}  # type: ignore[union-attr]
            tx, state = database.begin(writable=True), dict(committed)
            for operation, number, raw in steps:
                value = _clean(raw)
                chosen = sorted(state)[number % len(state)] if state else None
                if operation == "insert":
                    id = await tx.insert("t", value)
                    document = await tx.get(id)
                    assert document
                    state[id] = document.value
                elif operation == "commit":
                    await database.commit(tx)
                    committed = dict(state)
                    await check(database.begin(), committed)
                    tx = database.begin(writable=True)
                elif operation == "abort":
                    state = dict(committed)
                    tx = database.begin(writable=True)
                elif chosen is not None and operation == "delete":
                    await tx.delete(chosen)
                    del state[chosen]
                elif chosen is not None:
                    document = await getattr(tx, operation)(chosen, value)
                    state[chosen] = document.value
                await check(tx, state)
            await check(database.begin(), committed)
        if reopen:
            async with opened(Path(directory)) as database:
                await check(database.begin(), committed)


async def check(tx: Any, state: dict[str, dict[str, Any]]) -> None:
    paths = {"by_a": ["a"], "by_b_a": ["b", "a"], "by_ox": ["o.x"], "by_creation_time": [], "by_id": None}
    for name, declared in paths.items():
        fields = [] if declared is None else [*declared, "_creationTime"]
        for order in ("asc", "desc"):
            found = [d.value for d in await collect(tx, range_of(f"t.{name}", order=order))]
            expected = sorted(
                state.values(),
                key=lambda value: encode_key([*(at(value, path) for path in fields), value["_id"]]),
                reverse=order == "desc",
            )
            assert found == expected, (name, order)


def at(value: Any, path: str) -> Any:
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            return UNDEFINED
        value = value[name]
    return value


def test_keys_order_documents_as_their_values_order() -> None:
    smaller, larger = {"a": "x", "_creationTime": 9.0}, {"a": "x\0", "_creationTime": 1.0}
    index = Index(1, 1, "i", ("a", "_creationTime"))
    assert compare("x", "x\0") < 0
    assert index.key({**smaller, "_id": "z"}) < index.key({**larger, "_id": "a"})


async def test_an_index_on_a_missing_table_creates_it_empty(tmp_path: Path) -> None:
    async with opened(tmp_path) as database:
        index = await create_index(database, "fresh", "by_a", "a")
        assert await database.begin().scan(index, Interval.everything()) == []
        await insert(database, "fresh", {"a": 1.0})
        assert len(await collect(database.begin(), range_of("fresh.by_a"))) == 1
