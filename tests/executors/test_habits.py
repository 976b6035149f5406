"""What a function will ask for is foreseen where its runs have asked for it before, and to the letter."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parabola.executors.habits import MOST_WRITES, Foreseen, Habits, Sighting
from parabola.hosts.node import node_executable

Json = dict[str, Any]
Read = tuple[Json, Any]
"""A call, and the value that it has."""

MOST_READS = 16
MOST_VISITED = 256
LONGEST_CALL = 4096
LONGEST_PAUSE = 256


def written(value: Any) -> str:
    """As `JSON.stringify` writes it, of numbers that are neither very large nor very small."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, dict):
        fields = [f"{written(key)}:{written(each)}" for key, each in value.items()]
        return f"{{{','.join(fields)}}}"
    if isinstance(value, list):
        return f"[{','.join(map(written, value))}]"
    return json.dumps(value, ensure_ascii=False)


def get(number: int, id: Any, **more: Any) -> Json:
    return {"call": number, "op": "1.0/get", "args": {"id": id, **more}}


def rows(number: int, *values: Any, index: str = "t.by_n", **more: Any) -> Json:
    bounds = [{"type": "Eq", "fieldPath": f"f{at}", "value": value} for at, value in enumerate(values)]
    query = {"source": {"type": "IndexRange", "indexName": index, "range": bounds, "order": "asc"}}
    return {
        "call": number,
        "op": "1.0/queryStreamNext",
        "args": {"queryId": number - 1, "batch": 1, "consumed": 0, "query": {**query, **more}},
    }


def insert(table: str = "t") -> Json:
    return {"call": 9, "op": "1.0/insert", "args": {"table": table, "value": {"n": 1}}}


PATCH: Json = {"call": 9, "op": "1.0/shallowMerge", "args": {"id": "a", "value": {"n": 1}}}
DONE: Json = {"call": 9, "value": None}
FAILED: Json = {"call": 9, "error": {"message": "no"}}


def sighting_of(*reads: Read, writes: Sequence[tuple[Json, Json]] = ()) -> Sighting:
    sighting = Sighting()
    for call, value in reads:
        text = written(call).encode()
        message = b'{"type":"syscall","id":1,"calls":[%b]}' % text
        sighting.saw(orjson.loads(text), message, {"call": call["call"], "value": value})
    for call, reply in writes:
        sighting.saw(call, written(call).encode(), reply)
    return sighting


def learn(habits: Habits, arguments: Any, *reads: Read, writes: Sequence[tuple[Json, Json]] = ()) -> None:
    habits.learn(arguments, sighting_of(*reads, writes=writes))


def foreseen(habits: Habits, arguments: Any, *answers: Any) -> list[str]:
    """The texts that a run is foreseen to send, where its reads are answered like that."""
    run = habits.foresee(arguments)
    texts: list[str] = []
    while (text := run.next_text()) is not None:
        texts.append(text.decode())
        if len(texts) > len(answers):
            break
        run.found(answers[len(texts) - 1])
    return texts


def has_read(habits: Habits, used: int, count: int, run: Foreseen | None = None) -> None:
    """A run has been told so many answers, and has used the first of them."""
    told = run or habits.foresee({})
    for _ in range(count):
        told.found(None)
    told.used(used)
    if used < count:
        habits.look_again()


def knows(*runs: tuple[Any, Sequence[Read]]) -> Habits:
    habits = Habits()
    for arguments, reads in runs:
        learn(habits, arguments, *reads)
    return habits


def of_id(id: str, *, field: str = "id") -> tuple[Json, list[Read]]:
    """A run that reads what an argument names."""
    return {field: id}, [(get(1, id), {"_id": id})]


# ---- reads


def test_a_read_of_what_an_argument_names_is_foreseen_after_two_runs() -> None:
    habits = Habits()
    for id in ("a", "b"):
        assert foreseen(habits, {"id": "c"}) == []
        arguments, reads = of_id(id)
        learn(habits, arguments, *reads)
    assert foreseen(habits, {"id": "c"}) == ['{"call":1,"op":"1.0/get","args":{"id":"c"}}']


def test_a_read_by_index_is_foreseen_of_an_argument_within_others() -> None:
    habits = knows(
        *(
            ({"room": {"name": name}, "more": [1, number]}, [(rows(1, name, number), {"values": []})])
            for name, number in (("red", 4), ("blue", 5))
        )
    )
    arguments = {"more": [1, 7.5], "room": {"name": "green"}}
    assert foreseen(habits, arguments) == [written(rows(1, "green", 7.5))]


