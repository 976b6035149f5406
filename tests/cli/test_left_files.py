"""A server that is killed with functions running leaves nothing where temporary files go."""

from __future__ import annotations

from pathlib import Path

import pytest

from held_folders import wait_until_nobody_holds
from node_push import push_node
from server_process import ServerProcess

PYTHON = """
import os
from parabola import ActionCtx, action

@action
def where(ctx: ActionCtx) -> float:
    return os.getpid()
"""
NODE = """"use node";
const where = () => {};
where.isAction = true;
where.isPublic = true;
where.exportArgs = () => '{"type":"any"}';
where.exportReturns = () => "null";
where.invokeAction = async () => JSON.stringify(__dirname);
export { where };
"""


@pytest.mark.parametrize("language", ["python", "node"])
def test_what_a_killed_server_leaves_is_removed_by_the_next_start(tmp_path: Path, language: str) -> None:
    project, temporary = tmp_path / "project", tmp_path / "temporary"
    (project / "convex").mkdir(parents=True)
    temporary.mkdir()
    if language == "python":
        (project / "convex" / "python.py").write_text(PYTHON)
    server = ServerProcess(project, "serve", "--port", "0", "--site-port", "0")
    server.start(TMPDIR=str(temporary))
    try:
        if language == "node":
            push_node(server, NODE)
        else:
            server.cli("deploy")
        where = server.call("action", f"{language}:where")
        (killed,) = temporary.iterdir()
        if language == "node":
            assert killed in Path(where).parents
        server.kill()
        wait_until_nobody_holds(killed)
        server.start(TMPDIR=str(temporary))
        server.call("action", f"{language}:where")
        (living,) = temporary.iterdir()
        assert living != killed
    finally:
        server.close()
    assert list(temporary.iterdir()) == []
