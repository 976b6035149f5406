"""The requests of `npx convex` pushes, read into what the deploy service takes (deploy-api 6.3)."""

from __future__ import annotations

from typing import Any, Final

from parabola.functions.deployed.deployment import Module
from parabola.functions.deployed.runtimes import RuntimeName, runtimes_of
from parabola.server.http.json_body import read_object
from parabola.services.deploys.definitions import PushedDefinition
from parabola.services.deploys.push import Push, UnchangedModule
from parabola.values.errors import BadRequest

__all__ = ["read_start_push"]

_RUNTIMES: Final = runtimes_of("typescript")
_NODE_VERSIONS: Final = ("20", "22", "24")


def read_start_push(body: Any) -> Push:
    """The push that a `start_push`, `evaluate_push` or `evaluate_schema` request carries.

    Raises `BadRequest` for a malformed body, and for versions of Node.js that are no longer maintained.
    """
    optional_list, optional_text = (list, type(None)), (str, type(None))
    fields = read_object(
        body,
        appDefinition=dict,
        dryRun=(bool, type(None)),
        forCodegen=(bool, type(None)),
        componentDefinitions=optional_list,
        nodeDependencies=optional_list,
        nodeVersion=optional_text,
        message=optional_text,
    )
    version = fields["nodeVersion"]
    if version is not None and version not in _NODE_VERSIONS:
        raise BadRequest(
            f"Node.js {version} is not supported. Set `nodeVersion` in convex.json to one of "
            f"{', '.join(_NODE_VERSIONS)}.",
            code="NodeVersionNotSupported",
        )
    app = fields["appDefinition"]
    parts = read_object(
        app,
        definition=(dict, type(None)),
        schema=(dict, type(None)),
        changedModules=optional_list,
        functions=optional_list,
        unchangedModuleHashes=optional_list,
    )
    sent = parts["changedModules"] if parts["changedModules"] is not None else parts["functions"] or []
    modules = [_module(entry) for entry in sent]
    if parts["schema"] is not None:
        modules.append(_module(parts["schema"]))
    return Push(
        "typescript",
        tuple(modules),
        unchanged=tuple(_unchanged(entry) for entry in parts["unchangedModuleHashes"] or []),
        dry_run=bool(fields["dryRun"]),
        for_codegen=bool(fields["forCodegen"]),
        node_dependencies=tuple(_dependency(entry) for entry in fields["nodeDependencies"] or []),
        message=fields["message"],
        definitions=_definitions(parts["definition"], fields["componentDefinitions"] or []),
    )


def _definitions(app: Any, components: list[Any]) -> tuple[PushedDefinition, ...]:
    if app is None:
        return ()
    return (PushedDefinition("", _module(app)), *(_component(entry) for entry in components))


def _component(entry: Any) -> PushedDefinition:
    fields = read_object(
        entry,
        definitionPath=str,
        definition=dict,
        schema=(dict, type(None)),
        functions=(list, type(None)),
    )
    path = fields["definitionPath"]
    if not path:
        raise BadRequest("A component has no path: that is the app's.", code="InvalidConvexConfig")
    sent = [*(fields["functions"] or []), *([fields["schema"]] if fields["schema"] is not None else [])]
    modules = tuple(_module(each) for each in sent)
    for module in modules:
        if module.runtime != "isolate":
            raise BadRequest(
                f'{path}/{module.path} begins with "use node": components cannot run in Node.js.',
                code="InvalidModules",
            )
    return PushedDefinition(path, _module(fields["definition"]), modules)


def _module(entry: Any) -> Module:
    fields = read_object(
        entry, path=str, source=str, sourceMap=(str, type(None)), environment=(str, type(None))
    )
    return Module(fields["path"], _runtime(fields), fields["source"], fields["sourceMap"])


def _unchanged(entry: Any) -> UnchangedModule:
    fields = read_object(entry, path=str, sha256=str, environment=(str, type(None)))
    return UnchangedModule(fields["path"], _runtime(fields), fields["sha256"])


def _runtime(fields: dict[str, Any]) -> RuntimeName:
    named = fields["environment"] or "isolate"
    for runtime in _RUNTIMES:
        if named == runtime:
            return runtime
    raise BadRequest(
        f"{fields['path']} asks for the runtime {named!r}; there are {' and '.join(_RUNTIMES)}.",
        code="InvalidModules",
    )


def _dependency(entry: Any) -> tuple[str, str]:
    fields = read_object(entry, name=str, version=str)
    return fields["name"], fields["version"]
