"""The rules of the sync protocol, one by one, on the session alone (the numbers are those of sync-and-http
8).
"""

from __future__ import annotations

import hashlib
import itertools
import json

import pytest

from parabola.database.model.errors import StorageError
from parabola.functions.deployed.identity import Identity
from parabola.functions.outcomes.failures import FunctionFailure
from parabola.functions.outcomes.logs import LogLine
from parabola.functions.outcomes.results import FunctionResult
from parabola.server.http.client_version import ClientVersion
from parabola.server.sync.effects import POSTPONED, Close
from parabola.server.sync.failures import InvalidFrame
from parabola.server.sync.messages import AuthError, FatalError, encode_ts
from parabola.server.sync.mutation_line import MAX_BEGUN, MAX_RUNNING
from parabola.values.errors import (
    BadRequest,
    Forbidden,
    NodeBehind,
    NotFound,
    OptimisticConcurrencyControlFailure,
    Overloaded,
    Unauthenticated,
)
from server.session_driver import NPM, PYTHON, SESSION_ID, Driver, adding, end_ts, removing, value

INTERNAL_ERROR = Close(1011, "InternalServerError")


class TestHandshake:
    def test_nothing_is_said_before_the_client_asks_for_something(self):
        driver = Driver()
        driver.connect()
        assert driver.texts == []

    def test_an_empty_query_set_is_confirmed(self):
        driver = Driver()
        driver.modify(0, 1)
        assert driver.types == ["Transition"]
        assert driver.last.end_version.query_set == 1
        assert driver.last.modifications == []

    def test_a_session_without_connect_works(self):  # 4
        driver = Driver()
        driver.authenticate(0)
        driver.accept()
        driver.add(0)
        driver.mutate(0)
        assert driver.mutations[0].session is None
        driver.finish_mutation()
        assert driver.types == ["Transition", "Transition", "MutationResponse", "Transition"]
        assert driver.last.client_clock_skew is None

    def test_events_have_no_effect(self):  # 5
        driver = Driver()
        driver.say("Event", eventType="NeverHeardOf", event={"a": [1]})
        driver.say("Event")
        assert driver.texts == []
        assert driver.closed is None

    def test_clock_skew_is_the_clients_clock_minus_ours(self):  # 19
        driver = Driver()
        driver.wall_ns = 5_000_000_000
        driver.connect(clientTs=7000)
        driver.modify(0, 1)
        assert driver.last.client_clock_skew == 2000
        assert driver.last.server_ts == 5_000_000_000

    def test_a_second_connect_replaces_the_session_id(self):
        driver = Driver()
        driver.connect()
        driver.say("Connect", sessionId="00000000-0000-0000-0000-000000000001", connectionCount=1)
        driver.mutate(0)
        assert driver.mutations[0].session.session_id == "00000000-0000-0000-0000-000000000001"

    def test_a_client_from_the_future_is_sent_away(self):
        driver = Driver()
        driver.connect(maxObservedTimestamp=encode_ts(driver.durable_ts + 1))
        assert driver.closed == INTERNAL_ERROR

    def test_a_client_that_has_seen_the_newest_timestamp_is_welcome(self):
        driver = Driver()
        driver.connect(maxObservedTimestamp=encode_ts(driver.durable_ts))
        assert driver.closed is None


class TestOneOfSeveralServers:
    def test_nothing_is_done_before_what_the_client_has_seen_is_here(self):
        driver = Driver(is_shared=True)
        seen = driver.durable_ts + 50
        driver.connect(maxObservedTimestamp=encode_ts(seen))
        driver.add(0)
        driver.mutate(0)
        assert driver.reaches == [seen]
        assert driver.texts == []
        assert driver.mutations == []
        driver.durable_ts = seen
        driver.reach()
        assert len(driver.mutations) == 1
        assert driver.types == ["Transition"]
        assert end_ts(driver.last) >= seen

    def test_a_client_that_has_seen_nothing_is_shown_what_is_new(self):
        driver = Driver(is_shared=True)
        driver.connect()
        assert driver.reaches == [0]
        driver.add(0)
        assert driver.texts == []
        driver.reach()
        assert driver.types == ["Transition"]

    def test_a_client_for_whom_it_does_not_come_is_sent_to_another_server(self):
        driver = Driver(is_shared=True)
        driver.connect(maxObservedTimestamp=encode_ts(driver.durable_ts + 1))
        driver.add(0)
        driver.reach(NodeBehind("Ask again."))
        assert driver.closed == Close(1013, "NodeBehind")
        assert driver.texts == []

    def test_a_client_that_connects_again_on_one_socket_is_waited_for_again(self):
        driver = Driver(is_shared=True)
        driver.connect()
        driver.reach()
        driver.connect(maxObservedTimestamp=encode_ts(driver.durable_ts + 1))
        assert driver.reaches == [driver.durable_ts + 1]
        assert driver.closed is None


