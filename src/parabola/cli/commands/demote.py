"""`parabola demote`: a node becomes a server that is alone, and the log is closed."""

from __future__ import annotations

from parabola.cli.console import console, show_success
from parabola.cli.moving import move
from parabola.cli.options.chosen_target import ChosenTarget, Yes, with_target

__all__ = ["demote"]


@with_target
def demote(target: ChosenTarget, yes: Yes = False) -> None:
    """Make a node a server that is alone, with all that the shared log has.

    The log is closed: no other node serves anybody from then on.
    """
    target.confirm("close the log for all other nodes", yes)
    move(target.client(), "/api/parabola/demote", {}, to_node=False)
    show_success("The server is alone now.")
    console.print(
        "\n  Start it from now on without --database and --node. Stop the other nodes: they serve nobody "
        "any more."
    )
