"""`parabola serve`: the server alone."""

from __future__ import annotations

from pathlib import Path

from parabola.cli import event_loop
from parabola.cli.local_server import LocalServer, RequestOptions, ServerOptions
from parabola.cli.server_options import (
    BodyTimeout,
    CloudOrigin,
    DataDir,
    FilesOrigin,
    FileStorage,
    HeaderTimeout,
    Host,
    InstanceName,
    InstanceSecret,
    MaxFileSize,
    MaxRequestMemory,
    MinBodyRate,
    MinFreeDisk,
    Port,
    PublicDir,
    RedactLogs,
    SiteOrigin,
    SitePort,
    TrustedProxies,
    UploadsPerUrl,
)
from parabola.project import DATA_FOLDER

__all__ = ["serve"]


def serve(
    host: Host = "127.0.0.1",
    port: Port = 3210,
    site_port: SitePort = 3211,
    data: DataDir = None,
    instance_name: InstanceName = None,
    instance_secret: InstanceSecret = None,
    cloud_origin: CloudOrigin = None,
    site_origin: SiteOrigin = None,
    public: PublicDir = None,
    file_storage: FileStorage = None,
    redact_logs_to_client: RedactLogs = False,
    files_origin: FilesOrigin = None,
    max_file_size: MaxFileSize = None,
    min_free_disk: MinFreeDisk = "256MB",  # type: ignore[assignment]
    uploads_per_url: UploadsPerUrl = 16,
    max_request_memory: MaxRequestMemory = "512MB",  # type: ignore[assignment]
    header_timeout: HeaderTimeout = 60,
    body_timeout: BodyTimeout = 30,
    min_body_rate: MinBodyRate = 240,
    trusted_proxies: TrustedProxies = "127.0.0.0/8,::1",
) -> None:
    """Serve a deployment. Functions come to it by [b]parabola deploy[/b] or [b]npx convex deploy[/b]."""
    options = ServerOptions(
        host,
        port,
        site_port,
        data or Path(DATA_FOLDER),
        instance_name,
        instance_secret,
        cloud_origin,
        site_origin,
        public,
        file_storage,
        redact_logs_to_client,
        RequestOptions(
            files_origin,
            max_file_size,
            min_free_disk,
            uploads_per_url,
            max_request_memory,
            header_timeout,
            body_timeout,
            min_body_rate,
            tuple(trusted_proxies.split(",")),
        ),
    )
    event_loop.run(_serve(options))


async def _serve(options: ServerOptions) -> None:
    async with LocalServer.running(options) as server:
        server.introduce()
        await server.until_told_to_end()