class TestVersions:
    def test_the_first_transition_starts_at_zero(self):  # 6
        driver = Driver()
        driver.add(0)
        assert driver.objects[0]["startVersion"] == {"querySet": 0, "identity": 0, "ts": "AAAAAAAAAAA="}

    def test_each_transition_starts_where_the_last_one_ended(self):  # 6
        driver = Driver()
        driver.add(0)
        driver.add(1)
        driver.commit(0)
        driver.authenticate(0, None)
        versions = [(t.start_version, t.end_version) for t in driver.transitions]
        assert len(versions) == 4
        assert all(before[1] == after[0] for before, after in itertools.pairwise(versions))

    def test_several_changes_of_the_query_set_become_one_transition(self):
        driver = Driver(auto=False)
        driver.add(0)
        driver.add(1)
        driver.add(2)
        driver.evaluate()
        driver.evaluate()
        assert [t.end_version.query_set for t in driver.transitions] == [1, 3]

    def test_the_new_version_is_taken_as_given(self):
        driver = Driver()
        driver.modify(0, 7)
        driver.modify(7, 9, adding(0))
        assert driver.last.end_version.query_set == 9

    def test_a_wrong_base_version_is_fatal(self):  # 10
        driver = Driver()
        driver.modify(0, 1)
        driver.modify(0, 1)
        assert driver.messages[-1] == FatalError(
            "Base version 0 passed up doesn't match the current version 1"
        )
        assert driver.closed == Close(None, "")

    def test_a_version_that_does_not_grow_is_refused(self):
        driver = Driver()
        driver.modify(0, 0)
        assert driver.closed == INTERNAL_ERROR

    def test_time_never_runs_backwards(self):  # 7
        driver = Driver()
        driver.modify(0, 1)
        driver.durable_ts -= 50
        driver.modify(1, 2)
        assert end_ts(driver.transitions[1]) == end_ts(driver.transitions[0])

    def test_a_version_is_never_shown_before_it_is_received(self):  # 8
        driver = Driver(auto=False)
        driver.add(0)
        driver.add(1)
        driver.evaluate()
        assert driver.last.end_version.query_set == 1
        assert list(driver.last_values()) == [0]


