"""Operations that call other functions: in the same transaction from queries and mutations, on their own from
actions (js-runtime §8).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from parabola.functions.calls.arguments import EncodedArguments, decode_arguments
from parabola.functions.calls.calling import Call, resolve
from parabola.functions.calls.execution import Execution, NestedFailure
from parabola.functions.calls.refusals import CallRefused
from parabola.functions.deployed.deployment import KIND_TITLES
from parabola.functions.deployed.function_path import FunctionPath, parse_path
from parabola.functions.syscalls.table import ACTIONS, EVERYWHERE, TRANSACTIONAL, CallArguments, Syscall
from parabola.functions.system.registry import PREFIX
from parabola.values.articles import with_article
from parabola.values.errors import BadRequest, UserError
from parabola.values.limits import MAX_NESTED_CALL_DEPTH

if TYPE_CHECKING:
    from parabola.functions.outcomes.failures import FunctionFailure
    from parabola.functions.outcomes.results import FunctionResult

__all__ = [
    "CHILD_REFERENCE",
    "FUNCTION_REFERENCE",
    "SYSCALLS",
    "called_function",
    "create_function_handle",
    "run_action",
    "run_mutation",
    "run_query",
    "run_udf",
]

FUNCTION_REFERENCE: Final = "_reference/function/"
CHILD_REFERENCE: Final = "_reference/childComponent/"


def called_function(execution: Execution, args: Mapping[str, Any], label: str) -> FunctionPath:
    """The function that `name`, `reference` or `functionHandle` stands for."""
    call = CallArguments(args, label)
    if (name := call.optional_string("name")) is not None:
        return parse_path(name)
    if (reference := call.optional_string("reference")) is not None:
        if reference.startswith(FUNCTION_REFERENCE):
            return parse_path(reference.removeprefix(FUNCTION_REFERENCE))
        if reference.startswith(CHILD_REFERENCE):
            child = reference.removeprefix(CHILD_REFERENCE).split("/")[0]
            raise BadRequest(f"Child component {child} not found", code="InvalidReference")
        raise BadRequest(f"Couldn't resolve {reference}", code="InvalidReference")
    if (handle := call.optional_string("functionHandle")) is not None:
        return execution.around.calls.handles.function(handle)
    raise BadRequest(f"Invalid arguments for `{label}`: Missing required argument 'name'")


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
    name = called_function(execution, args, "runUdf")
    attempt, transaction = execution.attempt, execution.db
    try:
        spec = resolve(attempt.deployment, name, kind, public_only=False)
        given = args.get("args") or {}
        arguments = decode_arguments(given, spec.path, in_mutation=execution.is_in_mutation)
    except CallRefused as refusal:
        raise _nested_failure(execution, name, refusal.failure) from None
    snapshot = udf_type == "snapshotQuery"
    nested = Execution(
        attempt=attempt,
        spec=spec,
        arguments=arguments,
        transaction=transaction.snapshot_view() if snapshot else transaction,  # type: ignore[arg-type]
        depth=execution.depth + 1,
    )
    savepoint = transaction.savepoint()
    paginated, transaction.paginated = transaction.paginated, False  # the callee has a page of its own
    try:
        with transaction.usage.tightened(args.get("transactionLimits")):
            outcome = await nested.run(nested.db)
    finally:
        transaction.paginated = paginated
        execution.logs.nest(nested.logs.lines(), str(spec.name), attempt.component)
    if outcome.failure is not None:
        if kind == "mutation":
            transaction.rollback_to(savepoint)
        raise NestedFailure(outcome.failure)
    return orjson.Fragment(outcome.value_json)


def _nested_failure(execution: Execution, name: FunctionPath, failure: FunctionFailure) -> NestedFailure:
    """What a caller is told; where there is no function of this name, advised authors hear what there is."""
    deployment = execution.attempt.deployment
    is_missing = name.canonical not in deployment.functions and not name.module.startswith(PREFIX)
    if is_missing and execution.is_advised:
        failure = replace(failure, message=failure.message + deployment.near(name))
    return NestedFailure(failure)


def _value_of(execution: Execution, call: Call, result: FunctionResult) -> Any:
    if result.error is not None:
        raise _nested_failure(execution, call.name, result.error)
    return orjson.Fragment(result.value_json)


def _call_of_action(execution: Execution, args: Mapping[str, Any], label: str) -> Call:
    """A call that an action makes: to internal functions too, as its caller, for the same request."""
    attempt = execution.attempt
    return Call(
        called_function(execution, args, label),
        EncodedArguments(args.get("args") or {}),
        attempt.identity,
        public_only=False,
        request=replace(attempt.request, caller="Action", parent_execution_id=attempt.execution_id),
    )


async def run_query(execution: Execution, args: Mapping[str, Any]) -> Any:
    """A query in a transaction of its own, at the newest timestamp."""
    call = _call_of_action(execution, args, "runQuery")
    return _value_of(execution, call, await execution.around.calls.query_now(call))


async def run_mutation(execution: Execution, args: Mapping[str, Any]) -> Any:
    """A mutation in a transaction of its own, committed whatever becomes of the action."""
    call = _call_of_action(execution, args, "runMutation")
    return _value_of(execution, call, await execution.around.calls.mutation(call))


async def run_action(execution: Execution, args: Mapping[str, Any]) -> Any:
    """Another action. It does not wait for a place among the running ones: this one holds one."""
    if execution.depth + 1 > MAX_NESTED_CALL_DEPTH:
        raise BadRequest(
            "Cross component call depth limit exceeded. Do you have an infinite loop in your app?"
        )
    call = _call_of_action(execution, args, "runAction")
    return _value_of(execution, call, await execution.around.calls.action(call, execution.depth + 1))


async def create_function_handle(execution: Execution, args: Mapping[str, Any]) -> Any:
    """A string that stands for a function for good, whatever its visibility."""
    handle = args.get("functionHandle")
    name = called_function(execution, args, "createFunctionHandle")
    if isinstance(handle, str):
        return handle
    spec = execution.attempt.deployment.functions.get(name.canonical)
    if spec is None:
        advice = execution.attempt.deployment.near(name) if execution.is_advised else ""
        raise UserError(f"Could not find public function for '{name}'.{advice}")
    return execution.around.calls.handles.handle(name)


SYSCALLS: Final = (
    Syscall("1.0/runUdf", run_udf, TRANSACTIONAL),
    Syscall("1.0/actions/query", run_query, ACTIONS),
    Syscall("1.0/actions/mutation", run_mutation, ACTIONS),
    Syscall("1.0/actions/action", run_action, ACTIONS),
    Syscall("1.0/createFunctionHandle", create_function_handle, EVERYWHERE),
)