def test_reads_are_foreseen_of_what_earlier_ones_have_answered() -> None:
    def run(name: str, owner: str, team: str) -> tuple[Json, list[Read]]:
        first = {"values": [{"_id": f"{name}1", "owner": owner}, {"owner": "else"}], "done": True}
        return {"name": name}, [
            (rows(1, name), first),
            (get(2, owner), {"_id": owner, "in": {"team": team}}),
            (get(3, team), None),
        ]

    habits = knows(run("n", "o", "p"), run("q", "r", "s"))
    arguments, reads = run("x", "y", "z")
    texts = [written(call) for call, _ in reads]
    answers = [value for _, value in reads]
    assert foreseen(habits, arguments, *answers) == texts
    assert foreseen(habits, arguments) == texts[:1]
    assert foreseen(habits, arguments, answers[0]) == texts[:2]
    assert foreseen(habits, arguments, {"values": [], "done": True}) == texts[:1]
    assert foreseen(habits, arguments, answers[0], None) == texts[:2]


def test_what_is_always_the_same_is_foreseen_without_a_source() -> None:
    call = rows(1, "open", 3, index="t.by_state", operators=[{"limit": 10}, {"filter": True, "or": None}])
    habits = knows(*(({"at": at}, [(call, {"values": []})]) for at in ("x", "y")))
    assert foreseen(habits, {}) == [written(call)]


def test_what_was_equal_by_coincidence_is_unlearned() -> None:
    def run(amount: str, payer: str) -> tuple[Json, list[Read]]:
        return {"amount": amount, "payer": payer}, [(rows(1, payer), {"values": []})]

    habits = knows(run("7", "7"), run("7", "7"))
    assert foreseen(habits, {"amount": "1", "payer": "2"}) == [written(rows(1, "1"))]
    learn(habits, *_spread(run("1", "2")))
    assert foreseen(habits, {"amount": "3", "payer": "4"}) == [written(rows(1, "4"))]


def test_a_constant_by_coincidence_is_unlearned() -> None:
    habits = knows(of_id("a"), of_id("a"), of_id("b"))
    assert foreseen(habits, {"id": "c"}) == [written(get(1, "c"))]
    assert foreseen(habits, {}) == []


def test_a_text_and_a_number_are_not_one_value() -> None:
    habits = knows(*(({"text": str(n), "number": float(n)}, [(rows(1, n), {"values": []})]) for n in (1, 2)))
    assert foreseen(habits, {"text": "5", "number": 6.0}) == [written(rows(1, 6))]


@pytest.mark.parametrize(
    "other",
    [
        get(1, "b", isSystem=False),
        get(2, "b"),
        {**get(1, "b"), "op": "1.0/queryStreamNext", "args": {"query": {}}},
        get(1, ["b"]),
        get(1, None),
        rows(1, "b"),
    ],
)
def test_a_call_in_another_shape_is_another_call(other: Json) -> None:
    habits = knows(of_id("a"))
    learn(habits, {"id": "b"}, (other, None))
    assert foreseen(habits, {"id": "c"}) == []
    learn(habits, *_spread(of_id("d")))
    assert foreseen(habits, {"id": "c"}) == [written(get(1, "c"))]


def test_what_comes_instead_for_good_is_learned_in_its_place() -> None:
    habits = knows(*map(of_id, "abcd"))
    for _ in range(12):
        learn(habits, {"id": "e"}, (rows(1, "e"), None), (get(2, "e"), None))
    assert foreseen(habits, {"id": "e"}, None) == [written(rows(1, "e")), written(get(2, "e"))]


def test_a_value_that_is_made_of_others_ends_what_is_foreseen() -> None:
    def run(a: int) -> tuple[Json, list[Read]]:
        return {"a": a}, [(rows(1, a), {"values": []}), (rows(2, a + 1), {"values": []}), (get(3, "x"), None)]

    habits = knows(*map(run, (3, 10, 20, 30)))
    assert foreseen(habits, {"a": 5}, {"values": []}, {"values": []}) == [written(rows(1, 5))]


def test_an_answer_is_no_source_of_what_was_asked_for_it() -> None:
    def run(a: str) -> tuple[Json, list[Read]]:
        return {"a": a}, [(get(1, f"{a}!"), {"_id": f"{a}!"})]

    assert foreseen(knows(*map(run, "abc")), {"a": "d"}) == []


