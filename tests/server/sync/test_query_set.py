"""What a client holds: messages change it, commits make it stale, results are told once."""

from __future__ import annotations

import pytest
from msgspec import Raw

from parabola.functions.outcomes.failures import FunctionFailure
from parabola.functions.outcomes.results import FunctionResult
from parabola.server.sync.effects import POSTPONED
from parabola.server.sync.failures import BaseVersionMismatch, ProtocolViolation
from parabola.server.sync.messages import Add, ModifyQuerySet, Remove
from parabola.server.sync.query_set import QuerySet
from server.session_driver import value


def add(query_id: int, journal: str | None = None) -> Add:
    return Add(query_id=query_id, udf_path="a:b", args_json=Raw(b"[{}]"), journal=journal)


def modified(*modifications: Add | Remove) -> QuerySet:
    queries = QuerySet()
    queries.modify(ModifyQuerySet(0, 1, list(modifications)))
    return queries


def ids(queries: QuerySet, *, all_anew: bool = False) -> tuple[list[int], list[int]]:
    stale, dropped = queries.begin(all_anew=all_anew)
    return [query.query_id for query in stale], dropped


def test_what_is_added_must_run_once():
    queries = modified(add(1), add(2))
    assert ids(queries) == ([1, 2], [])
    assert ids(queries) == ([], [])


def test_what_a_commit_touched_must_run_again():
    queries = modified(add(1), add(2))
    ids(queries)
    assert queries.invalidate(2)
    assert not queries.invalidate(3)
    assert ids(queries) == ([2], [])


def test_everything_is_dropped_and_run_for_another_identity():
    queries = modified(add(1), add(2))
    ids(queries)
    assert ids(queries, all_anew=True) == ([1, 2], [1, 2])


def test_what_is_removed_is_dropped_and_told_once():
    queries = modified(add(1))
    ids(queries)
    queries.modify(ModifyQuerySet(1, 2, [Remove(1)]))
    assert ids(queries) == ([], [1])
    assert queries.finish({})[0] == [(b'{"type":"QueryRemoved","queryId":1}',)]
    assert queries.finish({})[0] == []
    assert not queries.invalidate(1)


def test_a_journal_goes_into_the_next_run_and_survives_a_failure():
    queries = modified(add(1, "from the client"))
    [query], _ = queries.begin(all_anew=False)
    assert query.journal == "from the client"
    queries.finish({1: value("x", journal="j1")})
    assert query.journal == "j1"
    queries.finish({1: FunctionResult(error=FunctionFailure("no"))})
    assert query.journal == "j1"


def test_a_result_is_told_when_it_is_new():
    queries = modified(add(1))
    ids(queries)
    assert len(queries.finish({1: value("x")})[0]) == 1
    assert queries.finish({1: value("x")})[0] == []
    assert len(queries.finish({1: value("y")})[0]) == 1


def test_a_postponed_query_stays_stale():
    queries = modified(add(1))
    ids(queries)
    assert queries.finish({1: POSTPONED}) == ([], True)
    assert ids(queries) == ([1], [])


def test_versions_must_join_up_and_grow():
    queries = modified(add(1))
    with pytest.raises(BaseVersionMismatch):
        queries.modify(ModifyQuerySet(0, 1, []))
    with pytest.raises(ProtocolViolation):
        queries.modify(ModifyQuerySet(1, 1, []))
    assert queries.version == 1


@pytest.mark.parametrize("modifications", [[add(1), add(1)], [Remove(1)], [add(1), Remove(1), Remove(1)]])
def test_what_makes_no_sense_is_refused(modifications: list[Add | Remove]):
    with pytest.raises(ProtocolViolation):
        modified(*modifications).begin(all_anew=False)
