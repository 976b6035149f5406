"""What is known of an import: its row in `_snapshot_imports`, which the command line watches.

States (deploy-api 13): `uploaded`, `waiting_for_confirmation`, `in_progress`, then `completed` or `failed`
for good. The row is all that an import needs to go on after a restart, beside the upload itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from msgspec import UNSET, Struct, UnsetType

from parabola.database.model.system_rows import SystemRow, stored
from parabola.services.archives.rows import ImportRefused
from parabola.values.errors import BadRequest
from parabola.values.int64 import Int64
from parabola.values.names import identifier_problem

if TYPE_CHECKING:
    from parabola.database.model.documents import Document, Revision
    from parabola.database.transaction import Transaction

__all__ = [
    "IMPORTS",
    "HiddenTable",
    "ImportFormat",
    "ImportMode",
    "ImportRecord",
    "ImportRequest",
    "ImportState",
    "Position",
    "check_component_path",
    "check_table_name",
    "find_import",
    "position_field",
    "state_field",
    "tables_field",
]

IMPORTS: Final = "_snapshot_imports"

ImportFormat = Literal["csv", "jsonl", "json_array", "zip"]
ImportMode = Literal["RequireEmpty", "Append", "Replace", "ReplaceAll"]

_FORMATS: Final[dict[str, ImportFormat]] = {
    "csv": "csv",
    "jsonLines": "jsonl",
    "jsonl": "jsonl",
    "jsonArray": "json_array",
    "json_array": "json_array",
    "zip": "zip",
}
_MODES: Final[dict[str, ImportMode]] = {
    "requireEmpty": "RequireEmpty",
    "append": "Append",
    "replace": "Replace",
    "replaceAll": "ReplaceAll",
}


class ImportRequest(Struct, frozen=True):
    """What is to be imported where. `table` is None for archives, which name their tables themselves."""

    format: ImportFormat
    mode: ImportMode
    table: str | None = None
    component: str = ""
    """The path of the component that takes the table, or the whole archive; empty for the app."""

    @classmethod
    def of(cls, format: Any, mode: Any, table: Any = None, component: Any = None) -> ImportRequest:
        """A request in the words of the API. Raises `BadRequest` for words it does not know."""
        if format not in _FORMATS:
            raise BadRequest(
                f"Unknown import format {format!r}. The formats are csv, jsonLines, jsonArray and zip.",
                code="InvalidImport",
            )
        if mode is None:
            mode = "requireEmpty"
        if mode not in _MODES:
            raise BadRequest(
                f"Unknown import mode {mode!r}. The modes are requireEmpty, append, replace and replaceAll.",
                code="InvalidImport",
            )
        request = cls(_FORMATS[format], _MODES[mode], table or None, component or "")
        request.check()
        return request

    def check(self) -> None:
        """Raise `ImportRefused` unless the request makes sense."""
        check_component_path(self.component)
        if self.format == "zip":
            if self.table is not None:
                raise ImportRefused("A zip archive names its tables itself: leave the table out.")
            return
        if self.table is None:
            raise ImportRefused(f"Say into which table to import: {self.format} does not name one.")
        check_table_name(self.table)


class HiddenTable(Struct, frozen=True):
    """A table that an import fills: table number `place` of the input goes into this tablet."""

    place: int
    tablet_id: int


class Position(Struct, frozen=True):
    """How far an import that appends is: `rows` rows of table number `place` of the input are in, and
    `total` rows of all tables.
    """

    place: int = 0
    rows: int = 0
    total: int = 0


class ImportState(Struct, frozen=True, kw_only=True):
    """How an import stands, with what belongs to that state."""

    state: Literal["uploaded", "waiting_for_confirmation", "in_progress", "completed", "failed"]
    message_to_confirm: str | UnsetType = UNSET
    require_manual_confirmation: bool | UnsetType = UNSET
    progress_message: str | UnsetType | None = UNSET
    checkpoint_messages: tuple[str, ...] | UnsetType = UNSET
    num_rows_written: Int64 | UnsetType = UNSET
    timestamp: Any = UNSET
    """The commit of its end, in nanoseconds."""
    error_message: str | UnsetType = UNSET


class _Format(Struct, frozen=True, kw_only=True):
    format: ImportFormat
    table: str | UnsetType | None = UNSET


class _Requestor(Struct, frozen=True, kw_only=True):
    type: str


class _Hidden(Struct, frozen=True, kw_only=True):
    place: float
    tablet: float


class _Position(Struct, frozen=True, kw_only=True):
    place: float
    rows: float
    total: float


class ImportRow(SystemRow, frozen=True, kw_only=True):
    """A row of `_snapshot_imports` as it is stored. `made` are the ids of components that it has created."""

    state: ImportState
    format: _Format
    mode: ImportMode
    component_path: str | UnsetType | None = UNSET
    requestor: _Requestor = _Requestor(type="snapshotImport")
    object_key: str
    attempts: float = 0.0
    counts: tuple[float, ...] | UnsetType | None = UNSET
    tables: tuple[_Hidden, ...] | UnsetType | None = UNSET
    position: _Position | UnsetType | None = UNSET
    made: tuple[str, ...] | UnsetType | None = UNSET
    home: str | UnsetType = UNSET
    """That of the node which has the upload (`Members.home`)."""


class ImportRecord(Struct, frozen=True):
    """One row of `_snapshot_imports`."""

    id: str
    request: ImportRequest
    state: ImportState
    upload: str
    creation_time: float
    attempts: int = 0
    counts: tuple[int, ...] = ()
    """Rows of each table of the input, known since it was looked through."""
    tables: tuple[HiddenTable, ...] | None = None
    position: Position | None = None
    made: tuple[str, ...] = ()
    """Ids of components that the import has created, parents first."""
    home: str = ""

    @property
    def stage(self) -> str:
        """The name of the state."""
        return self.state.state

    @property
    def is_over(self) -> bool:
        """Whether the import has ended, in whatever way."""
        return self.stage in ("completed", "failed")

    @property
    def checkpoints(self) -> list[str]:
        """What has been said of finished tables."""
        return list(self.state.checkpoint_messages or ())

    @classmethod
    def of(cls, document: Document | Revision) -> ImportRecord:
        """The record that a row holds."""
        row = ImportRow.of(document)
        tables, at = row.tables, row.position
        return cls(
            id=row.id,
            request=ImportRequest(
                row.format.format, row.mode, row.format.table or None, row.component_path or ""
            ),
            state=row.state,
            upload=row.object_key,
            creation_time=row.creation_time,
            attempts=int(row.attempts),
            counts=tuple(map(int, row.counts or ())),
            tables=tuple(HiddenTable(int(table.place), int(table.tablet)) for table in tables)
            if isinstance(tables, tuple)
            else None,
            position=Position(int(at.place), int(at.rows), int(at.total))
            if isinstance(at, _Position)
            else None,
            made=tuple(row.made or ()),
            home=row.home or "",
        )

    @staticmethod
    def new_row(request: ImportRequest, upload: str, home: str = "") -> ImportRow:
        """The row of an import that begins."""
        return ImportRow(
            state=ImportState(state="uploaded"),
            format=_Format(format=request.format, table=UNSET if request.table is None else request.table),
            mode=request.mode,
            component_path=request.component or UNSET,
            object_key=upload,
            home=home or UNSET,
        )


def tables_field(tables: tuple[HiddenTable, ...]) -> list[dict[str, Any]]:
    """The hidden tables as the row holds them."""
    return [stored(_Hidden(place=float(each.place), tablet=float(each.tablet_id))) for each in tables]


def position_field(position: Position) -> dict[str, Any]:
    """A position as the row holds it."""
    at = _Position(place=float(position.place), rows=float(position.rows), total=float(position.total))
    fields: dict[str, Any] = stored(at)
    return fields


def state_field(state: ImportState) -> dict[str, Any]:
    """A state as the row holds it."""
    fields: dict[str, Any] = stored(state)
    return fields


def check_table_name(name: str) -> None:
    """Raise `ImportRefused` unless a table of users can have this name."""
    problem = identifier_problem(name)
    if problem is None and name.startswith("_"):
        problem = "names that begin with an underscore belong to the system"
    if problem is not None:
        raise ImportRefused(f"{name} isn't a valid table name: {problem}")


def check_component_path(path: str) -> None:
    """Raise `ImportRefused` unless a component can have this path; the app's is empty."""
    for name in path.split("/") if path else ():
        problem = identifier_problem(name)
        if problem is not None:
            raise ImportRefused(
                f"{path} isn't a valid path of a component: {name} {problem}", code="InvalidComponentPath"
            )


async def find_import(tx: Transaction, id: str) -> ImportRecord | None:
    """The import with this id, or None."""
    row = await tx.get_system(id)
    return None if row is None or row.table.name != IMPORTS else ImportRecord.of(row)
