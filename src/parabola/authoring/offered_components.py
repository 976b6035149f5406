"""What stands for a Python component where TypeScript imports it (components 12):
`_python_components/<name>/convex.config.ts`.

`npx convex` bundles it as it does every component, and finds no functions there; the server, which has the
component's Python modules, fills it with those.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

__all__ = ["OFFERED_CONFIG", "OFFERED_FOLDER", "offered_config"]

OFFERED_FOLDER: Final = "_python_components"
OFFERED_CONFIG: Final = "convex.config.ts"

_HEADER: Final = (
    "/* Written by Parabola for a component in Python. Do not edit: it is overwritten. */\n"
    'import {{ defineComponent }} from "convex/server";\n'
)


def offered_config(name: str, variables: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """The text of the file. `name`: the component's own; `variables`: those that it declares, as a push has
    them.
    """
    head = _HEADER.format()
    if not variables:
        return f"{head}\nexport default defineComponent({json.dumps(name)});\n"
    fields = "".join(f"    {variable}: {_validator(declared)},\n" for variable, declared in variables)
    return (
        f'{head}import {{ v }} from "convex/values";\n\n'
        f"export default defineComponent({json.dumps(name)}, {{\n  env: {{\n{fields}  }},\n}});\n"
    )


def _validator(declared: Mapping[str, Any]) -> str:
    text = _text(json.loads(declared["value"]))
    return f"v.optional({text})" if declared.get("optional") else text


def _text(validator: Mapping[str, Any]) -> str:
    if validator["type"] == "literal":
        return f"v.literal({json.dumps(validator['value'])})"
    if validator["type"] == "union":
        return f"v.union({', '.join(_text(member) for member in validator['value'])})"
    return f"v.{validator['type']}()"
