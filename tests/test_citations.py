"""What code, tests and documentation cite is in `docs/reference/specification/`, and nothing else is.

A citation is the name of a page and its sections: `semantics 6.1`, `js-runtime §5.5`,
`deploy-api 7.2 to 7.4`, `sync-and-http 1.13 and 1.14`, lists of these, over the ends of lines too. The
conformance cases say `js 3.2` and `sem 14.9`; the tests of the wire say once whose numbers stand behind their
names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference" / "specification"
PAGES = ("semantics", "js-runtime", "deploy-api", "sync-and-http", "search")
SHORT = {"js": "js-runtime", "sem": "semantics"}
SUFFIXES = (".py", ".js", ".mjs", ".cjs", ".ts", ".tsx", ".md")
# What is installed or generated is not ours to check.
FOREIGN = ("node_modules", "_generated", "__pycache__", ".venv")

_BREAK = re.compile(r"[ \t]*\n[ \t]*(?:#|//|\*(?!/)|>)?[ \t]*")
_SECTION = r"§?(?:\d{1,2}|[A-E])(?:\.\d{1,2})?(?![\w%]|\.\w)"
_LIST = rf"{_SECTION}(?:(?: to |, and |, | and ){_SECTION})*"
_CITATION = re.compile(rf"(?i:(?<![\w-])({'|'.join(PAGES)}))(?:\.md)?`{{0,2}} ({_LIST})")
_CASE = re.compile(rf"""["'](js|sem) ({_SECTION})""")
_NUMBERS_OF = re.compile(rf"the numbers are those of ({'|'.join(PAGES)}) ({_SECTION})")
_NUMBERS = re.compile(r"  # (\d+(?:(?:, | to )\d+)*)$", re.MULTILINE)
_PART = re.compile(r"( to )?§?([0-9A-E]+(?:\.\d+)?)")
_HEADING = re.compile(r"^#{2,3} (\d{1,2}|[A-E])(\.\d{1,2})?(?= |$)", re.MULTILINE)
_STATEMENT = re.compile(r"^- \*\*(\d{1,2}\.\d{1,2})\*\* ", re.MULTILINE)


class Citation(NamedTuple):
    """A section of a page, and the file that names it."""

    page: str
    section: str
    file: str


@cache
def citations() -> tuple[Citation, ...]:
    """Every citation in the project, but for those between the pages of the reference."""
    return tuple(
        Citation(page, section, str(path.relative_to(ROOT)))
        for path in sources()
        for page, section in cited_in(path.read_text(errors="replace"))
    )


def sources() -> Iterator[Path]:
    for folder in ("src", "docs", "tests"):
        for path in sorted((ROOT / folder).rglob("*")):
            own = not set(path.parts).intersection(FOREIGN) and REFERENCE not in path.parents
            if own and path != Path(__file__) and path.suffix in SUFFIXES and path.is_file():
                yield path


def cited_in(text: str) -> Iterator[tuple[str, str]]:
    """The pages and sections that a text names."""
    flat = _BREAK.sub(" ", text)
    for match in _CITATION.finditer(flat):
        yield from ((match[1].lower(), section) for section in spelled_out(match[2]))
    yield from ((SHORT[page], section) for page, section in _CASE.findall(text))
    if (numbers := _NUMBERS_OF.search(flat)) is not None:
        for listed in _NUMBERS.findall(text):
            yield from ((numbers[1], f"{numbers[2]}.{number}") for number in spelled_out(listed))


def spelled_out(listed: str) -> Iterator[str]:
    """`7.2 to 7.4 and 9` as `7.2`, `7.3`, `7.4`, `9`."""
    last = ""
    for until, section in _PART.findall(listed):
        yield from between(last, section) if until else ()
        yield section
        last = section


def between(first: str, last: str) -> list[str]:
    """The sections after `first` and before `last`, which are numbered together."""
    above, dot, start = first.rpartition(".")
    _, _, end = last.rpartition(".")
    return [f"{above}{dot}{number}" for number in range(int(start) + 1, int(end))]


@cache
def written() -> Mapping[str, list[str]]:
    """The sections of each page, numbered statements among them."""
    pages = {}
    for page in PAGES:
        text = (REFERENCE / f"{page}.md").read_text()
        headings = [f"{chapter}{section}" for chapter, section in _HEADING.findall(text)]
        pages[page] = [*headings, *_STATEMENT.findall(text)]
    return pages


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(semantics 1.1, 1.4 and 2.2).", ["semantics 1.1", "semantics 1.4", "semantics 2.2"]),
        ("js-runtime §5.5 and semantics §12", ["js-runtime 5.5", "semantics 12"]),
        ("`deploy-api.md` 7.2 to 7.4:", ["deploy-api 7.2", "deploy-api 7.3", "deploy-api 7.4"]),
        ("# (sync-and-http\n    # 1.14).", ["sync-and-http 1.14"]),
        ("js-runtime A.2 to A.4, and B", [f"js-runtime {each}" for each in ("A.2", "A.3", "A.4", "B")]),
        ("Semantics §10.3.", ["semantics 10.3"]),
        ("semantics 13: 4096", ["semantics 13"]),
        ('Case("sem 14.9 in order"', ["semantics 14.9"]),
        (
            "the numbers are those of sync-and-http\n8)\ndef f():  # 20 to 22, 5",
            [f"sync-and-http {each}" for each in ("8", "8.20", "8.21", "8.22", "8.5")],
        ),
        ("Debian's cron semantics, 5 fields; semantics of 3 kinds; 8 semantics", []),
    ],
)
def test_all_spellings_are_found(text: str, expected: list[str]):
    assert [f"{page} {section}" for page, section in cited_in(text)] == expected


def test_there_are_citations():
    assert len(citations()) > 300


def test_every_section_that_is_cited_is_written():
    wrong = [str(each) for each in citations() if each.section not in written()[each.page]]
    assert not wrong, "Write the section in docs/reference/specification, or mend the citation"


def test_every_section_that_is_written_is_cited():
    cited = {(each.page, each.section) for each in citations()}
    chapters = {(page, section.partition(".")[0]) for page, section in cited}
    idle = [
        f"{page} {section}"
        for page, sections in written().items()
        for section in sections
        if (page, section) not in cited | chapters
    ]
    assert not idle, "Nothing relies on these sections: take them out"


@pytest.mark.parametrize("page", PAGES)
def test_no_section_is_written_twice(page: str):
    assert len(written()[page]) == len(set(written()[page]))


def test_sections_that_name_each_other_exist():
    wrong = [
        f"{path.name}: {page} {section}"
        for path in sorted(REFERENCE.glob("*.md"))
        for page, section in cited_in(path.read_text())
        if section not in written()[page]
    ]
    assert not wrong