@pytest.mark.parametrize("value", [None, True, {}, [], {"id": "a"}, ["a"]])
def test_what_is_no_text_and_no_number_ends_what_is_foreseen(value: Any) -> None:
    habits = knows(of_id("a"), of_id("b"))
    assert foreseen(habits, {"id": value}) == []


@pytest.mark.parametrize("arguments", [None, "id", 7, [], {"other": "a"}])
def test_arguments_of_another_shape_end_what_is_foreseen(arguments: Any) -> None:
    assert foreseen(knows(of_id("a"), of_id("b")), arguments) == []


def test_only_the_first_reads_are_foreseen() -> None:
    count = MOST_READS + 3
    run = [(get(at + 1, "a"), None) for at in range(count)]
    assert len(foreseen(knows(({}, run), ({}, run)), {}, *[None] * count)) == MOST_READS


def test_what_is_far_into_the_arguments_is_no_source() -> None:
    def run(value: str, before: int) -> tuple[Json, list[Read]]:
        return {"before": list(range(before)), "value": value}, [(rows(1, value), None)]

    for before, is_known in ((MOST_VISITED - 3, True), (MOST_VISITED - 2, False)):
        habits = knows(run("a", before), run("b", before))
        assert bool(foreseen(habits, run("c", before)[0])) is is_known


def test_long_calls_are_not_foreseen() -> None:
    for extra, is_known in ((0, True), (1, False)):
        short = LONGEST_CALL - len(written(rows(1, "")))
        call = rows(1, "x" * (short + extra))
        assert bool(foreseen(knows(({}, [(call, None)]), ({}, [(call, None)])), {})) is is_known


def test_a_call_that_is_written_in_another_way_is_not_foreseen() -> None:
    for text, is_known in ((b'{"call":1,"op":"1.0/get","args":{"id":"a"}}', True), (b'{"call": 1}', False)):
        habits = Habits()
        for _ in range(3):
            sighting = Sighting()
            sighting.saw(get(1, "a"), b"[%b]" % text, {"value": None})
            habits.learn({}, sighting)
        assert bool(foreseen(habits, {})) is is_known


def test_a_read_that_failed_is_not_foreseen_nor_is_what_comes_after_it() -> None:
    habits = Habits()
    for id in ("a", "b"):
        sighting = sighting_of((get(1, id), None))
        sighting.saw(get(2, id), written(get(2, id)).encode(), {"error": {"message": "no"}})
        sighting.saw(get(3, "c"), written(get(3, "c")).encode(), {"value": {}})
        habits.learn({"id": id}, sighting)
    answers: list[Any] = [{}, {}, {}]
    assert foreseen(habits, {"id": "d"}, *answers) == [written(get(1, "d"))]


def _spread(run: tuple[Any, Sequence[Read]]) -> Iterator[Any]:
    yield run[0]
    yield from run[1]


# ---- what is seen of a run


def test_reads_before_the_first_write_are_noted_with_what_they_were_answered() -> None:
    sighting = sighting_of(
        (get(1, "a"), {"n": 1}),
        (rows(2, "b"), {"values": [], "done": False}),
        ({"call": 3, "op": "1.0/queryStreamNext", "args": {"queryId": 1, "batch": 1}}, {"values": []}),
        ({"call": 4, "op": "1.0/queryCleanup", "args": {"queryId": 1, "consumed": 0}}, None),
        (get(5, "c"), None),
        writes=[(PATCH, DONE), (get(6, "d"), DONE), (insert("u"), DONE)],
    )
    assert [seen.call["call"] for seen in sighting.reads] == [1, 2, 5]
    assert sighting.answers == [{"n": 1}, {"values": [], "done": False}, None]
    assert (sighting.writes, sighting.failed, sighting.inserts) == (2, False, {"u": 1})


def test_a_write_that_was_refused_is_noted_as_one() -> None:
    sighting = sighting_of(writes=[(insert(), DONE), (insert(), FAILED), (PATCH, DONE)])
    assert (sighting.writes, sighting.failed, sighting.inserts) == (3, True, {"t": 2})


# ---- trust


def test_what_was_foreseen_in_vain_is_foreseen_no_more_and_tried_again_much_later() -> None:
    habits = knows(of_id("a"), of_id("b"))
    for _ in range(2):
        assert foreseen(habits, {"id": "c"})
        has_read(habits, 0, 1)
    tries = [bool(foreseen(habits, {"id": "c"})) for _ in range(1000)]
    assert not any(tries[:100])
    assert 1 <= sum(tries) <= 10


