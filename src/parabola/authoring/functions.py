"""`@query`, `@mutation`, `@action` and their `internal_` forms: functions that clients may call.

::

    @query(args={"limit": v.optional(v.number())}, returns=v.array(task))
    async def list(ctx: QueryCtx, limit: float | None = None): ...

    @mutation                                   # validators come from the signature
    async def create(ctx: MutationCtx, text: str) -> Id["tasks"]: ...
"""

from __future__ import annotations

import builtins
import functools
import inspect
import keyword
from collections.abc import Callable, Coroutine, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, ParamSpec, TypeVar, overload

from parabola.authoring.operations import FunctionKind
from parabola.values.articles import with_article
from parabola.values.errors import BadRequest
from parabola.values.hints.coercion import Convert, argument_converters, converted_arguments
from parabola.values.hints.type_hints import (
    context_hint,
    hinted_validator,
    result_validator,
    validators_from_signature,
)
from parabola.values.validators.agreement import contradicts, promises_too_much
from parabola.values.validators.builder import (
    AnyValidator,
    FieldValidator,
    ObjectValidator,
    OptionalValidator,
    Validator,
    v,
)

if TYPE_CHECKING:
    from parabola.authoring.calls import TransactionLimits

__all__ = [
    "ArgsDeclaration",
    "Function",
    "FunctionDecorator",
    "InvalidFunction",
    "Visibility",
    "action",
    "internal_action",
    "internal_mutation",
    "internal_query",
    "module_being_loaded",
    "mutation",
    "on_declaration",
    "parameter_name",
    "query",
]

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

Visibility = Literal["public", "internal"]
ArgsDeclaration = Mapping[str, FieldValidator] | Validator[Any]

module_being_loaded: ContextVar[str | None] = ContextVar("module_being_loaded", default=None)
"""Name of the user module whose body runs now; set by the host's loader."""

on_declaration: ContextVar[Callable[[Function[Any, Any]], None] | None] = ContextVar(
    "on_declaration", default=None
)
"""Told about every function as it is declared; set by the host's loader."""


_CONTEXTS: Final[Mapping[FunctionKind, str]] = {
    "query": "QueryCtx",
    "mutation": "MutationCtx",
    "action": "ActionCtx",
    "httpAction": "ActionCtx",
}
_EVERY_CONTEXT: Final = frozenset(
    f"{style}{kind}Ctx" for style in ("", "Sync") for kind in ("Query", "Mutation", "Action")
)
_CONTEXTS_OF_OTHERS: Final[Mapping[FunctionKind, frozenset[str]]] = {
    "query": frozenset(name for name in _EVERY_CONTEXT if "Query" not in name),
    "mutation": frozenset(
        name for name in _EVERY_CONTEXT if "Action" in name
    ),  # what queries may, mutations may
    "action": frozenset(name for name in _EVERY_CONTEXT if "Action" not in name),
    "httpAction": frozenset(name for name in _EVERY_CONTEXT if "Action" not in name),
}


class InvalidFunction(BadRequest):
    """A declaration makes no sense. Change the function at `file`, `line`."""

    default_code = "InvalidFunction"

    def __init__(self, message: str, *, file: str | None = None, line: int | None = None) -> None:
        super().__init__(message)
        self.file = file
        self.line = line


