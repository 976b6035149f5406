"""The query JSON, as the npm library builds it (js-runtime 3.1 and A.1), and the rules of query objects."""

from __future__ import annotations

import json
from typing import Any

import pytest

from authoring.recorder import Recorder
from parabola import UNDEFINED, Int64, QueryCtx, SyncQueryCtx
from parabola.authoring.query_builder import Query
from parabola.values.encoding import normalize
from parabola.values.errors import BadRequest, InvalidValue


def query(recorder: Recorder | None = None) -> Query:
    return QueryCtx(recorder or Recorder("query")).db.query("messages")


async def built(make: Any) -> Any:
    """The query that goes out when `make` has chained its calls."""
    recorder = Recorder("query")
    await make(query(recorder)).collect()
    return recorder.calls[0][1]["query"]


def source(**fields: Any) -> dict[str, Any]:
    return {"type": "FullTableScan", "tableName": "messages", "order": None, **fields}


async def test_recorded_sources() -> None:
    assert await built(lambda q: q) == {"source": source(), "operators": []}
    assert await built(lambda q: q.full_table_scan().order("desc")) == {
        "source": source(order="desc"),
        "operators": [],
    }
    made = await built(
        lambda q: q.with_index("by_channel", lambda r: r.eq("channel", "c").gt("n", 3).lte("n", 10)).order(
            "desc"
        )
    )
    assert made["source"] == {
        "type": "IndexRange",
        "indexName": "messages.by_channel",
        "range": [
            {"type": "Eq", "fieldPath": "channel", "value": "c"},
            {"type": "Gt", "fieldPath": "n", "value": 3},
            {"type": "Lte", "fieldPath": "n", "value": 10},
        ],
        "order": "desc",
    }
    made = await built(lambda q: q.with_index("by_channel", lambda r: r.eq("channel", UNDEFINED)))
    assert made["source"]["range"] == [{"type": "Eq", "fieldPath": "channel", "value": {"$undefined": None}}]
    made = await built(lambda q: q.with_index("by_creation_time").order("desc"))
    assert made["source"] == {
        "type": "IndexRange",
        "indexName": "messages.by_creation_time",
        "range": [],
        "order": "desc",
    }
    made = await built(
        lambda q: q.with_search_index(
            "search_body", lambda s: s.search("body", "hello wor").eq("channel", "c").eq("opt", UNDEFINED)
        )
    )
    assert made["source"] == {
        "type": "Search",
        "indexName": "messages.search_body",
        "filters": [
            {"type": "Search", "fieldPath": "body", "value": "hello wor"},
            {"type": "Eq", "fieldPath": "channel", "value": "c"},
            {"type": "Eq", "fieldPath": "opt", "value": {"$undefined": None}},
        ],
    }


async def test_the_recorded_filter() -> None:
    recorder = Recorder("query")
    await (
        query(recorder)
        .filter(
            lambda q: q.and_(
                q.eq(q.field("a.b"), 1),
                q.or_(
                    q.neq(q.field("c"), UNDEFINED),
                    q.lt(q.field("n"), Int64(10)),
                    q.not_(q.gte(q.field("x"), "s")),
                ),
            )
        )
        .filter(lambda q: q.gt(q.add(q.field("n"), 1), q.neg(2)))
        .take(3)
    )
    (line,) = recorder.traffic
    assert line == (
        'queryStreamNext {"queryId":0,"query":{"source":{"type":"FullTableScan","tableName":"messages",'
        '"order":null},"operators":[{"filter":{"$and":[{"$eq":[{"$field":"a.b"},{"$literal":1}]},{"$or":[{"$neq":[{"$field":"c"},'
        '{"$literal":{"$undefined":null}}]},{"$lt":[{"$field":"n"},{"$literal":{"$integer":"CgAAAAAAAAA="}}]},{"$not":'
        '{"$gte":[{"$field":"x"},{"$literal":"s"}]}}]}]}},{"filter":{"$gt":[{"$add":[{"$field":"n"},{"$literal":1}]},'
        '{"$neg":{"$literal":2}}]}},{"limit":3}]},"batch":3,"consumed":0}'
    )


