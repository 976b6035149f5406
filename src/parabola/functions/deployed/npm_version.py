"""The npm version of `convex` whose protocol this server speaks."""

from __future__ import annotations

from typing import Final

__all__ = ["NPM_VERSION"]

NPM_VERSION: Final = "1.49.0"
"""Told to the command line and the dashboard, which compare it with their own."""