def test_trust_is_given_again_to_what_is_right_when_it_is_tried() -> None:
    habits = knows(of_id("a"), of_id("b"))
    for _ in range(4):
        has_read(habits, 0, 1)
    for _ in range(100_000):
        if foreseen(habits, {"id": "c"}):
            has_read(habits, 1, 1)
    assert all(foreseen(habits, {"id": "c"}) for _ in range(3))


def test_one_in_vain_out_of_many_is_no_reason_for_doubt() -> None:
    habits = knows(of_id("a"), of_id("b"))
    for at in range(2000):
        assert foreseen(habits, {"id": "c"})
        has_read(habits, int(at % 10 > 0), 1)


def test_what_was_long_right_is_soon_in_doubt_when_it_has_changed() -> None:
    habits = knows(of_id("a"), of_id("b"))
    for _ in range(100_000):
        has_read(habits, 1, 1)
    for _ in range(100):
        has_read(habits, 0, 1)
    assert not foreseen(habits, {"id": "c"})


def test_doubt_is_about_the_first_read_that_was_not_made() -> None:
    reads: list[Read] = [(get(1, "a"), None), (get(2, "b"), None), (get(3, "c"), None)]
    habits = knows(({}, reads), ({}, reads))
    for _ in range(3):
        has_read(habits, 1, 3)
    assert foreseen(habits, {}, None, None, None) == [written(get(1, "a"))]


# ---- curiosity


def looked_at(habits: Habits, runs: int) -> list[int]:
    """Which ones are, of so many runs that are all alike."""
    seen = []
    for at in range(runs):
        if habits.is_curious():
            seen.append(at)
            learn(habits, *_spread(of_id("a")))
    return seen


def test_pauses_between_runs_that_are_looked_at_double_while_nothing_new_is_seen() -> None:
    seen = looked_at(Habits(), 2000)
    gaps = [after - before for before, after in pairwise(seen)]
    assert gaps[:2] == [1, 1]  # what was new in them
    pauses = [gap - 1 for gap in gaps[2:]]
    assert pauses[:10] == [1, 3, 7, 15, 31, 63, 127, 255, LONGEST_PAUSE, LONGEST_PAUSE]
    assert set(pauses[10:]) <= {LONGEST_PAUSE}


def test_there_is_no_pause_after_something_new() -> None:
    habits = Habits()
    looked_at(habits, 100)
    while not habits.is_curious():
        pass
    learn(habits, *_spread(of_id("b")))
    assert habits.is_curious()


def test_there_is_no_pause_after_something_was_foreseen_in_vain() -> None:
    habits = Habits()
    looked_at(habits, 100)
    has_read(habits, 1, 1)
    assert not habits.is_curious()
    has_read(habits, 0, 1)
    assert habits.is_curious()


def test_a_function_that_asks_for_nothing_is_seldom_looked_at() -> None:
    habits = Habits()
    count = 0
    for _ in range(1000):
        if habits.is_curious():
            count += 1
            learn(habits, {})
    assert count < 15
    assert foreseen(habits, {}) == []


# ---- writes


def test_writes_are_allowed_after_two_runs_whose_writes_have_succeeded() -> None:
    habits = Habits()
    learn(habits, {})
    for allowed in (0, 0, MOST_WRITES, MOST_WRITES):
        assert habits.writes_told() == allowed
        learn(habits, {}, writes=[(PATCH, DONE)])


def test_runs_that_fail_to_write_allow_none() -> None:
    habits = Habits()
    for _ in range(5):
        learn(habits, {}, writes=[(PATCH, DONE), (insert(), FAILED)])
    assert habits.writes_told() == 0


def test_writes_are_allowed_no_more_after_some_that_failed() -> None:
    by_run, by_answer = Habits(), Habits()
    for habits in (by_run, by_answer):
        for _ in range(2):
            learn(habits, {}, writes=[(PATCH, DONE)])
        assert habits.writes_told() == MOST_WRITES
    for _ in range(2):
        learn(by_run, {}, writes=[(PATCH, FAILED)])
        by_answer.has_written(False)
    assert by_run.writes_told() == by_answer.writes_told() == 0


def test_writes_are_allowed_again_when_they_succeed_where_they_are_tried() -> None:
    habits = Habits()
    for _ in range(2):
        learn(habits, {}, writes=[(PATCH, DONE)])
    for _ in range(4):
        habits.has_written(False)
    for _ in range(100_000):
        if habits.writes_told():
            habits.has_written(True)
    assert habits.writes_told() == MOST_WRITES


