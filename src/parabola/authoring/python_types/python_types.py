"""Validator JSON as Python types, with a `TypedDict` for each object.

What is read is what a document gives: `list` and `dict`, to be changed at will. What is written may be
anything that becomes such a value: a tuple, a narrower type, a dataclass. So an object has two `TypedDict`s,
and the one for writing is read-only, for then a checker takes narrower types.
"""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

__all__ = [
    "Json",
    "Mode",
    "TypeWriter",
    "camel",
    "is_attribute",
    "literal_union",
    "member_names",
    "object_members",
    "quoted",
    "type_at",
    "typed_dict",
    "union_of",
]

Json = Mapping[str, Any]
Mode = Literal["read", "write"]

_PLAIN: Final = {
    "null": "None",
    "number": "float",
    "bigint": "Int64",
    "boolean": "bool",
    "string": "str",
    "function": "str",
    "bytes": "bytes",
    "any": "Any",
}
_ALSO_WRITTEN: Final = {
    "number": ("datetime", "timedelta"),
    "string": ("date", "time", "UUID", "Decimal", "Enum"),
}
"""What is written as such a value, beside its own type (`library_types`)."""


@dataclass
class TypeWriter:
    """Types of one generated file, and the definitions that they need, in the order they were met."""

    taken: set[str]
    """Names that mean something in the file."""
    definitions: dict[str, str] = field(default_factory=dict)
    """Name -> the lines that define it."""
    known: dict[tuple[Mode, str], str] = field(default_factory=dict)
    """Objects that have a name: the same object is the same type wherever it stands."""
    documents: dict[tuple[str, str], str] = field(default_factory=dict)
    """Names of documents, by the form (`doc`, `new`, `patch`) and the table."""

    def name(self, wanted: str) -> str:
        """`wanted`, or that with a number where it is taken; taken from now on."""
        name, number = wanted, 1
        while name in self.taken or keyword.iskeyword(name):
            number += 1
            name = f"{wanted}{number}"
        self.taken.add(name)
        return name

    def type_of(self, validator: Json, name: str, mode: Mode) -> str:
        """The type of the values that `validator` accepts. An object in it is called after `name`."""
        return union_of(self.alternatives(validator, name, mode))

    def alternatives(self, validator: Json, name: str, mode: Mode) -> list[str]:
        """The types whose union that is."""
        kind = validator["type"]
        if kind == "number" and validator.get("integer"):
            return ["int"]
        if kind in _PLAIN:
            return [_PLAIN[kind]] if mode == "read" else [_PLAIN[kind], *_ALSO_WRITTEN.get(kind, ())]
        if kind == "commitTs":
            return ["Int64"] if mode == "read" else ["Int64", "CommitTs"]
        if kind == "literal":
            return [_literal(validator["value"]), *(() if mode == "read" else ("Enum",))]
        if kind == "id":
            return [f"Literal[{quoted(validator['tableName'])}]"]
        if kind == "array":
            item = self.type_of(validator["value"], f"{name}Item", mode)
            return [f"list[{item}]" if mode == "read" else f"Items[{item}]"]
        if kind == "record":
            keys = self.type_of(validator["keys"], f"{name}Key", mode)
            values = self.type_of(validator["values"]["fieldType"], f"{name}Value", mode)
            return [f"dict[{keys}, {values}]" if mode == "read" else f"Mapping[{keys}, {values}]"]
        if kind == "union":
            members = validator["value"]
            names = member_names(members, name)
            return [
                each
                for member, own in zip(members, names, strict=True)
                for each in self.alternatives(member, own, mode)
            ]
        if kind == "object":
            own = self.object(validator, name, mode)
            return [own] if mode == "read" else [own, "Record"]
        if kind == "document":
            own = self.documents.get((validator["form"], validator["tableName"]), "dict[str, Any]")
            return [own] if mode == "read" else [own, "Record"]
        raise ValueError(f"there is no Python type for a validator of type {kind!r}")

    def object(self, validator: Json, name: str, mode: Mode) -> str:
        """The name of the `TypedDict` of an object, which is defined if no other is the same."""
        key = (mode, _key(validator))
        known = self.known.get(key)
        if known is None:
            known = self.known[key] = self.name(name if mode == "read" else f"_{name}")
            self.define(known, self.fields(validator, name, mode))
        return known

    def fields(self, validator: Json, name: str, mode: Mode) -> dict[str, str]:
        """Field name -> type of an object, with `NotRequired` and `ReadOnly` where they belong."""
        return {
            each: _qualified(
                self.type_of(described["fieldType"], name + camel(each), mode),
                optional=bool(described["optional"]),
                mode=mode,
            )
            for each, described in validator["value"].items()
        }

    def knows(self, validator: Json, mode: Mode, name: str) -> None:
        """Objects such as `validator` are called `name` from now on, unless they have a name."""
        self.known.setdefault((mode, _key(validator)), name)

    def define(
        self, name: str, fields: Mapping[str, str], *, base: str = "TypedDict", total: bool = True
    ) -> None:
        """Define a `TypedDict` under a name that is taken for it."""
        self.definitions.pop(name, None)  # what it is made from has been defined meanwhile
        self.definitions[name] = typed_dict(name, fields, base=base, total=total)

    def alias(self, name: str, type: str) -> None:
        """Define another name of a type."""
        self.definitions[name] = f"{name}: TypeAlias = {type}\n"


