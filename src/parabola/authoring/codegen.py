"""The declarations in `convex/_generated`, written from an analysis of the deployed functions.

A TypeScript or React front end imports them: `api.tasks.list` is then a typed reference, whatever language
the function is written in. The input is what a host's analysis gives (`deploy-api.md` 7.2 and 7.4), so
nothing here runs or imports user code, and the output is a pure function of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from parabola.authoring.component_types import ComponentModules
from parabola.authoring.field_paths import field_paths
from parabola.authoring.typescript_types import key, object_type, string_union, type_of
from parabola.values.analyzed_modules import AnalyzedFunction, AnalyzedModule

__all__ = ["generate", "generate_beside"]

_HEADER: Final = (
    "/* Written by Parabola from the functions in this folder. Do not edit: it is overwritten. */\n"
)

_API_JS: Final = """\
import { anyApi } from "convex/server";

/** References to the public functions: `api.module.function`. */
export const api = anyApi;

/** References to every function that only other functions may call. */
export const internal = anyApi;
"""

_COMPONENTS_JS: Final = """\

/** References to the functions of the components that are used: `components.name.module.function`. */
export const components = componentsGeneric();
"""

_SERVER_JS: Final = """\
import {
  actionGeneric,
  httpActionGeneric,
  internalActionGeneric,
  internalMutationGeneric,
  internalQueryGeneric,
  mutationGeneric,
  queryGeneric,
} from "convex/server";

export const query = queryGeneric;
export const internalQuery = internalQueryGeneric;
export const mutation = mutationGeneric;
export const internalMutation = internalMutationGeneric;
export const action = actionGeneric;
export const internalAction = internalActionGeneric;
export const httpAction = httpActionGeneric;
export const env = process.env;
"""

_SERVER_D_TS: Final = """\
import type {
  ActionBuilder,
  GenericActionCtx,
  GenericDatabaseReader,
  GenericDatabaseWriter,
  GenericMutationCtx,
  GenericQueryCtx,
  HttpActionBuilder,
  MutationBuilder,
  QueryBuilder,
} from "convex/server";
import type { DataModel } from "./dataModel.js";

/** Define a function that reads the database and that clients may call and subscribe to. */
export declare const query: QueryBuilder<DataModel, "public">;
/** Define a query that only other functions may call. */
export declare const internalQuery: QueryBuilder<DataModel, "internal">;
/** Define a function that reads and writes the database in one transaction and that clients may call. */
export declare const mutation: MutationBuilder<DataModel, "public">;
/** Define a mutation that only other functions may call. */
export declare const internalMutation: MutationBuilder<DataModel, "internal">;
/** Define a function that may talk to the outside world and that clients may call. */
export declare const action: ActionBuilder<DataModel, "public">;
/** Define an action that only other functions may call. */
export declare const internalAction: ActionBuilder<DataModel, "internal">;
/** Define a function that answers an HTTP request. */
export declare const httpAction: HttpActionBuilder;
/** The deployment's environment variables. */
export declare const env: Record<string, string | undefined> & {
  CONVEX_CLOUD_URL: string;
  CONVEX_SITE_URL: string;
};

/** What a query's handler is given. */
export type QueryCtx = GenericQueryCtx<DataModel>;
/** What a mutation's handler is given. */
export type MutationCtx = GenericMutationCtx<DataModel>;
/** What an action's handler is given. */
export type ActionCtx = GenericActionCtx<DataModel>;
/** Read access to the database. */
export type DatabaseReader = GenericDatabaseReader<DataModel>;
/** Read and write access to the database. */
export type DatabaseWriter = GenericDatabaseWriter<DataModel>;
"""

_DATA_MODEL_FOOT: Final = """
/** The names of the tables. */
export type TableNames = TableNamesInDataModel<DataModel>;

/** A document of a table, with its system fields. */
export type Doc<TableName extends TableNames> = DocumentByName<DataModel, TableName>;

/** The id of a document of a table: a string at run time, told apart from other strings by its type. */
export type Id<TableName extends TableNames | SystemTableNames> = GenericId<TableName>;
"""

_ANY_DATA_MODEL: Final = """\
import type { AnyDataModel } from "convex/server";
import type { GenericId } from "convex/values";

/** There is no schema, so every table may hold any document. */
export type DataModel = AnyDataModel;

/** The names of the tables. */
export type TableNames = string;

