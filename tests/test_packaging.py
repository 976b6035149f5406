"""What is given to run a server with: images, units, manifests. Each is held to its own linter, and what it
says of Parabola to Parabola itself.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from parabola.cli.options.server_options import OPTIONS
from server_process import ServerProcess

PACKAGING = Path(__file__).parents[1] / "packaging"
DOCKERFILE = PACKAGING / "docker" / "Dockerfile"
COMPOSE = PACKAGING / "docker" / "compose.yaml"
UNIT = PACKAGING / "systemd" / "parabola.service"
NODES = PACKAGING / "kubernetes" / "nodes.yaml"
GUIDE = PACKAGING.parent / "docs" / "how-to" / "production.md"
VARIABLES = {option.environment for option in OPTIONS.values()}


def tool(name: str) -> str:
    """A program that a package of the development extra has brought along."""
    return str(Path(sysconfig.get_path("scripts")) / name)


def instructions(name: str) -> list[str]:
    """What the Dockerfile says behind an instruction, lines put together."""
    text = DOCKERFILE.read_text().replace("\\\n", " ")
    return [line.partition(" ")[2].strip() for line in text.splitlines() if line.startswith(f"{name} ")]


def test_the_image_is_as_images_should_be() -> None:
    done = subprocess.run([tool("hadolint"), str(DOCKERFILE)], capture_output=True, text=True, check=False)
    assert done.stdout + done.stderr == ""
    assert done.returncode == 0
    assert instructions("USER") == ["10001:10001"]
    assert instructions("VOLUME") == ["/data"]


def test_the_image_runs_what_there_is() -> None:
    entry = json.loads(instructions("ENTRYPOINT")[0])
    assert entry[:2] == ["parabola", "serve"]
    flags = {f"--{option.name}" for option in OPTIONS.values()}
    assert {part for part in entry if part.startswith("--")} <= flags
    (settings,) = instructions("ENV")
    named = re.findall(r"(PARABOLA_\w+)=", settings)
    assert named
    assert set(named) <= VARIABLES


def test_the_image_knows_whether_its_server_lives(tmp_path: Path) -> None:
    command = json.loads(instructions("HEALTHCHECK")[0].partition("CMD ")[2])
    server = ServerProcess(tmp_path, "serve", "--port", "0", "--site-port", "0").start()
    port = server.url.rpartition(":")[2]
    check = [sys.executable, *(part.replace("3210", port) for part in command[1:])]
    try:
        assert subprocess.run(check, check=False).returncode == 0
    finally:
        server.close()
    assert subprocess.run(check, check=False, capture_output=True).returncode != 0


def test_the_compose_file_runs_one_server_with_few_rights() -> None:
    content: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    (service,) = content["services"].values()
    assert set(service["environment"]) <= VARIABLES
    assert service["volumes"] == ["data:/data"]
    assert list(content["volumes"]) == ["data"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    secret = service["environment"]["PARABOLA_INSTANCE_SECRET_FILE"]
    assert Path(secret).name in service["secrets"]
    assert (
        COMPOSE.parent / service["build"]["context"] / service["build"]["dockerfile"]
    ).resolve() == DOCKERFILE
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])


@pytest.mark.parametrize("said", [COMPOSE, GUIDE], ids=["compose file", "guide"])
def test_the_secret_can_be_read_by_the_user_of_the_image(said: Path) -> None:
    # Compose mounts the file of a secret as it is, and takes no owner for it.
    (user,) = instructions("USER")
    assert f"chown {user.partition(':')[0]} instance-secret" in said.read_text()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_the_unit_is_one_and_shuts_its_server_in(tmp_path: Path) -> None:
    program = tmp_path / "parabola"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/parabola/bin/parabola", str(program)))
    found = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert found.stdout + found.stderr == ""
    shut_in = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=25", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert shut_in.returncode == 0, shut_in.stdout[-400:]


def test_the_unit_gives_settings_that_there_are() -> None:
    named = re.findall(r"^Environment=(\w+)=", UNIT.read_text(), re.MULTILINE)
    assert set(named) <= VARIABLES
    seconds = next(each for each in OPTIONS.values() if each.name == "shutdown-seconds").default
    stop = int(re.search(r"^TimeoutStopSec=(\d+)", UNIT.read_text(), re.MULTILINE)[1])  # type: ignore[index]
    assert stop > seconds


def test_the_nodes_are_valid_and_have_few_rights() -> None:
    done = subprocess.run(
        [tool("kubernetes-validate"), "--strict", str(NODES)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    nodes = next(each for each in yaml.safe_load_all(NODES.read_text()) if each["kind"] == "StatefulSet")
    pod = nodes["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert {each["name"] for each in container["env"]} <= VARIABLES
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["automountServiceAccountToken"] is False
    # Kubernetes would set PARABOLA_PORT=tcp://... after the service, and the server would not start.
    assert pod["enableServiceLinks"] is False
    seconds = next(each for each in OPTIONS.values() if each.name == "shutdown-seconds").default
    assert pod["terminationGracePeriodSeconds"] > seconds


def test_what_probes_ask_is_answered(tmp_path: Path) -> None:
    nodes = next(each for each in yaml.safe_load_all(NODES.read_text()) if each["kind"] == "StatefulSet")
    (container,) = nodes["spec"]["template"]["spec"]["containers"]
    paths = {container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("readiness", "liveness", "startup")}
    server = ServerProcess(tmp_path, "serve", "--port", "0", "--site-port", "0").start()
    try:
        for path in paths:
            with urllib.request.urlopen(server.url + path) as answer:
                assert answer.status == 200
    finally:
        server.close()
