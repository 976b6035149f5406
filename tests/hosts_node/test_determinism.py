"""An execution is a function of its clock, its seed and what it reads (js-runtime 5.1, 5.4)."""

from __future__ import annotations

from hosts_node.driver import NOW, Host, error

IMPORT_NOW = 1_600_000_000_000


def test_the_clock_stands_still(host: Host) -> None:
    now = int(NOW)
    assert host.query("determinism:clock") == [
        now,
        now,
        "Tue Nov 14 2023 22:13:20 GMT+0000 (Coordinated Universal Time)",
        5,
        "2023-11-14T22:13:20.123Z",
        now - IMPORT_NOW,
        IMPORT_NOW,
    ]
    assert host.query("determinism:clockStandsStill") is True


def test_performance_advances_in_mutations(host: Host) -> None:
    assert host.mutation("determinism:mutationClock") == [int(NOW), True]


def test_date_is_still_date(host: Host) -> None:
    assert host.query("determinism:dateClass") == [
        True,
        True,
        "Date",
        7,
        1577836800000,
        "11/14/2023",
        "UTC",
        "2020-01-01T00:00:00.000Z",
    ]


def test_randomness_is_a_function_of_the_seed(host: Host) -> None:
    first, again = host.query("determinism:randomness"), host.query("determinism:randomness")
    other = host.query("determinism:randomness", seed="01" * 16)
    assert first == again
    assert first != other
    assert all(0 <= number < 1 for number in first[:2])
    assert first[2][14] == "4"


def test_what_was_used_is_reported(host: Host) -> None:
    def usage(path: str) -> dict[str, object]:
        usage = host.run("query", path)["usage"]
        return {name: usage[name] for name in ("usedClock", "usedRandom", "envRead")}

    assert usage("determinism:nothingUsed") == {"usedClock": False, "usedRandom": False, "envRead": []}
    assert usage("determinism:clock")["usedClock"] is True
    assert usage("determinism:randomness")["usedRandom"] is True
    assert usage("determinism:envNames")["envRead"] == ["GREETING", "ABSENT", "CONVEX_CLOUD_URL"]


def test_the_environment_answers_reads_and_nothing_else(host: Host) -> None:
    assert host.query("determinism:envNames") == [
        "hello",
        None,
        "http://cloud",
        [],
        False,
        "undefined",
        "hello",
    ]
    assert 'name "not-a-name" is invalid' in error(host.run("query", "determinism:badEnvName"))["message"]


def test_the_garbage_collector_cannot_be_observed(host: Host) -> None:
    assert host.query("determinism:weakReferences") == [True, True]


def test_the_order_of_events_is_that_of_the_program(host: Host) -> None:
    host.database.insert("tasks", {"text": "x"})
    orders = {tuple(host.query("determinism:order")) for _ in range(5)}
    assert len(orders) == 1
    assert orders.pop()[0] == "microtask"