class TestResults:
    def test_every_add_gets_its_result_and_every_remove_its_word(self):  # 12
        driver = Driver(run=lambda query, ts, identity: value(query.query_id))
        driver.modify(0, 1, adding(4), adding(2))
        assert driver.last_values() == {2: 2.0, 4: 4.0}
        driver.modify(1, 2, removing(4))
        assert driver.objects[-1]["modifications"] == [{"type": "QueryRemoved", "queryId": 4}]

    def test_changes_come_in_the_order_of_their_ids_one_for_each(self):  # 17
        driver = Driver()
        driver.modify(0, 1, adding(3), adding(1), adding(2))
        driver.modify(1, 2, removing(2), adding(0), removing(3), adding(3, "other:list"))
        changes = [(change["queryId"], change["type"]) for change in driver.objects[-1]["modifications"]]
        assert changes == [(0, "QueryUpdated"), (2, "QueryRemoved"), (3, "QueryUpdated")]

    def test_a_query_added_and_removed_before_it_ran_is_removed(self):
        driver = Driver(auto=False)
        driver.add(0)
        driver.modify(1, 2, adding(1))
        driver.modify(2, 3, removing(1))
        driver.evaluate()
        assert driver.objects[-1]["modifications"] == [{"type": "QueryRemoved", "queryId": 1}]

    def test_all_results_stand_at_the_end_of_the_transition(self):  # 13
        driver = Driver()
        driver.modify(0, 1, adding(0), adding(1))
        driver.commit(0, 1)
        assert driver.last_values() == {0: float(end_ts(driver.last)), 1: float(end_ts(driver.last))}

    def test_a_commit_that_touches_a_query_leads_to_a_transition(self):  # 14
        driver = Driver()
        driver.add(0)
        ts = driver.commit(0)
        assert len(driver.transitions) == 2
        assert end_ts(driver.last) == ts
        assert driver.last_values() == {0: float(ts)}

    def test_a_commit_that_touches_nothing_is_not_spoken_of(self):
        driver = Driver()
        driver.add(0)
        driver.commit()
        assert len(driver.transitions) == 1

    def test_only_what_a_commit_touched_is_run_again(self):
        runs: list[int] = []
        driver = Driver(run=lambda query, ts, identity: runs.append(query.query_id) or value(ts))
        driver.modify(0, 1, adding(0), adding(1))
        runs.clear()
        driver.commit(1)
        assert runs == [1]

    def test_a_result_that_is_the_same_is_not_sent_again(self):  # 15
        driver = Driver(run=lambda query, ts, identity: value("same"))
        driver.add(0)
        driver.commit(0)
        assert driver.last_values() == {}
        assert end_ts(driver.last) == driver.durable_ts

    def test_the_journal_does_not_make_a_result_different(self):
        driver = Driver(run=lambda query, ts, identity: value("same", journal=str(ts)))
        driver.add(0)
        driver.commit(0)
        assert driver.last_values() == {}
        assert driver.session.queries[0].journal == str(driver.durable_ts)

    def test_other_log_lines_make_a_result_different(self):
        lines = iter("ab")
        driver = Driver(
            run=lambda query, ts, identity: FunctionResult(log_lines=(LogLine("LOG", (next(lines),), 0),))
        )
        driver.add(0)
        driver.commit(0)
        assert driver.objects[-1]["modifications"][0]["logLines"] == ["[LOG] b"]

    def test_a_new_socket_is_told_everything_again(self):  # 11, 15
        for _ in range(2):
            driver = Driver(run=lambda query, ts, identity: value("same"))
            driver.add(0)
            assert driver.last_values() == {0: "same"}

    def test_a_failure_is_sent_with_head_text_and_frames(self):  # 18, 56
        failure = FunctionFailure("Uncaught Error: boom", ("handler (../convex/x.ts:1:2)",))
        driver = Driver(
            run=lambda query, ts, identity: FunctionResult(error=failure, request_id="0123456789abcdef")
        )
        driver.add(0)
        assert driver.objects[-1]["modifications"] == [
            {
                "type": "QueryFailed",
                "queryId": 0,
                "errorMessage": "[Request ID: 0123456789abcdef] Server Error\nUncaught Error: boom\n"
                "    at handler (../convex/x.ts:1:2)\n",
                "logLines": [],
                "journal": None,
            }
        ]

    @pytest.mark.parametrize("data", [None, {"code": 1.0}, "text"])
    def test_error_data_is_there_exactly_for_a_convex_error(self, data: object):  # 18
        failure = FunctionFailure("Uncaught ConvexError", data=data)
        driver = Driver(run=lambda query, ts, identity: FunctionResult(error=failure))
        driver.add(0)
        assert driver.objects[-1]["modifications"][0]["errorData"] == data

    def test_the_same_failure_is_not_sent_twice_whatever_its_request_id(self):
        ids = iter("ab")
        driver = Driver(
            run=lambda query, ts, identity: FunctionResult(
                error=FunctionFailure("boom"), request_id=next(ids)
            )
        )
        driver.add(0)
        driver.commit(0)
        assert driver.last_values() == {}

    def test_what_changes_while_results_are_computed_follows_in_the_next_transition(self):  # 13
        driver = Driver(auto=False)
        driver.add(0)
        first_ts = driver.durable_ts
        driver.commit(0)
        driver.evaluate()
        assert end_ts(driver.last) == first_ts
        assert driver.last_values() == {0: float(first_ts)}
        driver.evaluate()
        assert driver.last_values() == {0: float(driver.durable_ts)}

    def test_a_postponed_query_is_left_out_and_asked_again(self):
        outcomes = iter([POSTPONED, POSTPONED, value("there")])
        driver = Driver(run=lambda query, ts, identity: next(outcomes) if query.query_id else value("here"))
        driver.modify(0, 1, adding(0), adding(1))
        assert driver.last_values() == {0: "here"}
        assert driver.retries == [3.0]
        driver.session.retry_postponed()
        driver.turn()
        assert driver.retries == [3.0, 6.0]
        driver.session.retry_postponed()
        driver.turn()
        assert driver.last_values() == {1: "there"}

    @pytest.mark.parametrize("modifications", [[adding(0)], [removing(9)]])
    def test_a_query_set_that_makes_no_sense_ends_the_socket(self, modifications: list[dict[str, object]]):
        driver = Driver()
        driver.add(0)
        driver.modify(1, 2, *modifications)
        assert driver.closed == INTERNAL_ERROR


