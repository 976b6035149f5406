"""Which numbers imported tables get, and what stands in their way."""

from __future__ import annotations

import pytest

from parabola.database.model.tables import Registry, Table, row_of_table
from parabola.services.archives.rows import ImportRefused
from parabola.services.imports.plan import Incoming, leftovers, plan_tables
from parabola.services.imports.record import ImportMode

TABLES = Table(1, "_tables", 513)


def registry(**numbers: int) -> Registry:
    """A registry with these tables of users."""
    rows = [
        {**row_of_table(Table(20 + at, name, number)), "_id": f"id{at}"}
        for at, (name, number) in enumerate(numbers.items())
    ]
    return Registry().with_rows(TABLES, rows)


def numbers(present: Registry, mode: ImportMode = "Replace", **incoming: int | None) -> dict[str, int | None]:
    tables = [Incoming(place, name, number) for place, (name, number) in enumerate(incoming.items())]
    return {plan.name: plan.number for plan in plan_tables(present, tables, mode)}


def test_ids_fix_the_number_of_a_table_else_the_present_one_does_else_it_is_free() -> None:
    present = registry(a=10001, b=10002)
    assert numbers(present, a=10007, b=None, c=None) == {"a": 10007, "b": 10002, "c": None}


def test_tables_with_a_number_are_made_first_so_that_no_free_one_takes_it() -> None:
    assert list(numbers(registry(), a=None, b=10001)) == ["b", "a"]


def test_a_number_of_another_table_is_refused() -> None:
    with pytest.raises(ImportRefused) as refused:
        numbers(registry(y=10001), x=10001)
    assert str(refused.value) == (
        "Hit an error while importing:\n"
        "New table `x` has IDs that conflict with existing table `y`. "
        "To delete all existing tables, import with `npx convex import --replace-all`."
    )


def test_a_number_of_a_table_that_is_replaced_too_is_free() -> None:
    assert numbers(registry(x=10001, y=10002), x=10002, y=10001) == {"x": 10002, "y": 10001}
    assert numbers(registry(y=10001), x=10001, y=None) == {"x": 10001, "y": None}


def test_appending_replaces_nothing_and_keeps_the_numbers_of_what_is_there() -> None:
    assert numbers(registry(x=10001), "Append", x=10005, z=10006) == {"x": 10001, "z": 10006}
    with pytest.raises(ImportRefused, match="`x` has IDs that conflict with existing table `y`"):
        numbers(registry(y=10001), "Append", x=10001, y=None)


def test_replacing_all_frees_every_number() -> None:
    assert numbers(registry(y=10001), "ReplaceAll", x=10001) == {"x": 10001}


def test_two_tables_of_the_input_cannot_share_a_number() -> None:
    with pytest.raises(ImportRefused, match="`b` has IDs that conflict with new table `a`"):
        numbers(registry(), a=10001, b=10001)


@pytest.mark.parametrize("number", [512, 539, 9999])
def test_numbers_of_the_system_are_refused(number: int) -> None:
    with pytest.raises(ImportRefused, match="conflict with a table of the system"):
        numbers(registry(), a=number)


@pytest.mark.parametrize("number", [0, -1, 2**32])
def test_numbers_that_no_id_can_carry_are_refused(number: int) -> None:
    with pytest.raises(ImportRefused, match="cannot have the number"):
        numbers(registry(), a=number)


def test_only_replacing_all_touches_tables_that_are_not_in_the_input() -> None:
    present = registry(a=10001, b=10002)
    assert [table.name for table in leftovers(present, {"a"}, "ReplaceAll").delete] == ["b"]
    for mode in ("Replace", "Append", "RequireEmpty"):
        assert leftovers(present, {"a"}, mode).delete == ()