@pytest.mark.parametrize("name", ["eq", "neq", "lt", "lte", "gt", "gte", "add", "sub", "mul", "div", "mod"])
async def test_every_binary_operator(name: str) -> None:
    made = await built(lambda q: q.filter(lambda f: getattr(f, name)(f.field("a"), [1, {"b": None}])))
    assert made["operators"] == [{"filter": {f"${name}": [{"$field": "a"}, {"$literal": [1, {"b": None}]}]}}]


async def test_expressions_are_compared_with_the_builder() -> None:
    for compare in (lambda f: f.field("a") == 3, lambda f: f.field("a") == 3):
        with pytest.raises(TypeError, match=r"Compare with q\.eq"):
            await built(lambda q, compare=compare: q.filter(compare))
    with pytest.raises(TypeError, match=r"Compare with q\.neq"):
        await built(lambda q: q.filter(lambda f: f.field("a") != 3))


async def test_a_query_given_back_without_collect_is_named() -> None:
    with pytest.raises(InvalidValue, match=r"Did you forget \.collect"):
        normalize(query())


async def test_a_constant_is_a_filter_and_expressions_have_no_truth_value() -> None:
    assert (await built(lambda q: q.filter(lambda f: True)))["operators"] == [{"filter": {"$literal": True}}]
    with pytest.raises(TypeError, match="has no truth value"):
        query().filter(lambda f: f.eq(f.field("a"), 1) and f.eq(f.field("b"), 2))
    with pytest.raises(InvalidValue):
        query().filter(lambda f: f.eq(f.field("a"), object()))


async def test_pages() -> None:
    recorder = Recorder("query")
    page = await query(recorder).order("desc").paginate({"numItems": 2, "cursor": None})
    assert page == {
        "page": [],
        "isDone": True,
        "continueCursor": "c",
        "splitCursor": None,
        "pageStatus": None,
    }
    head = (
        '{"query":{"source":{"type":"FullTableScan","tableName":"messages","order":"desc"},"operators":[]},'
    )
    assert recorder.traffic == [
        f'queryPage {head}"cursor":null,"endCursor":null,"pageSize":2,"maximumRowsRead":null,'
        '"version":"1.48.0"}'
    ]
    options = {
        "numItems": 2.0,
        "cursor": "cur",
        "endCursor": "end",
        "maximumRowsRead": 7,
        "maximumBytesRead": 1000,
    }
    await query(recorder).order("desc").paginate({**options, "id": 3})
    assert recorder.traffic == [
        f'queryPage {head}"cursor":"cur","endCursor":"end","pageSize":2,"maximumRowsRead":7,'
        '"maximumBytesRead":1000,"version":"1.48.0"}'
    ]
    await query(recorder).paginate(num_items=5, cursor="x", maximum_rows_read=9)
    assert json.loads(recorder.traffic[0].partition(" ")[2])["maximumRowsRead"] == 9
    for bad in (-1, None, "3", True):
        with pytest.raises(BadRequest, match=r"`options\.numItems` must be a positive number\. Received"):
            await query().paginate({"numItems": bad, "cursor": None})


async def test_count() -> None:
    recorder = Recorder("query")
    assert await query(recorder).count() == 3
    assert recorder.traffic == ['count {"table":"messages"}']
    with pytest.raises(BadRequest, match="counts whole tables"):
        await query().order("asc").count()


def rows(*numbers: int) -> list[dict[str, Any]]:
    return [{"_id": f"id{n}", "n": n} for n in numbers]


async def test_first_unique_and_take() -> None:
    recorder = Recorder("query", [{"values": rows(1), "done": True}, {"values": [], "done": True}])
    assert await query(recorder).first() == {"_id": "id1", "n": 1.0}
    assert await query(recorder).first() is None
    assert [args["query"]["operators"] for _, args in recorder.calls] == [[{"limit": 1}]] * 2
    recorder = Recorder("query", [{"values": rows(1, 2), "done": True}, {"values": rows(1), "done": True}])
    with pytest.raises(BadRequest) as caught:
        await query(recorder).unique()
    assert str(caught.value) == (
        "unique() query returned more than one result from table messages:\n [id1, id2, ...]"
    )
    assert await query(recorder).unique() == {"_id": "id1", "n": 1.0}
    assert await query(Recorder("query")).take(0) == []
    for bad in (-1, 1.5, "2", None, float("nan"), float("inf")):
        with pytest.raises(BadRequest, match="Arg 1 `n` to `take` must be a non-negative integer"):
            await query().take(bad)


