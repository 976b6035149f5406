"""`parabola nodes`: the servers that share a log and serve one deployment."""

from __future__ import annotations

import time
from typing import Annotated, Any, Final

import typer

from parabola.cli.console import console
from parabola.cli.json_text import json_text
from parabola.cli.options.chosen_target import ChosenTarget, with_target
from parabola.values.texts import displayable

__all__ = ["nodes"]

_NAME_WIDTH: Final = 20
_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


@with_target
def nodes(
    target: ChosenTarget,
    json: Annotated[bool, typer.Option("--json", help="All that is known of them, as JSON.")] = False,
) -> None:
    """List the servers that share a log: since when each is there, how far it is, whether it is ready.

    Any of them knows them all.
    """
    found = target.client().get("/api/parabola/nodes")["nodes"]
    if json:
        typer.echo(json_text(found))
        return
    if not found:
        console.print("This server is alone: it shares its data with no other.")
        return
    width = min(_NAME_WIDTH, max(len(node["name"]) for node in found))
    typer.echo(f"  {'node':<{width}}  {'since':>8}  {'entry':>10}  {'behind':>6}  {'ready':<10}  version")
    for node in found:
        typer.echo(_line(node, width))


def _line(node: dict[str, Any], width: int) -> str:
    name = displayable(node["name"])
    if len(name) > width:
        name = name[: width - 1] + "…"
    since = _age(time.time() - node["since"] / 1000)
    entry, behind = _number(node["position"]), _number(node["behind"])
    mark = "*" if node["isThis"] else " "
    return (
        f"{mark} {name:<{width}}  {since:>8}  {entry:>10}  {behind:>6}  {_readiness(node):<10}  "
        f"{displayable(node['version'])}"
    )


def _number(number: int | None) -> str:
    return "?" if number is None else str(number)


def _readiness(node: dict[str, Any]) -> str:
    if node["state"] != "active":
        return str(node["state"])
    if node["ready"] is None:
        return "silent"
    return "yes" if node["ready"] else "cut off"


def _age(seconds: float) -> str:
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return "now"
