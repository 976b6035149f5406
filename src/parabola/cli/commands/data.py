"""`parabola data`: look at tables and documents."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from parabola.cli.console import console
from parabola.cli.json_text import json_text
from parabola.cli.options.chosen_target import ChosenTarget, with_target
from parabola.cli.options.completed_names import table_names
from parabola.values.errors import BadRequest
from parabola.values.near_names import did_you_mean

__all__ = ["data"]

WIDEST: Final = 10**6
"""Columns that no table needs."""
MOST_INDENT: Final = 24
"""Columns for the names of fields, at most."""

Ask = Callable[..., Any]
"""Calls a function of the component that is looked at: its path, arguments, the format of the answer."""


class Order(StrEnum):
    """Oldest or newest documents first."""

    asc = "asc"
    desc = "desc"


class Format(StrEnum):
    """How documents are printed."""

    pretty = "pretty"
    json = "json"
    jsonl = "jsonl"


@with_target
def data(
    target: ChosenTarget,
    table: Annotated[
        str | None,
        typer.Argument(help="A table. Without it: the names of all tables.", autocompletion=table_names),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many documents at most.")] = 100,
    order: Annotated[Order, typer.Option(help="By creation time.")] = Order.desc,
    format: Annotated[Format, typer.Option(help="How to print documents.")] = Format.pretty,
    component: Annotated[str | None, typer.Option(help="The component whose tables they are.")] = None,
) -> None:
    """List the tables, or the documents of one table."""
    asked = target.client()

    def ask(path: str, args: dict[str, Any], format: str = "json") -> Any:
        return asked.call(path, args, format, component)

    if table is None:
        _list_tables(ask)
        return
    # What is to be read back keeps every type; what is for eyes is plain.
    encoding = "json" if format is Format.pretty else "convex_encoded_json"
    documents = _documents(ask, table, order, limit + 1, encoding)
    _print(documents[:limit], format)
    if not documents:
        _say_if_unknown(ask, table)
        console.print("There are no documents in this table.", style="dim")
    elif len(documents) > limit:
        console.print(f"There are more than {limit} documents; see more with --limit.", style="dim")


def _say_if_unknown(ask: Ask, table: str) -> None:
    names = _tables(ask)
    if table not in names and not table.startswith("_"):
        raise BadRequest(f'There is no table "{table}".{did_you_mean(table, names)}')


def _tables(ask: Ask) -> list[str]:
    page = ask("_system/cli/tables:default", {"paginationOpts": {"cursor": None, "numItems": 10_000}})
    return sorted(table["name"] for table in page["page"])


def _list_tables(ask: Ask) -> None:
    names = _tables(ask)
    if not names:
        console.print("There are no tables yet.", style="dim")
    for name in names:
        typer.echo(name)


def _documents(ask: Ask, table: str, order: Order, wanted: int, encoding: str) -> list[dict[str, Any]]:
    """Up to `wanted` documents, page after page: a page may come back short, or empty, before the end."""
    documents: list[dict[str, Any]] = []
    cursor = None
    while len(documents) < wanted:
        options = {"cursor": cursor, "numItems": wanted - len(documents)}
        args = {"table": table, "order": order.value, "paginationOpts": options}
        page = ask("_system/cli/tableData:default", args, encoding)
        documents += page["page"]
        cursor = page["continueCursor"]
        if page["isDone"]:
            break
    return documents


def _print(documents: list[dict[str, Any]], format: Format) -> None:
    if format is Format.jsonl:
        for document in documents:
            typer.echo(json_text(document))
    elif format is Format.json:
        typer.echo(json_text(documents, indent=2))
    elif documents:
        _print_table(documents)


def _print_table(documents: list[dict[str, Any]]) -> None:
    fields = dict.fromkeys(field for document in documents for field in document)
    system = [field for field in ("_id", "_creationTime") if field in fields]
    columns = [*(field for field in fields if field not in system), *system]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for document in documents:
        cells = (_cell(name, document[name]) if name in document else "" for name in columns)
        table.add_row(*cells)
    output = Console(highlight=False, markup=False)
    unbounded = output.options.update(max_width=WIDEST)
    if Measurement.get(output, unbounded, table).maximum <= output.width:
        output.print(table)
        return
    for number, document in enumerate(documents):
        if number:
            output.print()
        _print_record(output, document, columns)


def _print_record(output: Console, document: dict[str, Any], columns: list[str]) -> None:
    """A field a line: for documents that are too wide for a table."""
    indent = min(max(map(len, document)), MOST_INDENT) + 2
    for name in columns:
        if name in document:
            head = Text(f"{name}: ".ljust(indent), "bold")
            value = Text(_cell(name, document[name]))
            for line in value.wrap(output, max(20, output.width - max(indent, len(head)))):
                output.print(Text.assemble(head, line))
                head = Text(" " * indent)


def _cell(name: str, value: Any) -> str:
    """A value as JSON; when a document was made, as the local time."""
    if name == "_creationTime" and isinstance(value, int | float):
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(value / 1000))
    return json_text(value)
