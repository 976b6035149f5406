"""A data directory that is deleted or replaced under a server ends the server, which says so."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from server_process import ServerProcess

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("is_replaced", [False, True])
def test_the_server_ends_with_a_sentence(tmp_path: Path, is_replaced: bool) -> None:
    server = ServerProcess(tmp_path, "serve", "--port", "0", "--site-port", "0").start()
    word = (server.data_dir / "server.json").read_bytes()
    shutil.rmtree(server.data_dir)
    if is_replaced:  # by what another server keeps there
        server.data_dir.mkdir()
        (server.data_dir / "server.json").write_bytes(word)
    assert server.wait() == 1
    assert f"The data directory {server.data_dir.name} was deleted or replaced" in server.output()
    assert "Traceback" not in server.output()
    assert (server.data_dir / "server.json").exists() == is_replaced
