"""What is known of an import: its row in `_snapshot_imports`, which the command line watches.

States (deploy-api 13): `uploaded`, `waiting_for_confirmation`, `in_progress`, then `completed` or `failed`
for good. The row is all that an import needs to go on after a restart, beside the upload itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from parabola.services.archives.rows import ImportRefused
from parabola.values.errors import BadRequest
from parabola.values.names import identifier_problem

if TYPE_CHECKING:
    from parabola.database.transaction import Transaction

__all__ = [
    "IMPORTS",
    "HiddenTable",
    "ImportFormat",
    "ImportMode",
    "ImportRecord",
    "ImportRequest",
    "Position",
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


@dataclass(frozen=True)
class ImportRequest:
    """What is to be imported where. `table` is None for archives, which name their tables themselves."""

    format: ImportFormat
    mode: ImportMode
    table: str | None = None
    component: str = ""

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
        if self.format == "zip":
            if self.table is not None:
                raise ImportRefused("A zip archive names its tables itself: leave the table out.")
            return
        if self.table is None:
            raise ImportRefused(f"Say into which table to import: {self.format} does not name one.")
        check_table_name(self.table)

    def as_fields(self) -> dict[str, Any]:
        """The part of the row that says this."""
        format: dict[str, Any] = {"format": self.format}
        if self.table is not None:
            format["table"] = self.table
        component = {"component_path": self.component} if self.component else {}
        return {"format": format, "mode": self.mode, **component}


@dataclass(frozen=True)
class HiddenTable:
    """A table that an import fills: table number `place` of the input goes into this tablet."""

    place: int
    tablet_id: int


@dataclass(frozen=True)
class Position:
    """How far an import that appends is: `rows` rows of table number `place` of the input are in, and
    `total` rows of all tables.
    """

    place: int = 0
    rows: int = 0
    total: int = 0


@dataclass(frozen=True)
class ImportRecord:
    """One row of `_snapshot_imports`."""

    id: str
    request: ImportRequest
    state: Mapping[str, Any]
    upload: str
    creation_time: float
    attempts: int = 0
    counts: tuple[int, ...] = ()
    """Rows of each table of the input, known since it was looked through."""
    tables: tuple[HiddenTable, ...] | None = None
    position: Position | None = None

    @property
    def stage(self) -> str:
        """The name of the state."""
        return cast(str, self.state["state"])

    @property
    def is_over(self) -> bool:
        """Whether the import has ended, in whatever way."""
        return self.stage in ("completed", "failed")

    @property
    def checkpoints(self) -> list[str]:
        """What has been said of finished tables."""
        return list(self.state.get("checkpoint_messages") or ())

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> ImportRecord:
        """The record that a row holds."""
        tables, position = row.get("tables"), row.get("position")
        return cls(
            id=row["_id"],
            request=ImportRequest(
                row["format"]["format"],
                row["mode"],
                row["format"].get("table"),
                row.get("component_path") or "",
            ),
            state=row["state"],
            upload=row["object_key"],
            creation_time=row["_creationTime"],
            attempts=int(row["attempts"]),
            counts=tuple(map(int, row.get("counts") or ())),
            tables=None
            if tables is None
            else tuple(HiddenTable(int(table["place"]), int(table["tablet"])) for table in tables),
            position=None
            if position is None
            else Position(int(position["place"]), int(position["rows"]), int(position["total"])),
        )

    @staticmethod
    def new_row(request: ImportRequest, upload: str) -> dict[str, Any]:
        """The row of an import that begins."""
        return {
            **request.as_fields(),
            "state": {"state": "uploaded"},
            "requestor": {"type": "snapshotImport"},
            "object_key": upload,
            "attempts": 0.0,
        }


def tables_field(tables: tuple[HiddenTable, ...]) -> list[dict[str, Any]]:
    """The hidden tables as the row holds them."""
    return [{"place": float(table.place), "tablet": float(table.tablet_id)} for table in tables]


def position_field(position: Position) -> dict[str, Any]:
    """A position as the row holds it."""
    return {
        "place": float(position.place),
        "rows": float(position.rows),
        "total": float(position.total),
    }


def check_table_name(name: str) -> None:
    """Raise `ImportRefused` unless a table of users can have this name."""
    problem = identifier_problem(name)
    if problem is None and name.startswith("_"):
        problem = "names that begin with an underscore belong to the system"
    if problem is not None:
        raise ImportRefused(f"{name} isn't a valid table name: {problem}")


async def find_import(tx: Transaction, id: str) -> ImportRecord | None:
    """The import with this id, or None."""
    row = await tx.get_system(id)
    return None if row is None or row.table.name != IMPORTS else ImportRecord.of_row(row.value)