class TestMutations:
    def test_the_response_comes_first_and_the_transition_that_covers_it_second(self):  # 22, 23
        driver = Driver()
        driver.add(0)
        driver.mutate(0)
        ts = driver.finish_mutation(None, 0)
        assert driver.types == ["Transition", "MutationResponse", "Transition"]
        assert driver.objects[1] == {
            "type": "MutationResponse",
            "requestId": 0,
            "success": True,
            "result": None,
            "ts": encode_ts(ts),
            "logLines": [],
        }
        assert end_ts(driver.last) == ts
        assert driver.last_values() == {0: float(ts)}

    def test_no_transition_covers_a_commit_before_its_response(self):  # 23
        driver = Driver()
        driver.add(0)
        driver.mutate(0)
        driver.validate_mutation(110)
        driver.commit(0)
        driver.add(1)
        assert driver.types == ["Transition"]
        driver.end_mutation(FunctionResult(ts=110))
        assert driver.types == ["Transition", "MutationResponse", "Transition"]
        assert driver.last.end_version.query_set == 2

    def test_earlier_commits_are_shown_while_a_mutation_is_committing(self):
        driver = Driver()
        driver.add(0)
        driver.mutate(0)
        driver.validate_mutation(120)
        driver.commit(0, step=10)
        assert end_ts(driver.last) == 110
        driver.finish_mutation(FunctionResult(ts=120), 0)
        assert end_ts(driver.last) == 120

    def test_it_is_the_next_ones_turn_when_the_one_before_has_its_place_in_the_order(self):  # 20
        driver = Driver()
        for request_id in range(3):
            driver.mutate(request_id)
        assert driver.after == {0: 0}
        driver.validate_mutation(110, at=0)
        assert driver.after == {0: 0, 1: 110}
        driver.validate_mutation(120, at=1)
        assert driver.after == {0: 0, 1: 110, 2: 120}
        assert driver.types == []

    def test_answers_come_in_the_order_of_the_mutations(self):  # 20, 23
        driver = Driver()
        driver.add(0)
        for request_id in range(3):
            driver.mutate(request_id)
        driver.validate_mutation(110, at=0)
        driver.validate_mutation(120, at=1)
        driver.end_mutation(FunctionResult(error=FunctionFailure("no")), at=2)
        driver.commit(0, step=20)
        driver.end_mutation(FunctionResult(ts=120), at=1)
        assert driver.types == ["Transition"]
        driver.end_mutation(FunctionResult(ts=110))
        assert driver.types == ["Transition", *["MutationResponse"] * 3, "Transition"]
        assert [message["requestId"] for message in driver.objects[1:4]] == [0, 1, 2]
        assert end_ts(driver.last) == 120

    def test_it_is_the_next_ones_turn_when_the_one_before_has_failed(self):
        driver = Driver()
        for request_id in range(3):
            driver.mutate(request_id)
        driver.validate_mutation(110, at=0)
        driver.end_mutation(FunctionResult(error=FunctionFailure("no")), at=1)
        assert driver.after == {0: 0, 1: 110, 2: 110}
        assert driver.types == []

    def test_no_turn_comes_after_one_that_cannot_be_told_of(self):
        driver = Driver()
        for request_id in range(3):
            driver.mutate(request_id)
        driver.validate_mutation(110, at=0)
        driver.end_mutation(StorageError("The disk is full."), at=1)
        assert driver.after == {0: 0, 1: 110}
        driver.commit(step=10)
        driver.end_mutation(FunctionResult(ts=110))
        assert driver.types == ["MutationResponse"]
        assert driver.closed is not None

    def test_who_is_answered_is_shown_no_more_than_that(self):  # 23
        driver = Driver()
        driver.add(0)
        driver.mutate(0)
        driver.mutate(1)
        driver.validate_mutation(110, at=0)
        driver.validate_mutation(120, at=1)
        driver.commit(0, step=10)
        driver.end_mutation(FunctionResult(ts=110))
        assert end_ts(driver.last) == 110
        driver.commit(0, step=10)
        assert end_ts(driver.last) == 110
        driver.end_mutation(FunctionResult(ts=120))
        assert end_ts(driver.last) == 120

    def test_where_servers_share_a_log_the_next_one_begins_when_the_one_before_is_answered(self):
        driver = Driver(is_shared=True)
        driver.connect()
        driver.reach()
        driver.mutate(0)
        driver.mutate(1)
        driver.validate_mutation(110)
        assert driver.after == {0: 0}
        driver.commit(step=10)
        driver.end_mutation(FunctionResult(ts=110))
        assert driver.after == {0: 0, 1: 0}

    def test_only_so_many_wait_for_the_disk(self):
        driver = Driver()
        for request_id in range(MAX_BEGUN + 1):
            driver.mutate(request_id)
        for n in range(MAX_BEGUN):
            driver.validate_mutation(110 + n, at=n)
        assert len(driver.mutations) == MAX_BEGUN
        driver.end_mutation(FunctionResult(ts=110))
        assert driver.after[MAX_BEGUN] == 110 + MAX_BEGUN - 1

    def test_a_transition_begun_before_the_commit_may_end_after_the_response_but_another_follows(self):  # 22
        driver = Driver(auto=False)
        driver.add(0)
        driver.mutate(0)
        ts = driver.finish_mutation()
        driver.evaluate()
        assert driver.types == ["MutationResponse", "Transition", "Transition"]
        assert [end_ts(transition) for transition in driver.transitions] == [100, ts]

    def test_a_mutation_that_changes_nothing_held_is_followed_by_an_empty_transition(self):  # 22
        driver = Driver()
        driver.mutate(0)
        ts = driver.finish_mutation()
        assert driver.types == ["MutationResponse", "Transition"]
        assert driver.last.modifications == []
        assert end_ts(driver.last) >= ts

    def test_a_failed_mutation_is_followed_by_a_transition(self):  # 24
        driver = Driver()
        driver.connect()
        driver.mutate(7)
        driver.finish_mutation(FunctionResult(error=FunctionFailure("Uncaught Error: no")))
        response, transition = driver.objects
        request_id = hashlib.sha256(f"{SESSION_ID}|7".encode()).hexdigest()[:16]
        assert response == {
            "type": "MutationResponse",
            "requestId": 7,
            "success": False,
            "result": f"[Request ID: {request_id}] Server Error\nUncaught Error: no\n",
            "ts": None,
            "logLines": [],
        }  # 58
        assert transition["type"] == "Transition"

    def test_a_convex_error_carries_its_data(self):
        driver = Driver()
        driver.mutate(0)
        driver.finish_mutation(FunctionResult(error=FunctionFailure("Uncaught ConvexError", data={"n": 1})))
        assert '"errorData":{"n":1.0}' in driver.texts[0]

    def test_only_so_many_run_at_a_time(self):  # 20
        driver = Driver()
        for request_id in range(MAX_RUNNING + 2):
            driver.mutate(request_id)
        assert len(driver.mutations) == MAX_RUNNING
        driver.validate_mutation(110, at=0)
        assert len(driver.mutations) == MAX_RUNNING + 1
        for _ in range(MAX_RUNNING + 2):
            driver.finish_mutation()
        responses = [message["requestId"] for message in driver.objects if "requestId" in message]
        assert responses == list(range(MAX_RUNNING + 2))

    def test_a_mutation_knows_how_many_waited_before_it(self):
        driver = Driver()
        lengths = []
        for request_id in range(MAX_RUNNING + 2):
            driver.mutate(request_id)
        driver.act(MAX_RUNNING + 2)
        for _ in range(MAX_RUNNING + 2):
            lengths.append(driver.mutations[0].call.request.queue_length)
            driver.finish_mutation()
        assert lengths == [0, *range(MAX_RUNNING + 1)]  # beside the one whose turn it is
        assert driver.actions[0].call.request.queue_length is None

    def test_a_request_id_is_answered_once(self):  # 21
        driver = Driver()
        driver.mutate(0)
        driver.mutate(0)
        driver.finish_mutation()
        driver.mutate(0)
        driver.act(0)
        assert driver.mutations == driver.actions == []
        assert driver.types.count("MutationResponse") == 1

    def test_a_mutation_runs_as_who_the_client_was_when_it_sent_it(self):
        driver = Driver()
        driver.mutate(0)
        driver.mutate(1)
        driver.authenticate(0)
        driver.accept()
        driver.mutate(2)
        identities = []
        for _ in range(3):
            identities.append(driver.mutations[0].call.identity.kind)
            driver.finish_mutation()
        assert identities == ["none", "none", "user"]

    def test_a_server_that_stops_answers_what_runs_and_begins_nothing_more(self):
        driver = Driver(auto=False)
        driver.add(0)
        driver.evaluate()
        for request_id in range(MAX_RUNNING + 1):
            driver.mutate(request_id)
        driver.act(100)
        driver.session.leave()
        driver.turn()
        driver.mutate(101)
        assert driver.closed is None
        driver.finish_action(value(None))
        ts = driver.commit(0)
        for _ in range(MAX_RUNNING):
            assert driver.closed is None
            driver.finish_mutation(value("done", ts=ts))
        assert driver.closed is None  # the Transition that covers the mutation is still to come
        while driver.evaluations:
            driver.evaluate()
        assert driver.types.count("MutationResponse") == MAX_RUNNING
        assert driver.types.index("MutationResponse") < len(driver.types) - 1
        assert end_ts(driver.last) >= ts
        assert driver.closed == Close(1001, "ServerShutdown")
        assert [call.request_id for call in driver.mutations] == []

    def test_an_idle_socket_closes_at_once_when_the_server_stops(self):
        driver = Driver()
        driver.add(0)
        driver.session.leave()
        driver.turn()
        assert driver.closed == Close(1001, "ServerShutdown")

    def test_too_many_waiting_mutations_close_the_socket_to_be_tried_later(self):
        driver = Driver()
        for request_id in range(MAX_RUNNING + 1000):
            driver.mutate(request_id)
        assert driver.closed is None
        driver.mutate(MAX_RUNNING + 1000)
        assert driver.closed == Close(1013, "TooManyConcurrentMutations")

    def test_a_users_error_is_an_answer(self):  # 33
        driver = Driver()
        driver.mutate(0)
        driver.mutate(1)
        driver.finish_mutation(BadRequest("no such table"))
        assert "no such table" in driver.objects[0]["result"]
        assert driver.closed is None
        assert driver.after == {0: 0, 1: 0}
        driver.finish_mutation()
        driver.mutate(2)
        assert driver.after[2] == 0

    @pytest.mark.parametrize(
        ("error", "close"),
        [
            (OptimisticConcurrencyControlFailure("busy"), Close(1013, "OptimisticConcurrencyControlFailure")),
            (Overloaded("full", code="CommitterFullError"), Close(1013, "CommitterFullError")),
            (RuntimeError("a bug"), INTERNAL_ERROR),
        ],
    )
    def test_a_fault_of_the_server_closes_the_socket_so_that_the_client_tries_again(self, error, close):  # 34
        driver = Driver()
        driver.mutate(0)
        driver.finish_mutation(error)
        assert driver.texts == []
        assert driver.closed == close

    def test_the_commit_timestamp_of_a_repeated_mutation_is_the_original_one(self):  # 25
        driver = Driver()
        driver.connect()
        driver.mutate(0)
        driver.end_mutation(FunctionResult(ts=50))
        assert driver.objects[0]["ts"] == encode_ts(50)
        assert end_ts(driver.last) >= 50