def test_inserts_are_counted_by_table_as_many_as_there_have_been_at_most() -> None:
    habits = Habits()
    for tables in ("tut", "u", "vv", "t"):
        learn(habits, {}, writes=[(insert(table), DONE) for table in tables])
    assert habits.inserts == {"t": 2, "u": 1, "v": 2}
    learn(habits, {}, writes=[(insert("t"), DONE)] * 50)
    assert habits.inserts == {"t": MOST_WRITES}  # so many in all


# ---- claims


def patch(id: Any) -> Json:
    return {"call": 9, "op": "1.0/shallowMerge", "args": {"id": id, "value": {"n": 1}}}


def moves(habits: Habits, payer: str, payee: str, *written: str) -> None:
    """A run that reads two rows by what its arguments name, and writes some documents."""
    reads = [(rows(at, one), {"values": [{"_id": f"{one}1"}]}) for at, one in ((1, payer), (2, payee))]
    learn(habits, {"payer": payer, "payee": payee}, *reads, writes=[(patch(one), DONE) for one in written])


def claims(habits: Habits, arguments: Json) -> list[bytes]:
    return habits.claims(msgspec.Raw(orjson.dumps(arguments)))


def claimed(name: str) -> bytes:
    return written(rows(1, name)["args"]["query"]).encode()


def test_a_run_claims_what_others_have_read_and_written_there() -> None:
    habits = Habits()
    moves(habits, "a", "b", "a1", "b1")
    assert claims(habits, {"payer": "c", "payee": "d"}) == []  # once may be a coincidence
    moves(habits, "b", "c", "c1", "b1")
    assert claims(habits, {"payer": "c", "payee": "d"}) == [claimed("c"), claimed("d")]


def test_it_is_one_claim_whichever_of_the_reads_it_is() -> None:
    habits = Habits()
    for one, other in (("a", "b"), ("c", "d")):
        moves(habits, one, other, f"{one}1", f"{other}1")
    assert claims(habits, {"payer": "e", "payee": "f"})[::-1] == claims(habits, {"payer": "f", "payee": "e"})


def test_what_is_read_and_not_written_is_not_claimed() -> None:
    habits = Habits()
    for one, other in (("a", "b"), ("b", "c"), ("c", "d")):
        moves(habits, one, other, f"{other}1", "else")
    assert claims(habits, {"payer": "e", "payee": "f"}) == [claimed("f")]


def test_what_is_written_in_fewer_than_half_of_the_runs_is_claimed_no_more() -> None:
    habits = Habits()
    for at in range(6):
        moves(habits, f"a{at}", f"b{at}", f"a{at}1")
        assert len(claims(habits, {"payer": "e", "payee": "f"})) == (at > 0)
    for at in range(8):
        moves(habits, f"c{at}", f"d{at}")
    assert claims(habits, {"payer": "e", "payee": "f"}) == []


def test_what_takes_an_answer_to_be_known_is_not_claimed() -> None:
    habits = Habits()
    for one in ("a", "b"):
        reads = [(rows(1, one), {"values": [{"_id": f"{one}1"}]}), (get(2, f"{one}1"), {"_id": f"{one}1"})]
        learn(habits, {"name": one}, *reads, writes=[(patch(f"{one}1"), DONE)])
    assert claims(habits, {"name": "c"}) == [claimed("c")]


def test_a_constant_that_a_document_has_too_is_part_of_a_claim() -> None:
    habits = Habits()
    for one, other in (("a", "b"), ("c", "d")):
        reads = [
            (rows(at, name, "open"), {"values": [{"_id": f"{name}1", "kind": "open"}]})
            for at, name in ((1, one), (2, other))
        ]
        writes = [(patch(f"{one}1"), DONE), (patch(f"{other}1"), DONE)]
        learn(habits, {"payer": one, "payee": other}, *reads, writes=writes)
    assert len(claims(habits, {"payer": "e", "payee": "f"})) == 2


def test_what_is_written_otherwise_than_expected_is_looked_at_again_at_once() -> None:
    habits = Habits()
    for at in range(20):
        moves(habits, f"a{at}", f"b{at}", f"a{at}1", f"b{at}1")
    while not habits.is_curious():
        pass
    moves(habits, "a", "b", "a1", "b1")
    assert not habits.is_curious()
    moves(habits, "a", "b", "a1")
    assert habits.is_curious()


