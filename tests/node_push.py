"""A push of one module for full Node.js, without any npm package."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from server_process import ServerProcess


def push_node(server: ServerProcess, source: str) -> None:
    """What `npx convex deploy` sends."""

    def post(step: str, body: dict[str, Any]) -> Any:
        headers = {"Content-Type": "application/json", "Authorization": f"Convex {server.admin_key}"}
        request = urllib.request.Request(
            f"{server.url}/api/deploy2/{step}", json.dumps(body).encode(), headers
        )
        with urllib.request.urlopen(request) as response:
            return json.load(response)

    definition = (
        "export default { export: () => ({ definitionType: { type: 'app' }, childComponents: [], "
        "httpMounts: {}, exports: { type: 'branch', branch: [] } }) };"
    )
    started = post(
        "start_push",
        {
            "adminKey": server.admin_key,
            "dryRun": False,
            "functions": "convex/",
            "appDefinition": {
                "definition": {"path": "convex.config.js", "source": definition, "environment": "isolate"},
                "dependencies": [],
                "schema": None,
                "changedModules": [{"path": "node.js", "source": source, "environment": "node"}],
                "unchangedModuleHashes": [],
                "udfServerVersion": "1.48.0",
            },
            "componentDefinitions": [],
            "nodeDependencies": [],
            "forCodegen": False,
        },
    )
    post("finish_push", {"adminKey": server.admin_key, "startPush": started, "dryRun": False})
