"""The tutorial, followed to the letter: every file is saved, every command is run, every answer is as shown.

In blocks of a console a line that begins with `$` is a command and what follows its answer; without a command
it is what `parabola dev` prints about what was saved before. In answers `...` stands for anything; times, ids
and addresses are compared by their form.
"""

from __future__ import annotations

import itertools
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from node_packages import PACKAGES
from server_process import ServerProcess
from tasks_example import ROOT
from type_checkers import CHECKERS, check, mypy_cache

pytestmark = pytest.mark.e2e

CHAPTERS = sorted((ROOT / "docs" / "tutorial").glob("[0-9]*.md"))
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"(?:#|//|<!--) (\S+?\.\w+)(?: -->)?\n")
INSTALLED = ("python3 -m venv", ". .venv", "pip install")
"""What the environment of the tests has already."""
FORMS = {
    r"\b\d\d:\d\d:\d\d\b": "TIME",
    r"\b[0-9a-z]{32}\b": "ID",
    r"\bin \d+(\.\d+)? m?s\b": "in TIME",
    r"http://127\.0\.0\.1:\d+|https://my-app\.com": "URL",
    r"\x1b\[[0-9;]*m": "",
}


class Reader:
    """Somebody who does what the tutorial says, in a folder, with two terminals."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder.parent / "var"
        self.dev: ServerProcess | None = None
        self.place = 0
        self.deployed_to: ServerProcess | None = None

    def follow(self, chapter: Path) -> None:
        for language, text in BLOCK.findall(chapter.read_text(encoding="utf-8")):
            named = FILE.match(text)
            if language == "console":
                self.console(text)
            elif named:
                self.save(named[1], text[named.end() :])
            elif text.startswith("CONVEX_SELF_HOSTED_URL"):
                assert self.deployed_to is not None
                self.save(
                    ".env.local",
                    text.replace("https://my-app.com", self.deployed_to.url).replace(
                        "my-app|...", self.deployed_to.admin_key
                    ),
                )
            else:
                raise AssertionError(f"{chapter.name}: what is this block?\n{text}")

    def save(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.dev is not None and not (path.exists() and path.read_text() == text):
            self.place = len(self.dev.output())
        path.write_text(text)

    def console(self, text: str) -> None:
        first, *parts = re.split(r"^\$ ", text, flags=re.MULTILINE)
        if first:
            self.expect_of_dev(first)
        for part in parts:
            command, _, answer = part.partition("\n")
            self.type(command, answer)

    def type(self, command: str, answer: str) -> None:
        arguments = shlex.split(command.replace("/var/lib/my-app", str(self.data)))
        if command.startswith(INSTALLED):
            assert not answer
        elif arguments[0] == "cd":
            self.folder = self.folder / arguments[1]
        elif command == "npm install convex":
            (self.folder / "node_modules").symlink_to(PACKAGES)
        elif arguments[:2] == ["parabola", "dev"]:
            self.close()
            self.dev = ServerProcess(
                self.folder, "dev", *arguments[2:], "--port", "0", "--site-port", "0"
            ).start()
            self.place = 0
            self.expect_of_dev(answer)
        elif arguments[:2] == ["parabola", "serve"]:
            self.close()
            self.dev = None
            options = [*arguments[2:], "--port", "0", "--site-port", "0"]
            server = ServerProcess(self.folder, "serve", *options)
            server.data_dir = self.data
            self.deployed_to = server.start()
        else:
            program = {
                "parabola": ["-m", "parabola"],
                "pytest": ["-m", "pytest", "-p", "no:cacheprovider"],
                "mypy": ["-m", "mypy"],
            }
            known = program.get(arguments[0])
            words = arguments if known is None else [sys.executable, *known, *arguments[1:]]
            environment = {
                **os.environ,
                "NO_COLOR": "1",
                "COLUMNS": "200",
                "MYPY_CACHE_DIR": str(mypy_cache("first-project")),
            }
            environment = {
                name: value for name, value in environment.items() if not name.startswith("PYTEST_")
            }
            done = subprocess.run(
                words,
                cwd=self.folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                env=environment,
            )
            assert fits(done.stdout, answer), f"$ {command}\n{done.stdout}"

    def expect_of_dev(self, answer: str) -> None:
        server = self.dev
        assert server is not None
        server.wait_for(lambda: fits(server.output()[self.place :], "..." + answer + "..."), answer)
        self.place = len(server.output())

    def close(self) -> None:
        for server in (self.dev, self.deployed_to):
            if server is not None:
                server.close()


def fits(printed: str, shown: str) -> bool:
    """Whether what was printed is what is shown, but for what is different each time."""
    pattern = ".*".join(re.escape(plain(part)) for part in shown.split("..."))
    return re.fullmatch(pattern.replace("\\ ", " "), plain(printed), re.DOTALL) is not None


def plain(text: str) -> str:
    for form, name in FORMS.items():
        text = re.sub(form, name, text)
    return " ".join(text.split())


def test_the_tutorial_works_to_the_letter(
    tmp_path: Path, npm_packages: Path, node_script: Callable[..., str], chromium: str
) -> None:
    (tmp_path / "home").mkdir()
    reader = Reader(tmp_path / "home")
    try:
        for chapter in CHAPTERS:
            reader.follow(chapter)
            if chapter.stem.startswith(("4", "6")):
                assert reader.dev is not None
                page = "starred" if chapter.stem.startswith("4") else "signed_in"
                node_script(f"tutorial_{page}.mjs", reader.dev.url, CHROMIUM=chromium)
            if chapter.stem.startswith("6"):
                for checker in CHECKERS:
                    assert check(checker, reader.folder, "convex", "tests") == []
    finally:
        reader.close()


def test_every_chapter_is_listed_and_leads_to_the_next() -> None:
    home = (ROOT / "docs" / "tutorial" / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\d\. \[.*\]\((.*)\)$", home, re.MULTILINE) == [chapter.name for chapter in CHAPTERS]
    for chapter, following in itertools.pairwise(CHAPTERS):
        assert f"({following.name})" in chapter.read_text(encoding="utf-8").rpartition("Next:")[2]
