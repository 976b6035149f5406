"""`parabola pause`: run no function of a deployment, until `parabola resume`."""

from __future__ import annotations

from parabola.cli.console import show_success
from parabola.cli.options.chosen_target import ChosenTarget, Yes, with_target

__all__ = ["pause"]


@with_target
def pause(target: ChosenTarget, yes: Yes = False) -> None:
    """Run no function of a deployment, until it is resumed.

    Clients are told so. Scheduled functions and crons wait, and run once the deployment is resumed. It stays
    paused when its server is started anew or something is pushed.
    """
    target.confirm("pause the deployment, so that none of its functions runs", yes)
    target.client().post("/api/v1/pause_deployment", {})
    show_success("paused; go on with: parabola resume")
