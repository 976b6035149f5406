"""`parabola dashboard`: open the dashboard of a deployment, signed in."""

from __future__ import annotations

import time
import webbrowser
from html import escape
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import quote

import typer

from parabola.cli.console import console
from parabola.cli.options.chosen_target import ChosenTarget, with_target
from parabola.database.store.scratch import Scratch

__all__ = ["dashboard"]

_BROWSER_SECONDS: Final = 10.0
"""How long a browser may take to read the file that leads it to the dashboard."""


@with_target
def dashboard(
    target: ChosenTarget,
    open_browser: Annotated[
        bool, typer.Option("--open/--no-open", help="Open a browser, or print the address alone.")
    ] = True,
) -> None:
    """Open the dashboard in the browser, signed in with the admin key."""
    found = target.find()
    address = f"{found.url}/dashboard"
    typer.echo(address)
    if not open_browser:
        return
    with Scratch("parabola-dashboard-") as folder:
        page = _leading_to(f"{address}#key={quote(found.admin_key, safe='')}", folder)
        if webbrowser.open(page.as_uri()):
            time.sleep(_BROWSER_SECONDS)
        else:
            console.print(
                "No browser could be opened. Open the address above, and paste an admin key.", style="yellow"
            )


def _leading_to(address: str, folder: Path) -> Path:
    """A page, readable by its owner alone, that leads to an address with a secret: as an argument of the
    browser everybody on the machine could read it.
    """
    page = folder / "dashboard.html"
    page.touch(0o600)
    page.write_text(
        '<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer">'
        f'<meta http-equiv="refresh" content="0; url={escape(address)}"><title>Parabola</title>',
        encoding="utf-8",
    )
    return page
