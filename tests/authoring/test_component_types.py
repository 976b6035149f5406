"""What others see of a component's functions, in declarations for Python and TypeScript."""

from __future__ import annotations

from typing import Any, Literal

import orjson

from parabola.authoring.codegen import generate, generate_beside
from parabola.authoring.component_types import seen_from_outside
from parabola.authoring.python_types.generate import generate_python
from parabola.values.analyzed_modules import AnalyzedFunction, AnalyzedModule, UdfType, Visibility
from parabola.values.schema.definition import define_schema, define_table
from parabola.values.validators.builder import v

SCHEMA = define_schema({"items": define_table({"name": v.string(), "of": v.id("items")})})
ITEM = {"type": "document", "tableName": "items", "form": "doc"}


def function(
    name: str, kind: UdfType, visibility: Literal["public", "internal"], args: Any, returns: Any
) -> AnalyzedFunction:
    texts = [None if each is None else orjson.dumps(each).decode() for each in (args, returns)]
    return AnalyzedFunction(
        name=name,
        udf_type=kind,
        visibility=Visibility(kind=visibility),
        args=texts[0],
        returns=texts[1],
    )


MODULES = {
    "lib.py": AnalyzedModule(
        functions=(
            function(
                "add", "Mutation", "public", v.object({"name": v.string()}).to_json(), v.id("items").to_json()
            ),
            function("all", "Query", "public", None, {"type": "array", "value": ITEM}),
            function("hidden", "Query", "internal", None, None),
            function("odd", "Query", "public", None, v.literal("id").to_json()),
        )
    ),
    "inside.py": AnalyzedModule(functions=(function("hidden", "Action", "internal", None, None),)),
}
COMPONENTS = {"kit": seen_from_outside(MODULES, SCHEMA)}


def test_internal_functions_are_not_seen_and_ids_are_texts() -> None:
    (module,) = COMPONENTS["kit"].values()
    add, everything, odd = module.functions
    assert [each.name for each in module.functions] == ["add", "all", "odd"]
    assert orjson.loads(add.returns or "") == {"type": "string"}
    fields = orjson.loads(everything.returns or "")["value"]["value"]
    assert fields["_id"]["fieldType"] == fields["of"]["fieldType"] == {"type": "string"}
    assert orjson.loads(odd.returns or "") == {"type": "literal", "value": "id"}


def test_components_are_in_the_declarations_of_both_languages() -> None:
    files = generate({}, None, COMPONENTS)
    assert "export const components = componentsGeneric();" in files["api.js"]
    assert 'import { anyApi, componentsGeneric } from "convex/server";' in files["api.js"]
    declared = files["api.d.ts"].partition("export declare const components")[2]
    assert '"internal"' in declared
    assert '"public"' not in declared
    beside = generate_beside({}, None, COMPONENTS)
    assert "export declare const components: {\n  kit: {\n    lib: {" in beside["python.generated.d.ts"]
    stub = generate_python({}, None, (), COMPONENTS)["api.pyi"]
    assert "add: MutationReference[_ComponentsKitLibAddArgs, str]" in stub
    assert "components: _components\n" in stub


def test_without_components_everything_is_as_it_was() -> None:
    assert "components" not in generate({}, None)["api.js"] + generate({}, None)["api.d.ts"]
    assert "from parabola import components as components" in generate_python({}, None)["api.pyi"]
    assert "components: _components\n" in generate_python({}, None, (), {})["api.pyi"]