class TestActions:
    def test_actions_run_beside_each_other_and_beside_mutations(self):  # 28
        driver = Driver()
        driver.act(0)
        driver.mutate(1)
        driver.act(2)
        assert [call.request_id for call in driver.actions] == [0, 2]
        assert [call.request_id for call in driver.mutations] == [1]
        driver.finish_mutation()
        driver.finish_action(value("second"), at=1)
        driver.finish_action(value("first"))
        responses = [
            (message["requestId"], message["result"]) for message in driver.objects if "requestId" in message
        ]
        assert responses == [(1, None), (2, "second"), (0, "first")]

    def test_an_action_has_no_timestamp_and_is_followed_by_a_transition(self):
        driver = Driver()
        driver.act(0)
        driver.finish_action(value({"a": 1.0}))
        assert driver.objects[0] == {
            "type": "ActionResponse",
            "requestId": 0,
            "success": True,
            "result": {"a": 1.0},
            "logLines": [],
        }
        assert driver.types == ["ActionResponse", "Transition"]

    def test_a_failed_action_is_an_answer(self):
        driver = Driver()
        driver.act(0)
        driver.finish_action(FunctionResult(error=FunctionFailure("Uncaught Error: no", data=None)))
        assert driver.objects[0]["success"] is False
        assert driver.objects[0]["errorData"] is None

    def test_too_many_running_actions_close_the_socket(self):
        driver = Driver()
        for request_id in range(1001):
            driver.act(request_id)
        assert driver.closed == Close(1013, "TooManyConcurrentActions")