class Function(Generic[P, R_co]):
    """A declared function. Clients call it by name; other functions may call it directly, as a helper."""

    def __init__(
        self,
        handler: Callable[P, R_co],
        kind: FunctionKind,
        visibility: Visibility | None,
        args: ArgsDeclaration | None = None,
        returns: Validator[Any] | None = None,
    ) -> None:
        functools.update_wrapper(self, handler)
        self.handler: Final = handler
        self.kind: Final = kind
        self.visibility: Final = visibility
        self.is_async: Final = inspect.iscoroutinefunction(handler)
        self.home: Final = module_being_loaded.get() or handler.__module__
        """Name of the module whose execution declared it: only that module exports it."""
        self.reference_name: str | None = (
            _name_outside_hosts(handler) if module_being_loaded.get() is None else None
        )
        """`"tasks:list"`, once its module is loaded."""
        self._declared_args = args
        self._declared_returns = returns
        self._converters: Mapping[str, Convert] | None = None
        self._validators: tuple[Validator[Any], Validator[Any] | None] | None = None
        told = on_declaration.get()
        if told is not None:
            told(self)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        return self.handler(*args, **kwargs)

    def __getitem__(self, item: Any) -> Any:
        """`list[int]` in a module that has a query called `list` means the builtin type."""
        shadowed = getattr(builtins, self.handler.__name__, None)
        if isinstance(shadowed, type) and hasattr(shadowed, "__class_getitem__"):
            return shadowed[item]  # type: ignore[index]
        raise TypeError(f"{self!r} is not subscriptable")

    if TYPE_CHECKING:
        # How typed contexts see what `run_query` and the rest are given (`typed_contexts.pyi`).

        @overload
        def _as_query(
            self: Function[Any, Coroutine[Any, Any, R]],
            args: Mapping[str, Any] | None = None,
            /,
            *,
            use_stale_snapshot: bool = False,
            transaction_limits: TransactionLimits | None = None,
        ) -> Coroutine[Any, Any, R]: ...

        @overload
        def _as_query(
            self,
            args: Mapping[str, Any] | None = None,
            /,
            *,
            use_stale_snapshot: bool = False,
            transaction_limits: TransactionLimits | None = None,
        ) -> Coroutine[Any, Any, R_co]: ...

        def _as_query(self, *args: Any, **kwargs: Any) -> Any: ...

        _as_mutation = _as_query
        _as_action = _as_query

        def _as_job(self, args: Mapping[str, Any] | None = None, /) -> None: ...

    def __repr__(self) -> str:
        return f"<{self.kind} {self.reference_name or self.handler.__qualname__}>"

    @property
    def source(self) -> tuple[str, int]:
        """File and line of the `def`."""
        code = getattr(inspect.unwrap(self.handler), "__code__", None)
        return (code.co_filename, code.co_firstlineno) if code is not None else ("?", 0)

    @property
    def args(self) -> Validator[Any]:
        """What the arguments must match: an object validator, or any."""
        return self._resolved()[0]

    @property
    def returns(self) -> Validator[Any] | None:
        """What the result must match, `None` when nothing was said."""
        return self._resolved()[1]

    def _resolved(self) -> tuple[Validator[Any], Validator[Any] | None]:
        """Done late: hints may name what is defined further down in the module.

        Raises `InvalidFunction` or `UnmappableHint`, with file and line.
        """
        if self._validators is None:
            self._validators = self._resolve()
        return self._validators

    def _resolve(self) -> tuple[Validator[Any], Validator[Any] | None]:
        returns = self._declared_returns
        self._check_context()
        if self._declared_args is not None:
            args = _args_validator(self._declared_args)
            if args is None:
                raise self._invalid("Args validator must be an object or any")
            if isinstance(args, ObjectValidator):
                self._check_parameters(args)
                self._check_hints(args)
            if returns is None and self.kind != "httpAction":
                returns = result_validator(self.handler)
        elif self.kind == "httpAction":
            return v.any(), None
        else:
            derived_args, derived_returns = validators_from_signature(self.handler)
            args = v.any() if derived_args is None else derived_args
            returns = derived_returns if returns is None else returns
        if returns is not None and not isinstance(returns, Validator):
            raise self._invalid(f"`returns` takes a validator such as `v.null()`. Received {returns!r}.")
        if self._declared_returns is not None:
            hinted = hinted_validator(self.handler, "return")
            if hinted is not None and contradicts(self._declared_returns, hinted):
                raise self._invalid(
                    f"`{self.handler.__name__}` declares `returns={self._declared_returns}`, but its "
                    "return hint says "
                    f"`{hinted}`. Make the two say the same, or leave one of them."
                )
        return args, returns

    def _check_parameters(self, args: ObjectValidator) -> None:
        parameters = builtins.list(inspect.signature(self.handler).parameters.values())[1:]
        if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            return
        names = {parameter.name for parameter in parameters}
        for field in args.fields:
            if parameter_name(field) not in names:
                raise self._invalid(
                    f"`{self.handler.__name__}` declares the argument `{field}` in `args`, but has no "
                    f"parameter `{parameter_name(field)}`."
                )
        declared = {parameter_name(field): validator for field, validator in args.fields.items()}
        for parameter in parameters:
            if parameter.kind is parameter.VAR_POSITIONAL or parameter.default is not parameter.empty:
                continue
            validator = declared.get(parameter.name)
            if validator is None:
                raise self._invalid(
                    f"`{self.handler.__name__}` has a parameter `{parameter.name}` that `args` does not "
                    "declare."
                )
            if isinstance(validator, OptionalValidator):
                raise self._invalid(
                    f"The argument `{parameter.name}` of `{self.handler.__name__}` is optional: give the "
                    f"parameter a default, like `{parameter.name}=None`."
                )

    def _check_hints(self, args: ObjectValidator) -> None:
        """What the validators let pass, the hints must not deny."""
        for field, declared in args.fields.items():
            hinted = hinted_validator(self.handler, parameter_name(field))
            inner = declared.inner if isinstance(declared, OptionalValidator) else declared
            if hinted is not None and promises_too_much(inner, hinted):
                raise self._invalid(
                    f"The argument `{field}` of `{self.handler.__name__}` is `{inner}` in `args`, but "
                    "the hint of "
                    f"its parameter says `{hinted}`. Make the two say the same, or leave one of them."
                )

    def _check_context(self) -> None:
        name = self.handler.__name__
        hint = context_hint(self.handler)
        if hint is None:
            return
        right = _CONTEXTS[self.kind]
        kind = "HTTP action" if self.kind == "httpAction" else self.kind
        if hint in _CONTEXTS_OF_OTHERS[self.kind]:
            raise self._invalid(
                f"`{name}` is {with_article(kind)}, which gets {with_article(f'`{right}`')}, but its hint "
                f"says `{hint}`. Change the hint, or the decorator."
            )
        if hint not in _EVERY_CONTEXT:
            raise self._invalid(
                f"The first parameter of `{name}` is its context, but its hint says `{hint}`. Put the "
                "context before "
                f"the arguments: `{name}(ctx: {right}, ...)`."
            )

    def _invalid(self, message: str) -> InvalidFunction:
        file, line = self.source
        return InvalidFunction(message, file=file, line=line)

    def bind(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """Keyword arguments for the handler, from validated arguments: what hints ask for is converted."""
        if self._converters is None:
            self._converters = argument_converters(self.handler)
        coerced = converted_arguments(args, self._converters)
        for name in coerced:
            if keyword.iskeyword(name):
                return {parameter_name(name): value for name, value in coerced.items()}
        return coerced


def parameter_name(field: str) -> str:
    """The parameter an argument is passed to: its name, with `_` appended to Python's keywords."""
    return f"{field}_" if keyword.iskeyword(field) else field


def _args_validator(declared: ArgsDeclaration) -> Validator[Any] | None:
    if isinstance(declared, (ObjectValidator, AnyValidator)):
        return declared
    return v.object(declared) if isinstance(declared, Mapping) else None


def _name_outside_hosts(handler: Callable[..., Any]) -> str | None:
    """The likely name of a function that is imported from a `convex` folder without a host."""
    module = handler.__module__ or ""
    head, _, rest = module.partition(".")
    path = rest if head == "convex" and rest else module
    return f"{path.replace('.', '/')}:{handler.__name__}" if path else None


class FunctionDecorator:
    """Declares functions of one kind and visibility: bare, or with `args=` and `returns=`.

    `args` is a dict of validators (or `v.object`), `returns` a validator. What is not given comes from the
    type hints of the signature; a function without hints takes and returns anything.
    """

    def __init__(self, kind: FunctionKind, visibility: Visibility) -> None:
        self.kind: Final = kind
        self.visibility: Final = visibility

    @overload
    def __call__(self, handler: Callable[P, R], /) -> Function[P, R]: ...

    @overload
    def __call__(
        self, *, args: ArgsDeclaration | None = None, returns: Validator[Any] | None = None
    ) -> Callable[[Callable[P, R]], Function[P, R]]: ...

    def __call__(
        self,
        handler: Callable[..., Any] | None = None,
        *,
        args: ArgsDeclaration | None = None,
        returns: Validator[Any] | None = None,
    ) -> Any:
        if handler is not None:
            return self._declare(handler, args, returns)
        return lambda handler: self._declare(handler, args, returns)

    def _declare(
        self, handler: Callable[P, R], args: ArgsDeclaration | None, returns: Validator[Any] | None
    ) -> Function[P, R]:
        is_function: bool = inspect.isfunction(handler)
        if not is_function:
            raise TypeError(
                f"`@{self}` decorates a function: `async def name(ctx, ...)`. Received {handler!r}."
            )
        function = Function(handler, self.kind, self.visibility, args, returns)
        parameters = builtins.list(inspect.signature(handler).parameters.values())
        if not parameters or parameters[0].kind not in (
            inspect.Parameter.POSITIONAL_ONLY,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
        ):
            raise function._invalid(
                f"`{handler.__name__}` needs a first parameter for its context: "
                f"`def {handler.__name__}(ctx, ...)`."
            )
        return function

    def __str__(self) -> str:
        return self.kind if self.visibility == "public" else f"internal_{self.kind}"

    def __repr__(self) -> str:
        return f"<decorator {self}>"


query: Final = FunctionDecorator("query", "public")
"""Declare a query: it reads the database, and clients may call it and follow it."""
mutation: Final = FunctionDecorator("mutation", "public")
"""Declare a mutation: it reads and writes in one transaction, and clients may call it."""
action: Final = FunctionDecorator("action", "public")
"""Declare an action: it may use the network and the clock, and reaches data through other functions."""
internal_query: Final = FunctionDecorator("query", "internal")
"""Declare a query that only other functions may call, and administrators."""
internal_mutation: Final = FunctionDecorator("mutation", "internal")
"""Declare a mutation that only other functions may call, crons and the scheduler among them."""
internal_action: Final = FunctionDecorator("action", "internal")
"""Declare an action that only other functions may call, crons and the scheduler among them."""