/** A document of a table. */
export type Doc<TableName extends TableNames = TableNames> = any;

/** The id of a document of a table: a string at run time, told apart from other strings by its type. */
export type Id<TableName extends TableNames = TableNames> = GenericId<TableName>;
"""


def generate(
    modules: Mapping[str, AnalyzedModule],
    schema: Mapping[str, Any] | None,
    components: ComponentModules | None = None,
) -> dict[str, str]:
    """File name -> text of everything in `_generated`.

    `modules`: module path (`tasks.py`, `lib/a.js`) -> analyzed module. `schema`: schema JSON, or None.
    `components`: those that the app uses.
    """
    return {
        "api.js": _HEADER + _api_js(components or {}),
        "api.d.ts": _HEADER + _api_declarations(modules, components or {}),
        "dataModel.d.ts": _HEADER + _data_model(schema),
        "server.js": _HEADER + _SERVER_JS,
        "server.d.ts": _HEADER + _SERVER_D_TS,
    }


def _api_js(components: ComponentModules) -> str:
    if not components:
        return _API_JS
    return _API_JS.replace("import { anyApi }", "import { anyApi, componentsGeneric }") + _COMPONENTS_JS


def generate_beside(
    modules: Mapping[str, AnalyzedModule],
    schema: Mapping[str, Any] | None,
    components: ComponentModules | None = None,
) -> dict[str, str]:
    """The same for a folder that also has TypeScript functions, where `npx convex` writes `_generated`.

    `modules` are the Python ones, `schema` is that of a `schema.py`. The name has two dots, so that the
    bundler of `npx convex` takes the file for no module of its own, while TypeScript modules can import it.
    """
    body = _references(modules, components or {})
    # Where there is no `schema.py`, `npx convex` writes the data model, beside this.
    foot, model = ("", "./_generated/dataModel.js") if schema is None else ("\n" + _data_model(schema), None)
    declarations = f"{_imports(body, model, functions=True)}\n{body}"
    return {
        "python.generated.js": _HEADER + _api_js(components or {}),
        "python.generated.d.ts": _HEADER + declarations + foot,
    }


def _references(modules: Mapping[str, AnalyzedModule], components: ComponentModules) -> str:
    public = _tree(modules, "public")
    internal = _tree(modules, "internal")
    return (
        "/** References to the public functions: `api.module.function`. */\n"
        f"export declare const api: {public.type()};\n\n"
        "/** References to every function that only other functions may call. */\n"
        f"export declare const internal: {internal.type()};\n"
    ) + _component_references(components)


def _component_references(components: ComponentModules) -> str:
    if not components:
        return ""
    used = _Node()
    for name, modules in sorted(components.items()):
        used.children[name] = _tree(modules, "public", of_component=True)
    return (
        "\n/** References to the functions of the components that are used: "
        "`components.name.module.function`. */\n"
        f"export declare const components: {used.type()};\n"
    )


def _api_declarations(modules: Mapping[str, AnalyzedModule], components: ComponentModules) -> str:
    body = _references(modules, components)
    imports = _imports(body, "./dataModel.js")
    return f"{imports}\n{body}" if imports else body


def _imports(body: str, model: str | None, *, functions: bool = False) -> str:
    """The imports that `body` needs; `model` is the module that has `Doc` and `Id`, None for its own."""
    lines = ""
    server = [name for name in ("FunctionReference", "WithoutSystemFields") if f"{name}<" in body]
    if functions and not server:
        server = ["FunctionReference"]
    if server:
        lines += f'import type {{ {", ".join(server)} }} from "convex/server";\n'
    names = [name for name in ("Doc", "Id") if re.search(rf"\b{name}<", body)]
    if names and model is not None:
        lines += f'import type {{ {", ".join(names)} }} from "{model}";\n'
    return lines


@dataclass
class _Node:
    """A name below `api`: a folder or module with what is in it, a function, or both at once."""

    function: str | None = None
    children: dict[str, _Node] = field(default_factory=dict)

    def child(self, name: str) -> _Node:
        return self.children.setdefault(name, _Node())

    def type(self, depth: int = 0) -> str:
        members = [
            f"{'  ' * (depth + 1)}{key(name)}: {child.type(depth + 1)};\n"
            for name, child in self.children.items()
        ]
        branch = "{\n" + "".join(members) + "  " * depth + "}" if members else "{}"
        if self.function is None:
            return branch
        reference = self.function.replace("\n", "\n" + "  " * depth)
        return f"{reference} & {branch}" if members else reference


def _tree(modules: Mapping[str, AnalyzedModule], visibility: str, *, of_component: bool = False) -> _Node:
    """The functions of one visibility: `lib/a.py:f` is the node lib, a, f. Those of a component are called
    from functions alone.
    """
    root = _Node()
    for path in sorted(modules):
        for function in modules[path].functions:
            if function.exposure != visibility:
                continue
            node = root
            for segment in path.rpartition(".")[0].split("/"):
                node = node.child(segment)
            shown = "internal" if of_component else visibility
            node.child(function.name).function = _reference(function, shown)
    return root


def _reference(function: AnalyzedFunction, visibility: str) -> str:
    args, returns = _parse(function.args), _parse(function.returns)
    parts = [
        json.dumps(function.udf_type.lower()),
        json.dumps(visibility),
        type_of(args, 1) if args else "any",
        type_of(returns, 1) if returns else "any",
    ]
    return "FunctionReference<\n" + ",\n".join(f"  {part}" for part in parts) + "\n>"


def _parse(text: str | None) -> dict[str, Any] | None:
    """A validator from its JSON text; None where the function declares none (`null`, or the text `null`)."""
    parsed: dict[str, Any] | None = json.loads(text) if text is not None else None
    return parsed


def _data_model(schema: Mapping[str, Any] | None) -> str:
    if schema is None:
        return _ANY_DATA_MODEL
    open_ended = not schema.get("schemaValidation", False)
    names = ["DocumentByName", "SystemTableNames", "TableNamesInDataModel"]
    if open_ended:
        names.insert(0, "AnyDataModel")
    tables = {
        table["tableName"]: (_table_type(table), False)
        for table in sorted(schema["tables"], key=lambda table: str(table["tableName"]))
    }
    return (
        f'import type {{ {", ".join(names)} }} from "convex/server";\n'
        'import type { GenericId } from "convex/values";\n\n'
        "/** The tables: their documents and the indexes on them. */\n"
        f"export type DataModel = {object_type(tables) if tables else '{}'}"
        f"{' & AnyDataModel' if open_ended else ''};\n" + _DATA_MODEL_FOOT
    )


def _table_type(table: Mapping[str, Any]) -> str:
    name = table["tableName"]
    document = _with_system_fields(table.get("documentType") or {"type": "any"}, name)
    paths = sorted(dict.fromkeys(["_id", "_creationTime", *filter(None, field_paths(document))]))
    indexes = {"by_id": ["_id"], "by_creation_time": ["_creationTime"]}
    for index in table.get("indexes", []):
        fields = list(index["fields"])
        if (
            "_creationTime" not in fields
        ):  # an analysed schema ends each index with it, a declared one does not
            fields.append("_creationTime")
        indexes[index["indexDescriptor"]] = fields
    members = {
        "document": type_of(document, 2),
        "fieldPaths": "any" if document["type"] == "any" else string_union(paths),
        "indexes": object_type({name: (json.dumps(fields), False) for name, fields in indexes.items()}, 2),
        "searchIndexes": _search_indexes(table.get("searchIndexes", []), "searchField"),
        "vectorIndexes": _search_indexes(table.get("vectorIndexes", []), "vectorField"),
    }
    return object_type({name: (text, False) for name, text in members.items()}, 1)


def _search_indexes(indexes: list[Mapping[str, Any]], searched: str) -> str:
    if not indexes:
        return "{}"
    types = {}
    for index in indexes:
        members = {searched: (json.dumps(index[searched]), False)}
        if "dimensions" in index:
            members["dimensions"] = ("number", False)
        members["filterFields"] = (string_union(index.get("filterFields", [])), False)
        types[index["indexDescriptor"]] = (object_type(members, 3), False)
    return object_type(types, 2)


def _with_system_fields(document: Mapping[str, Any], table: str) -> Mapping[str, Any]:
    if document["type"] == "union":
        members = [_with_system_fields(member, table) for member in document["value"]]
        return {"type": "union", "value": members}
    if document["type"] == "object":
        system = {
            "_id": {"fieldType": {"type": "id", "tableName": table}, "optional": False},
            "_creationTime": {"fieldType": {"type": "number"}, "optional": False},
        }
        return {"type": "object", "value": {**system, **document["value"]}}
    return document
