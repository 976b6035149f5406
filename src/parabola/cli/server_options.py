"""The options of the commands that start a server."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "BodyTimeout",
    "CloudOrigin",
    "DataDir",
    "FileStorage",
    "FilesOrigin",
    "HeaderTimeout",
    "Host",
    "InstanceName",
    "InstanceSecret",
    "MaxFileSize",
    "MaxRequestMemory",
    "MinBodyRate",
    "MinFreeDisk",
    "Port",
    "PublicDir",
    "RedactLogs",
    "SiteOrigin",
    "SitePort",
    "TrustedProxies",
    "UploadsPerUrl",
    "byte_count",
]

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(|k|m|g|t)(?:i?b)?\Z", re.IGNORECASE)
_FACTORS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def byte_count(text: str) -> int:
    """A size such as `500MB` or `1073741824`; units are powers of 1024. Raises `typer.BadParameter`."""
    match = _SIZE.match(text.strip())
    if match is None:
        raise typer.BadParameter("give a number of bytes, or one with KB, MB, GB or TB, such as 500MB")
    return int(float(match[1]) * _FACTORS[match[2].lower()])


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
FilesOrigin = Annotated[
    str | None,
    typer.Option(
        envvar="PARABOLA_FILES_ORIGIN",
        help="The origin that serves stored files, such as https://files.my-app.com.",
        show_default="that of the deployment",
    ),
]
MaxFileSize = Annotated[
    int | None,
    typer.Option(
        envvar="PARABOLA_MAX_FILE_SIZE",
        parser=byte_count,
        metavar="SIZE",
        help="The largest file that may be uploaded, such as 500MB.",
        show_default="any size",
    ),
]
MinFreeDisk = Annotated[
    int,
    typer.Option(
        envvar="PARABOLA_MIN_FREE_DISK",
        parser=byte_count,
        metavar="SIZE",
        help="Uploads are refused when they would leave less of the disk free; 0: never.",
    ),
]
UploadsPerUrl = Annotated[
    int,
    typer.Option(
        envvar="PARABOLA_UPLOADS_PER_URL",
        min=1,
        help="Files that are received at a time with one upload URL; others wait.",
    ),
]
MaxRequestMemory = Annotated[
    int,
    typer.Option(
        envvar="PARABOLA_MAX_REQUEST_MEMORY",
        parser=byte_count,
        metavar="SIZE",
        help="Memory that reading from all clients may take at a time; beyond it they get status 503.",
    ),
]
HeaderTimeout = Annotated[
    float,
    typer.Option(
        envvar="PARABOLA_HEADER_TIMEOUT",
        min=0.1,
        help="Seconds that the headers of a request, or the first message of a socket, may take.",
    ),
]
BodyTimeout = Annotated[
    float,
    typer.Option(
        envvar="PARABOLA_BODY_TIMEOUT",
        min=0.1,
        help="Seconds after which a client that has sent or taken less than the rate below is let go.",
    ),
]
MinBodyRate = Annotated[
    int,
    typer.Option(
        envvar="PARABOLA_MIN_BODY_RATE", min=0, help="Bytes a second that a client must send, or take."
    ),
]
TrustedProxies = Annotated[
    str,
    typer.Option(
        envvar="PARABOLA_TRUSTED_PROXIES",
        help="Addresses and networks, with commas, whose X-Forwarded-For and -Proto headers are believed.",
    ),
]
