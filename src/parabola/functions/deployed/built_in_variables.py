"""Environment variables that every deployment has and nobody sets: its public addresses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["BUILT_IN_VARIABLES", "built_in_variables"]

BUILT_IN_VARIABLES: Final[Mapping[str, str]] = {
    "CONVEX_CLOUD_URL": "cloudUrl",
    "CONVEX_SITE_URL": "siteUrl",
}
"""Their names, and which address it is."""


def built_in_variables(instance: Mapping[str, str]) -> dict[str, str]:
    """Their values; `instance` has the public addresses."""
    return {name: instance[key] for name, key in BUILT_IN_VARIABLES.items() if key in instance}
