"""The log that a server shares with the other nodes of its deployment, if it is one of several."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

from msgspec import Struct

from parabola.services.sign_in.admin_keys import derive_key
from parabola.values.errors import BadRequest

if TYPE_CHECKING:
    from parabola.database.shared_log.log import SharedLog

__all__ = ["NodeConfig", "open_node_log"]

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z")
_PURPOSE: Final = "check of the secret in a shared log"
_CHECKED: Final = "secret_check"
_INSTANCE: Final = "instance_name"

OpenLog = Callable[[str, Callable[[], int]], "Awaitable[SharedLog]"]
"""Takes the name of the node and this machine's clock."""


class NodeConfig(Struct, frozen=True):
    """Which node a server is, and how it reaches the log; `place` says for people where that is."""

    name: str
    open_log: OpenLog
    place: str = "the shared log"

    @classmethod
    def of(cls, database: str | None, node: str | None, file_storage: str | None) -> Self | None:
        """What options say: the address of the log, and the name of the node. None where a server is alone.

        Raises `BadRequest`, which has nothing of the address in it that may be secret.
        """
        if database is None:
            if node is not None:
                raise BadRequest(
                    "--node names a server among several, which share a log: give its address too, with "
                    "--database postgresql://user@host/database.",
                    code="NotANode",
                )
            return None
        if node is None:
            raise BadRequest(
                "A server with --database is one of several: give it a name of its own, with --node. It must "
                "be the same whenever this server is started.",
                code="NodeWithoutName",
            )
        if not _NAME.match(node):
            raise BadRequest(
                f"{node!r} is no name for a node: use letters, digits, dots, underscores and hyphens.",
                code="InvalidNodeName",
            )
        if file_storage is None:
            raise BadRequest(
                "Every node must reach the stored files, so they cannot be in a data directory: name an "
                "object store with --file-storage s3://bucket/prefix.",
                code="NodeWithoutFileStorage",
            )
        return cls(node, partial(_open, database), _place(database))


async def _open(database: str, node: str, clock: Callable[[], int]) -> SharedLog:
    from parabola.database.shared_log.opening import open_log

    return await open_log(database, node, clock=clock)


async def open_node_log(
    config: NodeConfig, instance_name: str, instance_secret: bytes, clock: Callable[[], int]
) -> SharedLog:
    """The log, which is that of a deployment with this name and secret.

    Raises `BadRequest` where it is another one's, `UnusableData` for a server that will not do, and
    `LogUnreachable` where none answers.
    """
    log = await config.open_log(config.name, clock)
    try:
        name = await log.settle(_INSTANCE, instance_name)
        if name != instance_name:
            raise BadRequest(
                f'The log in {config.place} is that of the deployment "{name}", and this server was to be a '
                f'node of "{instance_name}". Give the same --instance-name, or another --database.',
                code="AnotherInstance",
            )
        check = derive_key(instance_secret, _PURPOSE).hex()
        if await log.settle(_CHECKED, check) != check:
            raise BadRequest(
                "The nodes of a deployment have one instance secret, and this one's is not that of the log "
                f"in {config.place}. Give the same INSTANCE_SECRET or --instance-secret-file as others.",
                code="AnotherSecret",
            )
    except BaseException:
        await log.close()
        raise
    return log


def _place(database: str) -> str:
    parts = urlsplit(database)
    return f"{parts.netloc.rpartition('@')[2]}{parts.path}"