class TestAuthentication:
    def test_an_identity_is_confirmed_by_the_transition_whose_results_use_it(self):  # 9, 16
        driver = Driver(run=lambda query, ts, identity: value(identity.kind))
        driver.add(0)
        driver.authenticate(0)
        assert len(driver.transitions) == 1
        driver.accept()
        assert [t.end_version.identity for t in driver.transitions] == [0, 1]
        assert driver.last_values() == {0: "user"}

    def test_all_queries_are_subscribed_anew_for_another_identity(self):  # 16
        driver = Driver()
        driver.modify(0, 1, adding(0), adding(1))
        driver.auto = False
        driver.authenticate(0)
        driver.accept()
        effect = driver.evaluations[0]
        assert sorted(effect.dropped) == [0, 1]
        assert [query.query_id for query in effect.queries] == [0, 1]

    def test_nothing_is_read_while_a_token_is_checked(self):
        driver = Driver()
        driver.authenticate(0)
        driver.mutate(0)
        assert driver.mutations == []
        assert driver.session.backlog == 1
        driver.accept()
        assert driver.mutations[0].call.identity.kind == "user"

    def test_logging_out_advances_the_identity_too(self):  # 38
        driver = Driver(run=lambda query, ts, identity: value(identity.kind))
        driver.add(0)
        driver.authenticate(0)
        driver.accept()
        driver.authenticate(1, None)
        assert driver.last.end_version.identity == 2
        assert driver.last_values() == {0: "none"}

    def test_a_bad_token_is_told_with_the_identity_last_sent(self):  # 36
        driver = Driver()
        driver.authenticate(0)
        driver.accept()
        driver.authenticate(1)
        driver.reject(Unauthenticated("bad token"))
        assert driver.messages[-1] == AuthError("bad token", 1, True)
        assert driver.closed == Close(None, "")

    @pytest.mark.parametrize("error", [BadRequest("x"), Forbidden("x")])
    def test_any_refusal_of_a_token_is_an_auth_error(self, error):
        driver = Driver()
        driver.authenticate(0)
        driver.reject(error)
        assert driver.messages == [AuthError("x", 0, True)]

    def test_an_issuer_that_cannot_be_reached_is_not_the_clients_fault(self):
        driver = Driver()
        driver.authenticate(0)
        driver.reject(Overloaded("issuer is down", code="AuthProviderDiscoveryFailed"))
        assert driver.texts == []
        assert driver.closed == Close(1013, "AuthProviderDiscoveryFailed")

    def test_a_wrong_base_version_ends_the_socket(self):
        driver = Driver()
        driver.authenticate(3)
        assert driver.closed == INTERNAL_ERROR

    def test_an_expired_token_is_told_at_the_next_request_and_not_before(self):  # 37
        driver = Driver()
        driver.authenticate(0)
        driver.accept(expires_at=2000)
        driver.wall_ns = 2000 * 10**9
        driver.turn()
        assert driver.closed is None
        driver.mutate(0)
        assert driver.mutations == []
        assert driver.messages[-1] == AuthError("Convex token identity expired", 1, False)
        assert driver.closed == Close(None, "")

    def test_an_expired_token_is_told_at_the_next_transition(self):  # 37
        driver = Driver()
        driver.authenticate(0)
        driver.accept(expires_at=2000)
        driver.add(0)
        driver.wall_ns = 2000 * 10**9
        driver.commit(0)
        assert driver.messages[-1] == AuthError("Convex token identity expired", 1, False)

    def test_both_spellings_of_acting_as_are_heard(self):  # 39
        for spelling in ("impersonating", "acting_as"):
            driver = Driver()
            driver.authenticate(0, "key", tokenType="Admin", **{spelling: {"subject": "bob"}})
            assert driver.tokens[0].message.acts_as == {"subject": "bob"}

    def test_only_an_admin_names_a_component(self):
        driver = Driver()
        driver.mutate(0, componentPath="a/b")
        assert driver.closed == INTERNAL_ERROR
        driver = Driver()
        driver.authenticate(0, "key", tokenType="Admin")
        driver.accept(Identity.admin())
        driver.mutate(0, componentPath="a/b")
        assert driver.mutations[0].call.component == "a/b"

    def test_the_root_component_may_be_named_by_anybody(self):
        driver = Driver()
        driver.add(0, componentPath="")
        assert driver.closed is None


