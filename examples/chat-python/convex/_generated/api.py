# Written by Parabola from the functions in this folder. Do not edit: it is overwritten.
# fmt: off
# ruff: noqa
"""References to functions. `api.pyi` has their types."""

from parabola import api as api
from parabola import components as components
from parabola import internal as internal
