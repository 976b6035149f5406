"""What mkdocs does with our pages beyond its own: they are written to be read in the repository as well.

- A code block whose first line names its file (`# convex/notes.py`) gets that as its title.
- Blocks in different languages that follow each other directly become tabs.
- Pages at the root of the repository (`SHARED`) are pages of the site too, and links to them lead there. What
  the site does not have, such as a folder of examples, is named without a link.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Final

from mkdocs.structure.files import File, Files

ROOT: Final = Path(__file__).parents[1]
SHARED: Final = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
TABS: Final = {
    "python": "Python",
    "ts": "TypeScript",
    "tsx": "React",
    "js": "JavaScript",
    "sh": "Command line",
    "html": "HTML",
}

_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_GROUP: Final = re.compile(r"^```\w+\n.*?^```$(?:\n\n```\w+\n.*?^```$)+", re.DOTALL | re.MULTILINE)
_FILE: Final = re.compile(r"(?:#|//|<!--) ([\w./-]+\.\w+|\.\w+)(?: -->)?\n")
_LINK: Final = re.compile(r"(?<!!)\[([^\]\n]+)\]\(([^)#\s:]+)(#[^)\s]*)?\)")


def on_files(files: Files, *, config: Any) -> Files:
    """Add the pages at the root of the repository."""
    for name in SHARED:
        files.append(File.generated(config, name, content=(ROOT / name).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Files) -> str:
    """The text of a page as the site shows it."""
    text = inside_site(markdown, page.file.src_uri)
    return _FENCE.sub(_titled, _GROUP.sub(_tabs, text))


def inside_site(markdown: str, page: str) -> str:
    """The text with links out of `docs/` turned into links to `SHARED`, or into plain text."""
    in_docs = not page.startswith(SHARED)
    folder = Path("docs", page).parent if in_docs else Path()

    def link(match: re.Match[str]) -> str:
        text, target, anchor = match[1], match[2], match[3] or ""
        full = os.path.normpath(folder / target)
        if full.startswith("docs" + os.sep) and full.endswith(".md"):
            full = full.removeprefix("docs" + os.sep)
        elif full not in SHARED:
            return text if not full.startswith("docs") else match[0]
        here = Path(page).parent if in_docs else Path()
        return f"[{text}]({os.path.relpath(full, here)}{anchor})"

    return _LINK.sub(link, markdown)


def _tabs(match: re.Match[str]) -> str:
    """Blocks in a row, as tabs if each is in another language."""
    blocks = _FENCE.findall(match[0])
    languages = [language for language, _ in blocks]
    if len(set(languages)) < len(languages) or not set(languages) <= set(TABS):
        return match[0]
    parts = []
    for language, text in blocks:
        inner = _FENCE.sub(_titled, f"```{language}\n{text}```")
        indented = "".join(f"    {line}".rstrip() + "\n" for line in inner.splitlines())
        parts.append(f'=== "{TABS[language]}"\n\n{indented}')
    return "\n".join(parts)


def _titled(match: re.Match[str]) -> str:
    """A block with the file that its first line names as its title."""
    language, text = match[1], match[2]
    named = _FILE.match(text)
    if named is None or not language:
        return match[0]
    return f'```{language} title="{named[1]}"\n{text[named.end() :]}```'