class TestBackpressure:
    def test_at_most_two_transitions_wait_unsent_and_the_newest_state_follows(self):  # 32
        driver = Driver()
        driver.drains = False
        driver.add(0)
        for _ in range(10):
            driver.commit(0)
        assert len(driver.transitions) == 2
        driver.drains = True
        driver.session.transition_sent()
        driver.turn()
        assert len(driver.transitions) == 3
        assert end_ts(driver.last) == driver.durable_ts
        assert driver.last_values() == {0: float(driver.durable_ts)}

    def test_responses_are_never_held_back(self):
        driver = Driver()
        driver.drains = False
        for request_id in range(5):
            driver.mutate(request_id)
            driver.finish_mutation()
        assert driver.types.count("MutationResponse") == 5
        assert driver.types.count("Transition") == 2


class TestLargeTransitions:
    TEXT = "ä€" * 1_300_000  # 6.5 MB of characters that are wider than a byte

    def test_npm_gets_chunks_that_make_up_one_transition(self):  # 30
        driver = Driver(run=lambda query, ts, identity: value(self.TEXT))
        driver.add(0)
        chunks = driver.objects
        assert [chunk["type"] for chunk in chunks] == ["TransitionChunk"] * 2
        assert [(chunk["partNumber"], chunk["totalParts"]) for chunk in chunks] == [(0, 2), (1, 2)]
        assert len({chunk["transitionId"] for chunk in chunks}) == 1
        assert all(len(chunk["chunk"].encode()) <= 5_000_000 for chunk in chunks)
        whole = json.loads("".join(chunk["chunk"] for chunk in chunks))
        assert whole["modifications"][0]["value"] == self.TEXT

    @pytest.mark.parametrize(
        "client", [PYTHON, ClientVersion("npm", (1, 27, 9)), ClientVersion("npm", (1, 28, 0), True)]
    )
    def test_others_get_one_message(self, client):  # 31
        driver = Driver(client, run=lambda query, ts, identity: value(self.TEXT))
        driver.add(0)
        assert driver.types == ["Transition"]

    def test_the_chunks_of_a_transition_count_as_one(self):
        driver = Driver(run=lambda query, ts, identity: value(self.TEXT + str(ts)))
        driver.add(0)
        driver.commit(0)
        driver.commit(0)
        assert driver.types == ["TransitionChunk"] * 6


