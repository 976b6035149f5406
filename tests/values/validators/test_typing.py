"""What a type checker makes of the code that authors write."""

from __future__ import annotations

import os

import pytest
from mypy import api

AUTHOR = """
from typing import Any, TypedDict, cast, reveal_type
from parabola.values.encoding import Int64
from parabola.values.schema.definition import define_schema, define_table
from parabola.values.hints.type_hints import Id
from parabola.values.validators.builder import ObjectValidator, Validator, v

task = v.object({"a": v.optional(v.string()), "b": v.union(v.literal("x"), v.null())})
wider: ObjectValidator = task.extend({"d": v.number()}).omit("a").partial()
mixed: dict[str, Validator[Any]] = {"a": v.string(), "b": v.array(v.any())}
schema = define_schema({"tasks": define_table({"text": v.string()}).index("by_text", ["text"], staged=True)})

class Task(TypedDict):
    _id: Id["tasks"]
    owner: Id["users"] | None

async def insert(table: str) -> Any: ...

async def create(text: str, owner: Id["users"] | None = None) -> Id["tasks"]:
    made: Id["tasks"] = await insert("tasks")
    if owner:
        text += owner
    return made

def ids(tasks: list[Task]) -> dict[Id["tasks"], str]:
    chosen = cast(Id["tasks"], "kg2")
    return {t["_id"]: t["_id"].upper() for t in tasks if t["_id"] == chosen}

reveal_type(v.string())
reveal_type(v.array(v.int64()))
reveal_type(v.nullable(v.boolean()))
reveal_type(v.record(v.string(), v.bytes()))
reveal_type(Int64(1) + 1)
"""

MISTAKES = """
from parabola.values.hints.type_hints import Id
from parabola.values.validators.builder import v

v.object({"a": str})
v.array(v.optional(v.string()))
v.literal(None)

def take(task: Id["tasks"]) -> None: ...
def give(user: Id["users"]) -> None:
    take(user)
"""


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("typing")
    (folder / "author.py").write_text(AUTHOR)
    (folder / "mistakes.py").write_text(MISTAKES)
    # Parabola itself is checked on its own: here it is only read.
    options = ["--strict", "--follow-imports=silent", "--config-file=", f"--cache-dir={folder / 'cache'}"]
    before = os.getcwd()
    os.chdir(folder)
    try:
        output, errors, _ = api.run([*options, "author.py", "mistakes.py"])
    finally:
        os.chdir(before)
    assert not errors
    return output.splitlines()


def test_strictly_checked_author_code_has_no_errors(checked):
    assert [line for line in checked if line.startswith("author.py") and "note:" not in line] == []


@pytest.mark.parametrize(
    "revealed",
    [
        "Validator[str]",
        "ArrayValidator[parabola.values.int64.Int64]",
        "UnionValidator[bool | None]",
        "RecordValidator[bytes]",
        "Int64",
    ],
)
def test_types_are_inferred(checked, revealed):
    notes = [line for line in checked if "Revealed type" in line]
    assert any(note.endswith(f'{revealed}"') for note in notes), notes


@pytest.mark.parametrize("line", [5, 6, 7, 11])
def test_mistakes_are_found(checked, line):
    assert any(found.startswith(f"mistakes.py:{line}: error") for found in checked), checked
