"""A command whose arguments may be secrets: what is wrong with its usage is said without them."""

from __future__ import annotations

from typing import Any, Final

import typer
from typer.core import TyperCommand

__all__ = ["QuietCommand"]

_SHOWN: Final = frozenset(("--url", "--admin-key", "--help"))
_UsageError: Final[Any] = typer.BadParameter.__base__
"""Typer has had it from click and, later, of its own."""


class QuietCommand(TyperCommand):
    """Its usage errors name options, and no argument."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        given = list(args)  # they are taken off one by one
        try:
            return super().parse_args(ctx, args)
        except _UsageError as error:
            text = error.format_message()
            secrets = {part for each in given for part in (each, *each.split("=", 1))} - _SHOWN
            if any(secret and secret in text for secret in secrets):
                text = (
                    "There are too many arguments. Quote a value that has spaces in it: "
                    f'parabola env {ctx.info_name} NAME "VALUE"'
                )
            raise _UsageError(text, ctx) from None
