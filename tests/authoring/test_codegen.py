"""The declarations in `_generated`: what TypeScript is told about functions and tables."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import convert

from parabola.authoring.codegen import generate, generate_beside
from parabola.authoring.typescript_types import type_of
from parabola.values.analyzed_modules import AnalyzedModule

STRING, NUMBER, NULL = {"type": "string"}, {"type": "number"}, {"type": "null"}


def object_of(**fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "value": {name: {"fieldType": type, "optional": False} for name, type in fields.items()},
    }


def function(
    name: str, kind: str = "Query", visibility: str = "public", args: Any = None, returns: Any = None
) -> Any:
    return {
        "name": name,
        "udfType": kind,
        "visibility": {"kind": visibility},
        "args": None if args is None else json.dumps(args),
        "returns": json.dumps(returns),
    }


def module(*functions: Any) -> AnalyzedModule:
    return convert({"functions": functions}, AnalyzedModule)


@pytest.mark.parametrize(
    ("validator", "expected"),
    [
        (NULL, "null"),
        ({"type": "bigint"}, "bigint"),
        ({"type": "bytes"}, "ArrayBuffer"),
        ({"type": "any"}, "any"),
        ({"type": "id", "tableName": "tasks"}, 'Id<"tasks">'),
        ({"type": "literal", "value": 'a"b'}, '"a\\"b"'),
        ({"type": "literal", "value": 1.0}, "1"),
        ({"type": "literal", "value": 1.5}, "1.5"),
        ({"type": "literal", "value": True}, "true"),
        ({"type": "literal", "value": {"$integer": "//////////8="}}, "-1n"),
        ({"type": "literal", "value": {"$float": "AAAAAAAA8H8="}}, "number"),
        ({"type": "array", "value": {"type": "union", "value": [STRING, NULL]}}, "Array<string | null>"),
        ({"type": "union", "value": []}, "never"),
        ({"type": "function"}, 'import("convex/server").FunctionHandle_future<any, any, any>'),
        (
            {"type": "function", "fnType": "query", "args": object_of(a=STRING), "returns": NULL},
            'import("convex/server").FunctionHandle_future<"query", { a: string }, null>',
        ),
        (
            {"type": "record", "keys": STRING, "values": {"fieldType": NUMBER, "optional": False}},
            "Record<string, number>",
        ),
        (object_of(), "Record<string, never>"),
        (object_of(a=STRING, **{"b-c": NUMBER}), '{ a: string; "b-c": number }'),
        ({"type": "object", "value": {"a": {"fieldType": STRING, "optional": True}}}, "{ a?: string }"),
    ],
)
def test_each_validator_has_a_type(validator: dict[str, Any], expected: str) -> None:
    assert type_of(validator) == expected


def test_a_long_object_type_is_broken_over_lines() -> None:
    wide = object_of(**{f"field_with_a_long_name_{number}": STRING for number in range(5)})
    lines = type_of(wide, depth=1).splitlines()
    assert lines[0] == "{"
    assert lines[1] == "    field_with_a_long_name_0: string;"
    assert lines[-1] == "  }"


def test_public_and_internal_functions_are_kept_apart() -> None:
    text = generate({"tasks.py": module(function("list"), function("sweep", "Mutation", "internal"))}, None)[
        "api.d.ts"
    ]
    public, internal = text.split("export declare const internal")
    assert "list: FunctionReference<" in public
    assert "sweep" not in public
    assert '"mutation",\n      "internal"' in internal


def test_folders_nest_and_default_exports_keep_their_name() -> None:
    text = generate({"lib/deep.py": module(function("default"))}, None)["api.d.ts"]
    assert "  lib: {\n    deep: {\n      default: FunctionReference<" in text


def test_a_module_and_a_folder_of_the_same_name_share_one_branch() -> None:
    modules = {"lib.py": module(function("f")), "lib/a.py": module(function("g"))}
    text = generate(modules, None)["api.d.ts"]
    assert text.count("lib: {") == 1


def test_a_name_can_be_a_function_and_a_module_at_once() -> None:
    modules = {"lib.py": module(function("a")), "lib/a.py": module(function("g"))}
    text = generate(modules, None)["api.d.ts"]
    assert "    a: FunctionReference<" in text
    assert "    > & {\n      g: FunctionReference<" in text


def test_undeclared_arguments_and_results_are_any() -> None:
    text = generate({"a.py": module(function("f"))}, None)["api.d.ts"]
    assert '"query",\n      "public",\n      any,\n      any\n    >;' in text


def test_without_a_schema_any_table_may_hold_anything() -> None:
    assert "export type DataModel = AnyDataModel;" in generate({}, None)["dataModel.d.ts"]


def test_indexes_end_with_the_creation_time_whether_analysed_or_declared() -> None:
    def table(fields: list[str]) -> dict[str, Any]:
        index = {"indexDescriptor": "by_text", "fields": fields}
        return {"tableName": "tasks", "documentType": object_of(text=STRING), "indexes": [index]}

    declared, analysed = (
        generate({}, {"schemaValidation": True, "tables": [table(fields)]})["dataModel.d.ts"]
        for fields in (["text"], ["text", "_creationTime"])
    )
    assert declared == analysed
    assert 'by_text: ["text", "_creationTime"]' in declared


def test_a_schema_that_is_not_enforced_leaves_other_tables_open() -> None:
    text = generate({}, {"schemaValidation": False, "tables": []})["dataModel.d.ts"]
    assert "export type DataModel = {} & AnyDataModel;" in text


def test_each_member_of_a_union_of_documents_gets_the_system_fields() -> None:
    document = {"type": "union", "value": [object_of(a=STRING), object_of(b=NUMBER)]}
    table = {"tableName": "t", "documentType": document, "indexes": []}
    text = generate({}, {"schemaValidation": True, "tables": [table]})["dataModel.d.ts"]
    assert '{ _id: Id<"t">; _creationTime: number; a: string } | {' in text
    assert 'fieldPaths: "_creationTime" | "_id" | "a" | "b";' in text


DOCUMENTS = {
    form: {"type": "document", "tableName": "tasks", "form": form} for form in ("doc", "new", "patch")
}


def test_documents_that_hints_name_are_those_of_the_data_model() -> None:
    modules = {
        "a.py": module(
            function("add", "Mutation", args=object_of(task=DOCUMENTS["new"], changes=DOCUMENTS["patch"])),
            function("all", returns={"type": "array", "value": DOCUMENTS["doc"]}),
        )
    }
    text = generate(modules, None)["api.d.ts"]
    assert 'import type { FunctionReference, WithoutSystemFields } from "convex/server";' in text
    assert 'import type { Doc } from "./dataModel.js";' in text
    assert 'task: WithoutSystemFields<Doc<"tasks">>' in text
    assert 'changes: Partial<WithoutSystemFields<Doc<"tasks">>>' in text
    assert 'Array<Doc<"tasks">>' in text


@pytest.mark.parametrize("schema", [None, {"tables": [], "schemaValidation": True}])
def test_beside_typescript_functions_the_data_model_is_that_of_the_schema(schema: Any) -> None:
    modules = {"a.py": module(function("one", args=object_of(id=STRING), returns=DOCUMENTS["doc"]))}
    text = generate_beside(modules, schema)["python.generated.d.ts"]
    imported = 'import type { Doc } from "./_generated/dataModel.js";'
    assert (imported in text) == (schema is None)
    assert ("export type Doc<" in text) == (schema is not None)