class TestEndings:
    @pytest.mark.parametrize("path", ["", "a b:c", "a:1x", "../x:y", "a:"])
    def test_a_path_that_cannot_name_a_function_is_fatal(self, path):  # 35
        driver = Driver()
        driver.add(0, path)
        assert driver.messages[0].error.startswith("Received Invalid JSON on websocket: ")
        assert driver.closed == Close(None, "")

    def test_a_frame_that_is_no_message_is_fatal(self):
        driver = Driver()
        driver.session.fail(InvalidFrame("it is not"))
        driver.turn()
        assert driver.messages == [FatalError("Received Invalid JSON on websocket: it is not")]

    def test_nothing_follows_a_close(self):
        driver = Driver(auto=False)
        driver.add(0)
        for request_id in range(MAX_RUNNING + 1):
            driver.mutate(request_id)
        driver.session.fail(NotFound("gone", code="DeploymentNotFound"))
        driver.turn()
        assert driver.closed == Close(1000, "DeploymentNotFound")
        driver.evaluate()
        for _ in range(MAX_RUNNING):
            driver.finish_mutation()
        driver.add(1)
        driver.commit(0)
        assert driver.texts == driver.mutations == driver.evaluations == []

    def test_redaction_leaves_the_head_and_the_data(self):  # 56
        lines = (LogLine("LOG", ("'secret'",), 0),)
        failure = FunctionFailure("Uncaught ConvexError: secret", data={"code": 1.0})
        driver = Driver(
            redacted=True,
            run=lambda query, ts, identity: FunctionResult(error=failure, log_lines=lines, request_id="r"),
        )
        driver.add(0)
        driver.mutate(0)
        driver.finish_mutation(FunctionResult(error=failure, log_lines=lines))
        assert "secret" not in "".join(driver.texts)
        change = driver.objects[0]["modifications"][0]
        assert (change["errorMessage"], change["errorData"]) == (
            "[Request ID: r] Server Error",
            {"code": 1.0},
        )


def test_npm_is_the_default_of_these_tests():
    assert NPM.takes_chunks