def test_large_arguments_claim_nothing() -> None:
    habits = Habits()
    for one, other in (("a", "b"), ("c", "d")):
        moves(habits, one, other, f"{one}1", f"{other}1")
    assert claims(habits, {"payer": "e", "payee": "f", "more": "x" * 65_000})
    assert not claims(habits, {"payer": "e", "payee": "f", "more": "x" * 66_000})


@pytest.mark.parametrize("id", [None, 1, ["a1"], {}, "a" * 65])
def test_what_is_no_id_has_written_nothing(id: Any) -> None:
    sighting = sighting_of((get(1, "a"), {"_id": id}), writes=[(patch(id), DONE)])
    assert sighting.written == []


# ---- texts

NUMBERS = [
    "17.0",
    "17",
    "1.5",
    "-3",
    "-3.0",
    "0",
    "-0.0",
    "0.1",
    "0.001",
    "-123456.789",
    "1e3",
    "1.5e3",
    "1e15",
    "1e20",
    "2e20",
    "4294967296.0",
    "0.30000000000000004",
    "9007199254740991",
    "-9007199254740991",
    "9007199254740992.0",
]
STRINGS = [
    r'""',
    r'"plain"',
    r'"\"quoted\" \\ and \/"',
    '"it\'s"',
    r'"\u0000\u0001\u0008\u0009\n\u000b\f\r\u001f"',
    r'"\u007f\u0080\u2028\u2029\ufeff\uffff"',
    r'"é ß 漢字 😀 \ud83d\ude00"',
    r'"<script>&"',
    r'"\u0001?"',
    r'"{\"call\":1}"',
    r'"17"',
    r'"null"',
    r'"AAAAAAAAAAA="',
]


def test_values_are_written_as_javascript_writes_them() -> None:
    values = [*NUMBERS, *STRINGS]
    script = "for (const one of JSON.parse(process.argv[1])) console.log(JSON.stringify(JSON.parse(one)))"
    command = [node_executable(), "--eval", script, json.dumps(values)]
    outcome = subprocess.run(command, capture_output=True, check=True, timeout=60)
    texts = outcome.stdout.decode().split("\n")[:-1]
    habits = knows(of_id("a"), of_id("b"))
    for value, text in zip(values, texts, strict=True):
        [said] = foreseen(habits, {"id": orjson.loads(value)})
        assert said == f'{{"call":1,"op":"1.0/get","args":{{"id":{text}}}}}', value


def test_values_that_arguments_write_in_another_way_are_found_there() -> None:
    habits = Habits()
    for text in ("17.0", "1.80e1", "-0.0"):
        value = orjson.loads(text)
        learn(habits, {"n": value}, (rows(1, value), None))
    assert foreseen(habits, {"n": 20.0}) == [written(rows(1, 20))]


# ---- whatever functions do


class Hole(NamedTuple):
    """Where a function takes a value from: `origin` is None for one that it always uses."""

    origin: int | None
    path: tuple[str | int, ...]
    constant: Any


SCALARS = st.one_of(
    st.sampled_from(["a", "b", "", 1, 2, 1.5]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
    st.integers(-(2**53), 2**53),
    st.integers(-1000, 1000).map(lambda n: n / 8),
)
ARGUMENTS = st.fixed_dictionaries(
    {
        "a": SCALARS,
        "b": st.fixed_dictionaries({"c": SCALARS, "": SCALARS}),
        "list": st.tuples(SCALARS).map(list),
    }
)
ARGUMENT_PATHS: list[tuple[str | int, ...]] = [("a",), ("b", "c"), ("b", ""), ("list", 0)]
DOCUMENTS = st.fixed_dictionaries({"_id": SCALARS, "n": SCALARS, "in": st.fixed_dictionaries({"m": SCALARS})})
DOCUMENT_PATHS: list[tuple[str | int, ...]] = [("_id",), ("n",), ("in", "m")]


@st.composite
def functions(draw: st.DrawFn) -> list[tuple[bool, list[Hole]]]:
    """Reads of a function: whether it is one by index, and of which values."""
    made: list[tuple[bool, list[Hole]]] = []
    for _ in range(draw(st.integers(1, 4))):
        by_index = draw(st.booleans())
        holes = []
        for _ in range(draw(st.integers(0, 2)) if by_index else 1):
            origin = draw(st.none() | st.integers(0, len(made)))
            path: tuple[str | int, ...] = ()
            if origin is not None:
                path = draw(st.sampled_from(DOCUMENT_PATHS if origin else ARGUMENT_PATHS))
                if origin and made[origin - 1][0]:
                    path = ("values", draw(st.integers(0, 1)), *path)
            holes.append(Hole(origin, path, draw(SCALARS)))
        made.append((by_index, holes))
    return made


def at(value: Any, path: Sequence[str | int]) -> Any:
    for key in path:
        value = value[key]
    return value


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, (dict, list)):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(each, (*path, key))
    elif isinstance(value, (str, float)) or type(value) is int:
        yield path, value


