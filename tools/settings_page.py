"""The reference of the server's options, drawn from the table that the command has them from.

python tools/settings_page.py           write docs/reference/settings.md
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from parabola.cli.options.server_options import OPTIONS, ServerOption

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "settings.md"
HEAD = """# Settings

What an operator may set about a server, as a flag of `parabola serve`, as an environment variable, or in a
file. A flag goes before a variable, that before the file, and that before the default. Sizes are bytes, or
have a unit (`500MB`, of powers of 1024); times are seconds, or have one (`90s`, `30m`, `12h`, `14d`).
`parabola dev` has those that are not marked with *.

The file is named with `--config` or `PARABOLA_CONFIG`, and says the same in TOML, by the names of the
flags:

```toml
cloud-origin = "https://my-app.com"
actions-at-once = 16
query-cache = "256MB"
keep-exports = "2d"
```

Folders in it are beside it. What it does not know, or what is out of range, keeps the server from starting,
with a sentence that names the file and the key. Secrets do not belong there: they come from the
environment.

The times of functions are those of Convex; functions that need more will not run there. All other limits on
functions and data are the same as on Convex and cannot be set: they are in `parabola/values/limits.py`.
"""


def page() -> str:
    """The text of the page."""
    groups: dict[str, list[ServerOption]] = {}
    for option in OPTIONS.values():
        groups.setdefault(option.group, []).append(option)
    return HEAD + "".join(part for name, options in groups.items() for part in _group(name, options))


def _group(name: str, options: list[ServerOption]) -> Iterator[str]:
    yield f"\n## {name}\n\n| option | variable | default | range | |\n|---|---|---|---|---|\n"
    for option in options:
        mark = "" if option.in_dev else " *"
        text = option.help + (" Not in a file." if option.is_secret else "")
        cells = (
            f"`--{option.name}`{mark}",
            f"`{option.environment}`",
            option.shown_default,
            option.range,
            text,
        )
        yield f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
