"""Indexes that the source names and no table has."""

from parabola.cli.index_names import index_names, unknown_indexes
from parabola.values.schema.definition import define_schema, define_table
from parabola.values.validators.builder import v

SCHEMA = define_schema(
    {
        "notes": define_table({"stars": v.number(), "text": v.string()})
        .index("by_stars", ["stars"])
        .index("by_text", ["text"], staged=True)
        .search_index("search_text", search_field="text"),
        "people": define_table({"name": v.string()}).index("by_name", ["name"]),
    }
)


def warnings(source: str) -> list[str]:
    return list(unknown_indexes({"convex/m.py": source}, index_names(SCHEMA.to_json())))


def test_an_index_of_another_table_is_none_of_this():
    (line,) = warnings('x = ctx.db.query("notes").with_index("by_name")')
    assert line.startswith('convex/m.py:1: the table "notes" has no index "by_name".')


def test_where_the_table_is_not_said_any_table_may_have_it():
    assert warnings('def f(q):\n    return q.with_index("by_nme", lambda q: q.eq("name", 1))') == [
        'convex/m.py:2: no table has an index "by_nme". Did you mean `by_name`?'
    ]
    assert warnings('q.with_index("by_name")') == []


def test_built_in_staged_and_search_indexes_are_known():
    assert warnings('db.query("notes").with_index("by_creation_time")') == []
    assert warnings('db.query("notes").with_index("by_text")') == []
    assert warnings('db.query("notes").with_search_index("search_text", f)') == []
    assert warnings('db.query("notes").with_search_index("search_txt", f)') == [
        'convex/m.py:1: the table "notes" has no index "search_txt". Did you mean `search_text`?'
    ]


def test_names_that_are_computed_are_not_judged():
    assert warnings("db.query(table).with_index(name)\ndb.query('notes').with_index()") == []


def test_without_a_schema_there_is_nothing_to_hold_names_to():
    assert list(unknown_indexes({"convex/m.py": 'q.with_index("x")'}, index_names(None))) == []
