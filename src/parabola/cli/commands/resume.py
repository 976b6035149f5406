"""`parabola resume`: run the functions of a paused deployment again."""

from __future__ import annotations

from parabola.cli.console import show_success
from parabola.cli.options.chosen_target import ChosenTarget, with_target

__all__ = ["resume"]


@with_target
def resume(target: ChosenTarget) -> None:
    """Run the functions of a paused deployment again, and what has become due meanwhile."""
    target.client().post("/api/v1/unpause_deployment", {})
    show_success("resumed")
