# Written by Parabola from the functions in this folder. Do not edit: it is overwritten.
"""References to functions. `api.pyi` has their types."""

# ruff: noqa

from parabola import api as api
from parabola import components as components
from parabola import internal as internal
