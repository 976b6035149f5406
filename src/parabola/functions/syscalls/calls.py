"""Operations that call other functions: in the same transaction from queries and mutations, on their own from
actions (js-runtime §8).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson
from msgspec.structs import replace

from parabola.functions.calls.arguments import EncodedArguments, decode_arguments
from parabola.functions.calls.calling import Call, resolve
from parabola.functions.calls.execution import Execution, NestedFailure
from parabola.functions.calls.refusals import CallRefused
from parabola.functions.deployed.components import Component
from parabola.functions.deployed.deployment import KIND_TITLES
from parabola.functions.deployed.function_path import FunctionPath, parse_path
from parabola.functions.deployed.identity import NO_IDENTITY
from parabola.functions.deployed.runtimes import language_of
from parabola.functions.syscalls.table import ACTIONS, EVERYWHERE, TRANSACTIONAL, CallArguments, Syscall
from parabola.functions.system.registry import PREFIX
from parabola.values.articles import with_article
from parabola.values.encoding import decode, dumps_with_integers
from parabola.values.errors import BadRequest, UserError
from parabola.values.limits import MAX_NESTED_CALL_DEPTH
from parabola.values.near_names import did_you_mean
from parabola.values.validators.handles import HANDLE_SCHEME

if TYPE_CHECKING:
    from parabola.functions.calls.surroundings import Tracer
    from parabola.functions.outcomes.failures import FunctionFailure
    from parabola.functions.outcomes.results import FunctionResult
    from parabola.functions.outcomes.traces import NestedCall

__all__ = [
    "CHILD_REFERENCE",
    "FUNCTION_REFERENCE",
    "SYSCALLS",
    "Called",
    "called_function",
    "create_function_handle",
    "run_action",
    "run_mutation",
    "run_query",
    "run_udf",
]

FUNCTION_REFERENCE: Final = "_reference/function/"
CHILD_REFERENCE: Final = "_reference/childComponent/"


class Called(NamedTuple):
    """A function that a call names, and whose it is."""

    component: Component
    name: FunctionPath


def called_function(execution: Execution, args: Mapping[str, Any], label: str) -> Called:
    """The function that `name`, `reference` or `functionHandle` stands for: one of the caller's own
    component, a public one of its children, or whatever a handle was made for (components 7.1). Raises
    `BadRequest`.
    """
    call = CallArguments(args, label)
    if (name := call.optional_string("name")) is not None:
        return Called(execution.component, parse_path(name))
    if (reference := call.optional_string("reference")) is not None:
        if reference.startswith(FUNCTION_REFERENCE):
            return Called(execution.component, parse_path(reference.removeprefix(FUNCTION_REFERENCE)))
        if reference.startswith(CHILD_REFERENCE):
            return _function_of_child(execution, reference.removeprefix(CHILD_REFERENCE))
        raise BadRequest(f"Couldn't resolve {reference}", code="InvalidReference")
    if (handle := call.optional_string("functionHandle")) is not None:
        component_id, name_of_handle = execution.around.calls.handles.function(handle)
        component = execution.attempt.deployment.component(component_id)
        if component is None or component.state != "active":
            raise BadRequest("Function handle not found", code="FunctionHandleNotFound")
        return Called(component, name_of_handle)
    raise BadRequest(f"Invalid arguments for `{label}`: Missing required argument 'name'")


def _function_of_child(execution: Execution, reference: str) -> Called:
    """What `child/module/function` stands for: an export of a child, which nothing but its public functions
    are.
    """
    mount, *way = reference.split("/")
    in_action = execution.transaction is None
    child_id = execution.component.children.get(mount)
    child = None if child_id is None else execution.attempt.deployment.component(child_id)
    if child is not None and len(way) > 1:
        spec = child.definition.functions.get(f"{'/'.join(way[:-1])}:{way[-1]}")
        if spec is not None and spec.visibility == "public":
            return Called(child, spec.name)
    if in_action:
        text = f"Couldn't resolve {'.'.join((mount, *way))}"
    elif child is None:
        text = f'Child component "{mount}" not found'
    else:
        text = f'Child component "{mount}" does not export {".".join(way)}'
    if execution.is_advised:
        advice = _exports_near(child, way) if child else did_you_mean(mount, execution.component.children)
        text += advice and f".{advice}"
    raise BadRequest(text, code="InvalidReference")


def _exports_near(child: Component, way: list[str]) -> str:
    exports = [
        name.canonical.replace("/", ".").replace(":", ".")
        for spec in child.definition.functions.values()
        if spec.visibility == "public" and (name := spec.name)
    ]
    return did_you_mean(".".join(way), exports)


async def run_udf(execution: Execution, args: Mapping[str, Any]) -> Any:
    """Call a function inside the running transaction (js-runtime §8): its failure undoes its writes and
    nothing else.
    """
    udf_type = CallArguments(args, "runUdf").string("udfType")
    kind = "query" if udf_type == "snapshotQuery" else udf_type
    if kind not in ("query", "mutation"):
        raise BadRequest(f"Invalid argument `udfType` for `runUdf`: unknown function type {udf_type}")
    if execution.kind == "query" and udf_type != "query":
        raise BadRequest(f"Cannot call {with_article(KIND_TITLES[kind])} function from a Query function")
    if execution.depth + 1 > MAX_NESTED_CALL_DEPTH:
        raise BadRequest(
            "Cross component call depth limit exceeded. Do you have an infinite loop in your app?"
        )
    called = called_function(execution, args, "runUdf")
    component, name = called
    attempt, transaction = execution.attempt, execution.db
    try:
        spec = resolve(component, name, kind, public_only=False)
        given = args.get("args") or {}
        arguments = decode_arguments(given, spec.path, in_mutation=execution.is_in_mutation)
    except CallRefused as refusal:
        raise _nested_failure(execution, called, refusal.failure) from None
    seen = transaction.snapshot_view() if udf_type == "snapshotQuery" else transaction
    nested = Execution(
        attempt=attempt,
        component=component,
        spec=spec,
        arguments=arguments,
        transaction=seen.view(component.id),  # type: ignore[arg-type]
        depth=execution.depth + 1,
    )
    tracer = execution.around.calls.tracer
    noted = None if tracer is None or attempt.nested is None else _note(tracer, execution, nested)
    savepoint = transaction.savepoint()
    try:
        with transaction.usage.tightened(args.get("transactionLimits")):
            outcome = await nested.run(nested.db)
    finally:
        execution.logs.nest(nested.logs.lines(), str(spec.name), component.path)
        if noted is not None and tracer is not None:
            noted.ended = tracer.now()
    if noted is not None and outcome.failure is not None:
        noted.error = outcome.failure.text()
    if outcome.failure is not None:
        if kind == "mutation":
            transaction.rollback_to(savepoint)
        raise NestedFailure(outcome.failure)
    return orjson.Fragment(_as_returned(execution, called, args, outcome.value_json))


def _note(tracer: Tracer, caller: Execution, nested: Execution) -> NestedCall:
    """Note a call that begins."""
    from parabola.functions.outcomes.traces import NestedCall  # where traces are made alone

    spec, calls = nested.spec, caller.attempt.nested
    assert calls is not None
    noted = NestedCall(
        str(spec.name), KIND_TITLES[spec.kind], nested.component.path, caller.place, tracer.now()
    )
    nested.place = len(calls)
    calls.append(noted)
    return noted


def _nested_failure(execution: Execution, called: Called, failure: FunctionFailure) -> NestedFailure:
    """What a caller is told; where there is no function of this name, advised authors hear what there is."""
    name, definition = called.name, called.component.definition
    is_missing = name.canonical not in definition.functions and not name.module.startswith(PREFIX)
    if is_missing and execution.is_advised:
        failure = replace(failure, message=failure.message + definition.near(name))
    return NestedFailure(failure)


def _value_of(execution: Execution, called: Called, args: Mapping[str, Any], result: FunctionResult) -> Any:
    if result.error is not None:
        raise _nested_failure(execution, called, result.error)
    return orjson.Fragment(_as_returned(execution, called, args, result.value_json))


def _as_returned(execution: Execution, called: Called, args: Mapping[str, Any], value_json: bytes) -> bytes:
    """The result of a call as its caller gets it. A host knows of functions that are called by their names
    alone which of the numbers that they return are integers.
    """
    if args.get("name") is not None or not language_of(execution.spec.runtime).has_integers:
        return value_json
    spec = called.component.definition.functions.get(called.name.canonical)
    integers = None if spec is None else spec.returned_integers
    return value_json if integers is None else dumps_with_integers(integers(decode(orjson.loads(value_json))))


def _call_of_action(execution: Execution, called: Called, args: Mapping[str, Any]) -> Call:
    """A call that an action makes: to internal functions too, for the same request. It is its own caller's
    within the app alone.
    """
    attempt = execution.attempt
    within_app = execution.component.is_app and called.component.is_app
    return Call(
        called.name,
        EncodedArguments(args.get("args") or {}),
        attempt.identity if within_app else NO_IDENTITY,
        called.component.path,
        public_only=False,
        request=replace(attempt.request, caller="Action", parent_execution_id=attempt.execution_id),
    )


async def run_query(execution: Execution, args: Mapping[str, Any]) -> Any:
    """A query in a transaction of its own, at the newest timestamp."""
    called = called_function(execution, args, "runQuery")
    call = _call_of_action(execution, called, args)
    return _value_of(execution, called, args, await execution.around.calls.query_now(call))


async def run_mutation(execution: Execution, args: Mapping[str, Any]) -> Any:
    """A mutation in a transaction of its own, committed whatever becomes of the action."""
    called = called_function(execution, args, "runMutation")
    call = _call_of_action(execution, called, args)
    return _value_of(execution, called, args, await execution.around.calls.mutation(call))


async def run_action(execution: Execution, args: Mapping[str, Any]) -> Any:
    """Another action. It does not wait for a place among the running ones: this one holds one."""
    if execution.depth + 1 > MAX_NESTED_CALL_DEPTH:
        raise BadRequest(
            "Cross component call depth limit exceeded. Do you have an infinite loop in your app?"
        )
    called = called_function(execution, args, "runAction")
    call = _call_of_action(execution, called, args)
    result = await execution.around.calls.action(call, execution.depth + 1)
    return _value_of(execution, called, args, result)


async def create_function_handle(execution: Execution, args: Mapping[str, Any]) -> Any:
    """A string that stands for a function for good, whatever its visibility."""
    handle = args.get("functionHandle")
    if isinstance(handle, str) and handle.startswith(HANDLE_SCHEME):
        return handle
    component, name = called_function(execution, args, "createFunctionHandle")
    if name.canonical not in component.definition.functions:
        advice = component.definition.near(name) if execution.is_advised else ""
        raise UserError(f"Could not find public function for '{name}'{component.named()}.{advice}")
    return execution.around.calls.handles.handle(component.id, name)


SYSCALLS: Final = (
    Syscall("1.0/runUdf", run_udf, TRANSACTIONAL),
    Syscall("1.0/actions/query", run_query, ACTIONS),
    Syscall("1.0/actions/mutation", run_mutation, ACTIONS),
    Syscall("1.0/actions/action", run_action, ACTIONS),
    Syscall("1.0/createFunctionHandle", create_function_handle, EVERYWHERE),
)
