"""Hints for documents: `Doc["tasks"]` is what the schema says of the table `tasks`."""

from __future__ import annotations

import keyword
import types
from typing import TYPE_CHECKING, Any, Final, Literal, get_args, get_origin

from parabola.values.validators.documents import DocumentForm, DocumentValidator

__all__ = ["Doc", "NewDoc", "PatchDoc", "document_validator_of"]

if TYPE_CHECKING:
    # What a table's documents are is known to `_generated/server.pyi`, where checkers find these names.
    class Doc: ...

    class NewDoc: ...

    class PatchDoc: ...

else:

    class _ByTable(type):
        """`Doc.tasks` is `Doc["tasks"]`: type checkers take a string in brackets for the name of a class."""

        def __getattr__(cls, name: str) -> types.GenericAlias:
            if name.startswith("__"):
                raise AttributeError(name)
            bare = name.removesuffix("_")
            return cls[bare if keyword.iskeyword(bare) else name]

    class _DocumentHint(metaclass=_ByTable):
        __slots__ = ()

        def __class_getitem__(cls, table: str) -> types.GenericAlias:
            # `typing` takes hints apart and subscribes again, with what this method gave.
            if isinstance(table, tuple) and len(table) == 1 and get_origin(table[0]) is Literal:
                return types.GenericAlias(cls, table)
            if not isinstance(table, str):
                raise TypeError(
                    f'{cls.__name__} takes the name of a table, as in {cls.__name__}["tasks"], not {table!r}'
                )
            return types.GenericAlias(cls, (Literal[table],))

    class Doc(_DocumentHint):
        """A document of a table with its system fields, in hints: `Doc["tasks"]` or `Doc.tasks`.

        In `args` and results it stands for what the schema says; where there is no schema, for any object.
        """

        __slots__ = ()

    class NewDoc(_DocumentHint):
        """A document of a table as it is inserted, without system fields, in hints."""

        __slots__ = ()

    class PatchDoc(_DocumentHint):
        """Some fields of a document of a table, as `patch` takes them, in hints."""

        __slots__ = ()


_FORMS: Final[dict[Any, DocumentForm]] = {Doc: "doc", NewDoc: "new", PatchDoc: "patch"}


def document_validator_of(hint: Any) -> DocumentValidator | None:
    """The validator of a hint for documents; None for any other hint."""
    origin = get_origin(hint)
    form = _FORMS.get(origin) if isinstance(origin, type) else None
    if form is None:
        return None
    (table,) = get_args(get_args(hint)[0])
    return DocumentValidator(table, form)
