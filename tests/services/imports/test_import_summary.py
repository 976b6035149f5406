"""What is asked before an import."""

from parabola.services.imports.summary import TableChange, summary


def test_the_changes_of_one_table():
    assert summary([TableChange("tasks", 1234, 5)]) == (
        "Documents that the import creates and deletes:\n"
        "\n"
        "table  create  delete\n"
        "---------------------\n"
        "tasks   1,234       5\n"
        "\n"
        "Once the import has started, it will run in the background.\n"
        "Interrupting `npx convex import` will not cancel it."
    )


def test_several_tables_have_totals():
    text = summary([TableChange("a", 1, 2), TableChange("a_longer_name", 30, 0)])
    assert text.splitlines()[2:8] == [
        "table          create  delete",
        "-----------------------------",
        "a                   1       2",
        "a_longer_name      30       0",
        "-----------------------------",
        "total              31       2",
    ]
