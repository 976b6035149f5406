"""The options of the commands that start a server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "CloudOrigin",
    "DataDir",
    "FileStorage",
    "Host",
    "InstanceName",
    "InstanceSecret",
    "Port",
    "PublicDir",
    "RedactLogs",
    "SiteOrigin",
    "SitePort",
]

Host = Annotated[str, typer.Option(help="The address to listen on.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="The port of the deployment; 0 takes a free one.")]
SitePort = Annotated[
    int, typer.Option(min=0, max=65535, help="The port of HTTP actions; 0 takes a free one.")
]
DataDir = Annotated[
    Path | None, typer.Option(help="Where the data is kept.", show_default="the folder .parabola")
]
InstanceName = Annotated[
    str | None,
    typer.Option(envvar="INSTANCE_NAME", help="The deployment's name.", show_default="kept with the data"),
]
InstanceSecret = Annotated[
    str | None,
    typer.Option(
        envvar="INSTANCE_SECRET",
        help="64 hex characters that admin keys are made with.",
        show_default="made once and kept with the data",
    ),
]
CloudOrigin = Annotated[
    str | None,
    typer.Option(
        envvar="CONVEX_CLOUD_ORIGIN", help="The URL by which clients reach the deployment, behind a proxy."
    ),
]
SiteOrigin = Annotated[
    str | None,
    typer.Option(
        envvar="CONVEX_SITE_ORIGIN", help="The URL by which clients reach HTTP actions, behind a proxy."
    ),
]
FileStorage = Annotated[
    str | None,
    typer.Option(
        envvar="PARABOLA_FILE_STORAGE",
        help="The object store that keeps uploaded files, such as s3://bucket/prefix.",
        show_default="the data directory",
    ),
]
RedactLogs = Annotated[
    bool,
    typer.Option(
        "--redact-logs-to-client",
        envvar="REDACT_LOGS_TO_CLIENT",
        help="Hide log lines and the texts of errors from clients, all but the data of a ConvexError.",
    ),
]
PublicDir = Annotated[
    Path | None, typer.Option(help="A directory with a built front end to serve beside the API.")
]