def is_one(one: Any, other: Any) -> bool:
    return isinstance(one, str) == isinstance(other, str) and bool(one == other)


class Run(NamedTuple):
    """One run of a function: its arguments with the answers to its reads, and these."""

    sources: list[Any]
    calls: list[Json]

    def reads(self) -> list[Read]:
        return list(zip(self.calls, self.sources[1:], strict=True))


@st.composite
def runs(draw: st.DrawFn, function: list[tuple[bool, list[Hole]]]) -> Run:
    sources, calls = [draw(ARGUMENTS)], []
    for number, (by_index, holes) in enumerate(function, 1):
        values = [
            hole.constant if hole.origin is None else at(sources[hole.origin], hole.path) for hole in holes
        ]
        calls.append(rows(number, *values) if by_index else get(number, *values))
        sources.append({"values": [draw(DOCUMENTS), draw(DOCUMENTS)]} if by_index else draw(DOCUMENTS))
    return Run(sources, calls)


def is_unambiguous(seen: Sequence[Run], read: int) -> bool:
    """Whether each value of a read can only have come from one place, or has always been the same."""
    for hole, value in leaves(seen[0].calls[read]["args"]):
        places = [
            (origin, path)
            for origin, source in enumerate(seen[0].sources[: read + 1])
            for path, _ in leaves(source)
            if all(is_one(at(run.sources[origin], path), at(run.calls[read]["args"], hole)) for run in seen)
        ]
        is_constant = all(is_one(value, at(run.calls[read]["args"], hole)) for run in seen)
        if len(places) + is_constant != 1 and hole[0] in ("id", "query"):
            return False
    return True


@given(st.data())
def test_what_is_foreseen_is_what_the_function_asks_for_to_the_letter(data: st.DataObject) -> None:
    function = data.draw(functions())
    seen = data.draw(st.lists(runs(function), min_size=2, max_size=4))
    habits = knows(*((run.sources[0], run.reads()) for run in seen))
    for run in seen:
        assert foreseen(habits, *run.sources) == [written(call) for call in run.calls]
    run = data.draw(runs(function))
    texts = foreseen(habits, *run.sources)
    for read, (text, call) in enumerate(zip(texts, run.calls, strict=True)):
        if is_unambiguous(seen, read):
            assert text == written(call)


HOLE = "\x01?"
"""What stands for a value within a call that has been learned."""
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=4).filter(lambda text: text != HOLE)
KEYS = st.sampled_from(["id", "query", "a", "b"]) | TEXTS
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
).map(lambda value: orjson.loads(orjson.dumps(value)))
OPS = ["1.0/get", "1.0/get", "1.0/queryStreamNext", "1.0/queryCleanup", "1.0/insert", "1.0/shallowMerge"]
CALLS = st.builds(
    lambda number, op, args, table: {
        "call": number,
        "op": op,
        "args": {**args, "table": table} if op == "1.0/insert" else args,
    },
    st.integers(1, 3),
    st.sampled_from(OPS),
    st.dictionaries(KEYS, ANYTHING, max_size=3),
    TEXTS,
)
REPLIES = st.builds(lambda value: {"value": value}, ANYTHING) | st.just({"error": {"message": "no"}})
EVENTS = st.lists(st.tuples(ANYTHING, st.lists(st.tuples(CALLS, REPLIES), max_size=4)), max_size=3)


