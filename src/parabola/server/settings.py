"""What an operator may set about clients: the memory they take, how long and how much each may do."""

from __future__ import annotations

from dataclasses import dataclass

from parabola.values.limits import MIB

__all__ = ["ServerSettings"]


@dataclass(frozen=True)
class ServerSettings:
    """The settings of one server. Times are seconds, sizes bytes, rates bytes per second."""

    request_memory: int = 512 * MIB
    """What reading from all clients may take at any time (see `Intake`); from 1 MiB."""
    header_seconds: float = 60.0
    """For the headers of a request, and for the first message of a socket; from 0.1."""
    body_seconds: float = 30.0
    """The time over which a client's rate is looked at, and the longest for which it may send nothing;
    from 0.1."""
    body_rate: int = 240
    """What a client must send, or take, on average; from 0."""
    uploads_per_token: int = 16
    """Uploads with one URL that are received at a time; others wait for their turn. From 1."""
    waiting_uploads: int = 256
    """Uploads that wait for their turn with one URL; more are refused. One holds a connection, and nothing of
    its file."""
    stall_seconds: float = 60.0
    """How long a client of an HTTP action may neither send nor take anything of a body: then it counts as
    gone, for it keeps a process from other actions."""
    silence_seconds: float = 120.0
    """How long nothing may be heard of a socket's client, which answers a ping every 5 seconds."""
    queries_per_client: int = 20
    """Queries of one socket that run at a time (sync-and-http 1.6)."""
    waiting_mutations: int = 1000
    """Mutations of one socket that wait; with more it is closed, to come again."""
    running_actions: int = 1000
    """The same for actions that run."""
    open_metrics: bool = False
    """Whether `/metrics` asks for no admin key."""
    shutdown_seconds: float = 85.0
    """How long a server that ends waits for what clients have started, and for scheduled functions; systemd
    kills after 90."""