async def test_collect_goes_on_until_the_engine_says_done() -> None:
    answers = [{"values": rows(1, 2), "done": False}, {"values": rows(3), "done": True}]
    recorder = Recorder("query", answers)
    assert [row["n"] for row in await query(recorder).collect()] == [1, 2, 3]
    assert [(args["batch"], args["consumed"]) for _, args in recorder.calls] == [(1024, 0), (1024, 2)]
    assert "query" not in recorder.calls[1][1]
    assert recorder.streams[0].cleanup_args() is None


async def test_an_abandoned_iteration_gives_back_what_it_did_not_take() -> None:
    recorder = Recorder("query", [{"values": rows(1, 2, 3), "done": False}])
    async for row in query(recorder):
        assert row["n"] == 1
        break
    assert recorder.streams[0].cleanup_args() == {"queryId": 0, "consumed": 1}
    assert recorder.streams[0].cleanup_args() is None


async def test_a_query_is_used_once() -> None:
    chained = query()
    chained.order("asc")
    with pytest.raises(BadRequest, match="has been chained with another operator and can't be reused"):
        chained.order("desc")
    with pytest.raises(BadRequest, match="has been chained with another operator and can't be reused"):
        await chained.collect()
    used = query()
    await used.collect()
    with pytest.raises(BadRequest, match="This query is closed and can't emit any more values"):
        await used.first()
    with pytest.raises(
        BadRequest, match="can only be chained once and can't be chained after iteration begins"
    ):
        used.filter(lambda q: True)
    iterated = query()
    assert [row async for row in iterated] == []
    assert [row async for row in iterated] == []


async def test_orders_and_builders_are_used_properly() -> None:
    with pytest.raises(BadRequest, match="Queries may only specify order at most once"):
        query().order("asc").order("asc")
    with pytest.raises(BadRequest, match='is "asc" or "desc"'):
        query().order("up")  # type: ignore[arg-type]
    with pytest.raises(BadRequest, match="Search queries must always be in relevance order"):
        query().with_search_index("s", lambda q: q.search("a", "b")).order("asc")
    with pytest.raises(BadRequest, match="comes first"):
        query().order("asc").with_index("i")
    with pytest.raises(BadRequest, match="must return what it built"):
        query().with_index("i", lambda q: None)  # type: ignore[arg-type,return-value]

    with pytest.raises(BadRequest, match=r"must return what it built: `lambda q: q.search\('field', text\)`"):
        query().with_search_index("s", lambda q: None)  # type: ignore[arg-type,return-value]

    def twice(q: Any) -> Any:
        q.eq("a", 1)
        return q.eq("b", 2)

    with pytest.raises(BadRequest, match="IndexRangeBuilder has already been used! Chain your method calls"):
        query().with_index("i", twice)


async def test_there_are_at_most_256_operators() -> None:
    made = query()
    for _ in range(256):
        made = made.filter(lambda q: True)
    with pytest.raises(BadRequest, match="Can't construct query with more than 256 operators"):
        made.filter(lambda q: True)
    with pytest.raises(BadRequest, match="Can't construct query with more than 256 operators"):
        await made.first()


async def test_tables_and_system_tables_have_their_own_reader() -> None:
    db = QueryCtx(Recorder("query")).db
    with pytest.raises(BadRequest, match=r"System tables can only be accessed from db.system.query\(\)."):
        db.query("_storage")
    with pytest.raises(BadRequest, match=r"User tables can only be accessed from db.query\(\)."):
        db.system.query("messages")
    assert await db.system.query("_storage").collect() == []


def test_plain_functions_wait_for_the_same_queries() -> None:
    waited: list[str] = []

    def wait(awaitable: Any) -> Any:
        waited.append(awaitable.__name__)
        awaitable.close()
        return [] if awaitable.__name__ == "_rows" else None

    db = SyncQueryCtx(Recorder("query"), wait).db
    assert db.query("t").with_index("i").filter(lambda q: True).collect() == []
    db.query("t").take(1), db.query("t").first(), db.query("t").unique(), db.query("t").paginate(num_items=1)
    db.query("t").count(), list(db.query("t"))
    assert waited == ["_rows", "_take", "_rows", "_rows", "_paginate", "_count", "_next"]