@given(EVENTS, st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4)), max_size=12), st.data())
def test_whatever_is_asked_for_can_be_learned(
    kinds: list[tuple[Any, list[tuple[Json, Json]]]], order: list[tuple[int, int]], data: st.DataObject
) -> None:
    habits = Habits()
    for kind, used in order:
        if kind >= len(kinds):
            continue
        arguments, calls = kinds[kind]
        told = habits.foresee(arguments)
        while (text := told.next_text()) is not None:
            assert isinstance(orjson.loads(text), dict)
            told.found(data.draw(ANYTHING))
        told.used(min(used, told.answered))
        sighting = Sighting()
        for call, reply in calls:
            sighting.saw(call, orjson.dumps(call), reply)
        if habits.is_curious():
            habits.learn(arguments, sighting)
        assert habits.writes_told() in (0, MOST_WRITES)
        assert all(0 < count <= MOST_WRITES for count in habits.inserts.values())


# ---- what is out of the ordinary


@pytest.mark.parametrize(
    "call",
    [
        get(1, "a", **{HOLE: 1}),
        get(1, HOLE, query=None),
        rows(1, "a", operators=[{"filter": {"$literal": {HOLE: "b"}}}]),
    ],
)
def test_what_looks_like_a_hole_is_none(call: Json) -> None:
    habits = knows(({}, [(call, None)]), ({}, [(call, None)]))
    assert foreseen(habits, {}) in ([], [written(call)])


def test_a_call_of_many_levels_is_not_foreseen_or_is() -> None:
    nested: Any = "x"
    for _ in range(400):  # hosts let through 500
        nested = {"$not": nested}
    call = rows(1, "a", operators=[{"filter": nested}])
    sighting = Sighting()
    sighting.saw(call, b"", {"value": {"values": []}})
    Habits().learn({}, sighting)


def test_a_run_may_end_after_others_have_unlearned_what_it_was_told() -> None:
    reads: list[Read] = [(get(1, "a"), None), (get(2, "b"), None)]
    habits = knows(({}, reads), ({}, reads))
    told = habits.foresee({})
    for at in range(4):
        learn(habits, {}, (rows(1, f"{at}"), None))
    assert len(habits.foresee({})._reads) < 2
    has_read(habits, 1, 2, told)


def test_a_function_that_inserts_much_is_seldom_looked_at() -> None:
    habits = Habits()
    count = 0
    for _ in range(100):
        if habits.is_curious():
            count += 1
            learn(habits, {}, writes=[(insert(), DONE)] * (MOST_WRITES + 1))
    assert count < 15


def test_another_call_teaches_nothing_about_this_one() -> None:
    def run(kind: str, a: str, second: str) -> tuple[Json, list[Read]]:
        return {"kind": kind, "a": a}, [(rows(1, "x", second), {"values": []})]

    habits = knows(run("x", "1", "1"), run("x", "2", "2"))
    learn(habits, {"kind": "y", "a": "3"}, (rows(1, "y", "of another read"), {"values": []}))
    learn(habits, *_spread(run("x", "4", "4")))
    learn(habits, *_spread(run("z", "5", "5")))
    assert foreseen(habits, {"kind": "z", "a": "6"}) == [written(rows(1, "x", "6"))]


def test_a_call_that_is_made_of_much_is_not_foreseen() -> None:
    terms = [{"$eq": [{"$field": "n"}, {"$literal": 1}]} for _ in range(300)]
    call = rows(1, "a", operators=[{"filter": {"$or": terms}}])
    arguments = {"flags": [[None] * 8192] * 2, "list": [1] * 300}
    habits = knows((arguments, [(call, None)]), (arguments, [(call, None)]))
    assert foreseen(habits, arguments) == []


def test_few_places_are_remembered_of_a_value_that_is_everywhere() -> None:
    arguments = {"list": [1] * 200}
    habits = knows((arguments, [(rows(1, 1), None)]))
    [read] = habits.foresee(arguments)._reads
    assert all(len(places) <= 32 for _, places in read.template._holes)


def test_few_ids_go_with_a_run() -> None:
    habits = Habits()
    for number in range(200):
        learn(habits, {}, writes=[(insert(f"t{number}"), DONE)] * MOST_WRITES)
    assert sum(habits.inserts.values()) <= MOST_WRITES


@pytest.mark.parametrize("text", ["x", "x" * 10_000])
def test_a_sighting_keeps_no_more_than_is_learned_of(text: str) -> None:
    sighting = sighting_of(*[(get(number, "a"), {"text": text}) for number in range(4000)])
    assert len(sighting.reads) == (MOST_READS if text == "x" else 1)
    assert len(orjson.dumps(sighting.answers)) < 1000


def test_a_long_message_is_not_kept() -> None:
    sighting = Sighting()
    sighting.saw(get(1, "a"), b" " * 100_000, {"value": None})
    assert sighting.reads == []
