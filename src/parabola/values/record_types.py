"""The fields of classes that stand for objects: `TypedDict`, dataclass, `msgspec.Struct`, Pydantic model.

Pydantic itself is never imported: its models are known by what they have.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

__all__ = [
    "RecordField",
    "is_model",
    "is_record_type",
    "is_root_model",
    "is_typed_dict",
    "model_names",
    "record_fields",
    "struct_tag",
]


@dataclasses.dataclass(frozen=True, slots=True)
class RecordField:
    """One field: its name in the object, the attribute that holds it, its hint, whether it may be absent."""

    name: str
    attribute: str
    hint: Any
    optional: bool


def is_record_type(hint: Any) -> bool:
    """True for a class whose instances stand for objects with fixed fields."""
    return isinstance(hint, type) and (
        is_typed_dict(hint)
        or dataclasses.is_dataclass(hint)
        or issubclass(hint, msgspec.Struct)
        or is_model(hint)
    )


def is_model(hint: Any) -> bool:
    """True for a model of Pydantic (2 or newer)."""
    return isinstance(hint, type) and hasattr(hint, "__pydantic_fields__") and hasattr(hint, "model_validate")


def is_root_model(hint: Any) -> bool:
    """True for a `RootModel` of Pydantic, which stands for the value of its one field `root`."""
    return is_model(hint) and bool(getattr(hint, "__pydantic_root_model__", False))


def is_typed_dict(hint: Any) -> bool:
    """True for a `TypedDict`, of `typing` or of `typing_extensions`."""
    return isinstance(hint, type) and issubclass(hint, dict) and hasattr(hint, "__required_keys__")


def record_fields(cls: type) -> list[RecordField]:
    """The fields of such a class, in the order they are written; `NameError` when a hint names nothing.

    A field is optional when the class can be made without it: a default, `NotRequired`, `total=False`.
    """
    if is_typed_dict(cls):
        return _typed_dict_fields(cls)
    if issubclass(cls, msgspec.Struct):
        return _struct_fields(cls)
    if is_model(cls):
        return _model_fields(cls)
    return _dataclass_fields(cls)


def _typed_dict_fields(cls: Any) -> list[RecordField]:
    fields = []
    for name, hint in get_type_hints(cls, include_extras=True).items():
        # With string annotations the class itself has not seen the qualifiers, so they are looked at here.
        hint, qualifiers = _unqualified(hint)
        optional = name in cls.__optional_keys__
        if "NotRequired" in qualifiers:
            optional = True
        elif "Required" in qualifiers:
            optional = False
        fields.append(RecordField(name, name, hint, optional))
    return fields


def _unqualified(hint: Any) -> tuple[Any, set[str]]:
    # By name, for those of `typing_extensions` are others than those of an older `typing`.
    qualifiers: set[str] = set()
    while (name := getattr(get_origin(hint), "_name", None)) in ("NotRequired", "Required", "ReadOnly"):
        qualifiers.add(name)
        hint = get_args(hint)[0]
    return hint, qualifiers


def _dataclass_fields(cls: Any) -> list[RecordField]:
    hints = get_type_hints(cls, include_extras=True)
    missing = dataclasses.MISSING
    return [
        RecordField(
            field.name,
            field.name,
            hints[field.name],
            not field.init or field.default is not missing or field.default_factory is not missing,
        )
        for field in dataclasses.fields(cls)
    ]


def _struct_fields(cls: Any) -> list[RecordField]:
    fields = [
        RecordField(field.encode_name, field.name, _without_unset(field.type), not field.required)
        for field in msgspec.structs.fields(cls)
    ]
    tag = struct_tag(cls)
    if tag is not None:
        fields.insert(0, RecordField(tag[0], "", Literal[tag[1]], False))
    return fields


def _model_fields(cls: Any) -> list[RecordField]:
    if not getattr(cls, "__pydantic_complete__", True):
        cls.model_rebuild()
    fields = []
    for attribute, name in model_names(cls).items():
        info = cls.__pydantic_fields__[attribute]
        hint = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
        fields.append(RecordField(name, attribute, hint, not info.is_required()))
    return fields


def model_names(cls: Any) -> dict[str, str]:
    """The fields of a Pydantic model: attribute -> name in the object, which is its alias if it has one."""
    return {
        attribute: next((alias for alias in _aliases(info) if isinstance(alias, str)), attribute)
        for attribute, info in cls.__pydantic_fields__.items()
    }


def _aliases(info: Any) -> list[Any]:
    alias = info.validation_alias
    return list(getattr(alias, "choices", [alias]))


def struct_tag(cls: Any) -> tuple[str, str | int] | None:
    """The name and value of the field by which a tagged struct is recognised, or None."""
    config = cls.__struct_config__
    return None if config.tag is None else (config.tag_field, config.tag)


def _without_unset(hint: Any) -> Any:
    arguments = get_args(hint)
    if msgspec.UnsetType not in arguments:
        return hint
    return Union[tuple(argument for argument in arguments if argument is not msgspec.UnsetType)]  # noqa: UP007
