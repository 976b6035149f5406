"""The site of the documentation is built without a warning, whole, and fetches nothing from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHELVES = ("tutorial", "how-to", "reference", "explanation")
PAGES = sorted(path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md"))
READ_IN_THE_REPOSITORY = [
    *(
        ROOT / name
        for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "RELEASING.md", "CHANGELOG.md")
    ),
    *(ROOT / "docs" / page for page in PAGES),
]
FETCHED = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src", "video": "src"}
LINK = re.compile(r"\[[^\]\n]+\]\(([^)#\s]*)(?:#([^)\s]+))?\)")
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
NAMED = re.compile(r"(?<![\w/.-])docs/[\w/.-]+\.md\b")


class Page(HTMLParser):
    """What a page fetches, where it leads, and the places in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.anchors.update(value for value in (found.get("id"), found.get("name")) if value)
        if found.get("rel") in ("canonical", "next", "prev"):
            return
        address = found.get(FETCHED.get(tag, ""))
        if address:
            self.fetched.append(address)
        if tag == "a" and found.get("href"):
            self.links.append(found["href"] or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("material", reason="the extra `docs` is not installed")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}


def test_every_page_is_on_a_shelf() -> None:
    assert [str(page) for page in PAGES if page.parts[0] not in SHELVES] == ["README.md"]


def test_every_page_is_on_the_site(site: Path) -> None:
    built = {path.relative_to(site) for path in site.rglob("*.html")}
    expected = {
        page.with_name("index.html") if page.stem == "README" else page.with_suffix(".html") for page in PAGES
    }
    assert expected <= built


def test_nothing_is_fetched_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    foreign = {
        f"{path.relative_to(site)}: {address}"
        for path, page in pages.items()
        for address in page.fetched
        if "//" in address
    }
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert foreign == set()
    assert re.findall(r"""(?:url\(|@import )["']?(?:https?:)?//[^)"']*""", styles) == []


def test_every_link_leads_to_a_place_that_is_there(site: Path, pages: dict[Path, Page]) -> None:
    wrong = []
    for path, page in pages.items():
        if path.name == "404.html":
            continue  # its links begin at the root, wherever the site is put
        for link in page.links:
            target, _, anchor = link.partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            there = (path.parent / target).resolve() if target else path
            there = there / "index.html" if there.is_dir() else there
            if there not in pages or (anchor and anchor not in pages[there].anchors):
                wrong.append(f"{path.relative_to(site)}: {link}")
    assert wrong == []


def test_links_work_in_the_repository_too() -> None:
    wrong = []
    for page in READ_IN_THE_REPOSITORY:
        for target, anchor in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
            if re.match(r"[a-z]+:", target):
                continue
            there = (page.parent / target).resolve() if target else page
            if not there.exists() or (anchor and there.suffix == ".md" and anchor not in headings(there)):
                wrong.append(f"{page.relative_to(ROOT)}: {target}#{anchor}")
    assert wrong == []


def headings(page: Path) -> set[str]:
    """The anchors that a page has where repositories are read."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#{1,6} (.+)$", text, re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", title.replace("`", "")).lower().strip() for title in titles)
    return {title.replace(" ", "-") for title in plain}


def test_pages_that_the_code_names_are_there() -> None:
    sources = [
        path
        for folder in ("src", "tests", "tools", "examples", "benchmarks")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".mjs", ".ts", ".tsx") and "node_modules" not in path.parts
    ]
    sources += [ROOT / "pyproject.toml", *READ_IN_THE_REPOSITORY]
    wrong = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in sources
        for name in NAMED.findall(path.read_text(encoding="utf-8", errors="replace"))
        if not (ROOT / name).exists()
    }
    assert wrong == set()