def _key(validator: Json) -> str:
    return json.dumps(validator, sort_keys=True)


def typed_dict(name: str, fields: Mapping[str, str], *, base: str = "TypedDict", total: bool = True) -> str:
    """The lines that define a `TypedDict`, by a call where a class has no way to spell a field."""
    if all(map(is_attribute, fields)):
        head = f"class {name}({base}{'' if total else ', total=False'}):\n"
        return head + ("".join(f"    {each}: {type}\n" for each, type in fields.items()) or "    pass\n")
    members = "".join(f"        {quoted(each)}: {type},\n" for each, type in fields.items())
    call = f"    {{\n{members}    }},\n" + ("" if total else "    total=False,\n") + ")\n"
    if base == "TypedDict":
        return f'{name} = TypedDict(\n    "{name}",\n{call}'
    # A call has no bases, so the fields get a class of their own beside them.
    return f'_{name} = TypedDict(\n    "_{name}",\n{call}\nclass {name}({base}, _{name}):\n    pass\n'


def is_attribute(name: str) -> bool:
    """Whether a class can say `name: type`, and mean that name."""
    return name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("__")


def camel(name: str) -> str:
    """`user_settings` as a part of the name of a class: `UserSettings`."""
    parts = [part for part in re.split(r"[^A-Za-z0-9]+", name) if part]
    return "".join(part[0].upper() + part[1:] for part in parts)


def union_of(types: Iterable[str]) -> str:
    """The union of types, each once; `Any` takes in all others."""
    distinct = list(dict.fromkeys(types))
    for last in ("Enum", "Record", "Undefined", "None"):  # after what says more
        if last in distinct:
            distinct.remove(last)
            distinct.append(last)
    if "Any" in distinct:
        return "Any"
    return " | ".join(distinct) or "Never"


def quoted(text: str) -> str:
    """`text` as a string of Python source."""
    return json.dumps(text, ensure_ascii=False)


def literal_union(names: Iterable[str]) -> str:
    """A string that is one of `names`."""
    return f"Literal[{', '.join(quoted(name) for name in names)}]"


def type_at(writer: TypeWriter, validator: Json, path: str, name: str) -> str:
    """What the field at `path` of a document may be compared with: its values, or `UNDEFINED` if it may be
    absent.
    """
    return union_of(_types_at(writer, validator, path.split("."), name))


def _types_at(writer: TypeWriter, validator: Json, path: list[str], name: str) -> Iterator[str]:
    kind = validator["type"]
    if kind in ("any", "record"):
        yield "Any"
    elif kind == "union":
        for member in validator["value"]:
            yield from _types_at(writer, member, path, name)
    elif kind == "object" and path[0] in validator["value"]:
        described = validator["value"][path[0]]
        own = name + camel(path[0])
        if len(path) > 1:
            yield from _types_at(writer, described["fieldType"], path[1:], own)
        else:
            yield from writer.alternatives(described["fieldType"], own, "write")
        if described["optional"]:
            yield "Undefined"
    else:
        yield "Undefined"


def object_members(validator: Json) -> list[Json] | None:
    """The objects that a document may be; None where it may be something else."""
    if validator["type"] == "object":
        return [validator]
    if validator["type"] != "union":
        return None
    found: list[Json] = []
    for member in validator["value"]:
        inner = object_members(member)
        if inner is None:
            return None
        found += inner
    return found


def member_names(members: list[Json], name: str) -> list[str]:
    """Names for the members of a union: after the field that tells them apart, or by number."""
    objects = [member for member in members if member["type"] == "object"]
    if len(objects) < 2:
        return [name] * len(members)
    names: dict[int, str] = {}
    for each in objects[0]["value"]:
        said = [_told(member, each) for member in objects]
        if None not in said and len(set(said)) == len(objects):
            names = {id(member): name + camel(str(word)) for member, word in zip(objects, said, strict=True)}
            break
    numbered = {id(member): f"{name}{number}" for number, member in enumerate(objects, 1)}
    return [names.get(id(member)) or numbered.get(id(member), name) for member in members]


def _told(member: Json, field: str) -> str | None:
    described = member["value"].get(field)
    if described is None or described["fieldType"]["type"] != "literal":
        return None
    value = described["fieldType"]["value"]
    return value if isinstance(value, str) and camel(value) else None


def _qualified(type: str, *, optional: bool, mode: Mode) -> str:
    if mode == "write":
        type = f"ReadOnly[{type}]"
    return f"NotRequired[{type}]" if optional else type


def _literal(value: Any) -> str:
    if isinstance(value, dict):
        return "Int64" if "$integer" in value else "float"
    if isinstance(value, bool):
        return f"Literal[{value}]"
    if isinstance(value, str):
        return f"Literal[{quoted(value)}]"
    # Checkers have literals of integers alone.
    return f"Literal[{int(value)}]" if float(value).is_integer() else "float"
