"""What the newest npm `convex` has and older ones had not, pushed and run by its own command line."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from e2e.convex_cli import ConvexProject
from node_packages import PACKAGES, installed_version
from server_process import ServerProcess

IS_NEW_ENOUGH = (PACKAGES / "convex").is_dir() and installed_version("convex") >= (1, 49)
pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not IS_NEW_ENOUGH, reason="npm convex is older than 1.49")]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, npm_packages: Path) -> Iterator[ConvexProject]:
    """The project, pushed with type checks: what is generated must fit the library."""
    directory = tmp_path_factory.mktemp("newest")
    server = ServerProcess(directory, "serve", "--port", "0", "--site-port", "0").start()
    project = ConvexProject(directory / "project", server, "newest")
    done = project.ok("dev", "--once", "--typecheck", "enable")
    assert "jobs.by_at   at, _creationTime" in done.told
    assert "jobs.by_done   done, _creationTime  (staged)" in done.told, "staged ones like the others"
    yield project
    server.close()


def test_a_mutation_signs_tokens_that_anyone_and_the_deployment_believe(project: ConvexProject) -> None:
    token = project.call("tokens:sign", {"subject": "ann"})
    with urllib.request.urlopen(f"{project.server.url}/.well-known/jwks.json") as response:
        keys = KeySet.import_key_set(json.load(response))
    claims = jwt.decode(token, keys, algorithms=["ES256"]).claims
    assert (claims["iss"], claims["sub"], claims["name"]) == (project.server.url, "ann", "Ann")
    assert claims["exp"] - claims["iat"] == 60
    request = urllib.request.Request(
        f"{project.server.url}/api/query",
        json.dumps({"path": "tokens:who", "args": {}}).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
    )
    with urllib.request.urlopen(request) as response:
        assert json.load(response)["value"] == "ann"
    assert "The claim `iss` is not yours to set" in project.call("tokens:refused")


def test_function_handles_and_commit_timestamps_are_values_with_validators(project: ConvexProject) -> None:
    project.call("jobs:add")
    project.call("jobs:add")
    (first, second) = project.call("jobs:all")["jobs"]
    assert first["done"].startswith("function://")
    assert first["at"] != second["at"]
    project.call("jobs:finish", {"done": first["done"]})
    assert project.call("jobs:all")["notes"].count("finished") == 1
    for name, args, text in (
        ("jobs:addAny", {"done": "function://nowhere"}, "does not match the schema"),
        ("jobs:finish", {"done": "jobs:note"}, "ArgumentValidationError"),
    ):
        refused = project.convex("run", name, json.dumps(args))
        assert refused.status == 1
        assert text in refused.told
        assert "Validator: v.function()" in refused.told
    specification = json.loads(project.ok("function-spec").output)
    finish = next(each for each in specification["functions"] if each.get("identifier") == "jobs.js:finish")
    assert finish["args"]["value"]["done"]["fieldType"]["fnType"] == "mutation"


def test_mutations_store_and_read_files_within_limits(project: ConvexProject) -> None:
    kept = project.call("files:keep", {"text": "kept"})
    assert (kept["text"], kept["type"]) == ("kept", "text/plain")
    assert kept["filesWritten"] == {"used": 1, "remaining": 999}
    assert kept["fileReadBytes"]["used"] == 4


def test_functions_write_into_the_audit_log(project: ConvexProject) -> None:
    for _ in range(2):
        assert project.call("records:view") == "seen"
    project.call("records:change", {"fail": False})
    project.convex("run", "records:change", '{"fail": true}')
    project.call("records:ask")
    answer = project.server.cli("audit", "--jsonl", *project.server_options, "--limit", "100")
    lines = [json.loads(line) for line in answer.stdout.splitlines()]
    told = sorted((line["function"], line["status"], line["body"]["action"]) for line in lines)
    assert told == [
        ("records:ask", "running", "asked"),
        ("records:change", "failure", "changed"),
        ("records:change", "success", "changed"),
        ("records:view", "success", "viewed"),
        ("records:view", "success", "viewed"),
    ]
    change = next(line for line in lines if line["status"] == "failure")
    assert change["body"] == {
        "action": "changed",
        "by": {"type": "admin"},
        "request": change["requestId"],
        "at": [change["timestamp"], None],
    }


def test_crons_and_http_export_functions_that_are_called_and_scheduled(project: ConvexProject) -> None:
    assert project.run("http:hello") == "hello of http"
    project.run("crons:schedule")
    project.server.wait_for(lambda: set(notes(project)) >= {"of crons", "of http"})
    project.run("crons:tick", {"text": "by hand"})
    assert "by hand" in notes(project)
    specification = json.loads(project.ok("function-spec").output)
    named = {each.get("identifier") for each in specification["functions"]}
    assert {"crons.js:tick", "crons.js:schedule", "http.js:tock", "http.js:hello"} <= named


def test_an_index_of_a_large_table_is_asked_about_before_a_deploy(project: ConvexProject) -> None:
    project.run("crons:tick", {"text": "one"})
    schema = project.directory / "convex" / "schema.ts"
    before = schema.read_text()
    large = {"CONVEX_MIN_DOCUMENTS_FOR_INDEX_BACKFILL_WARNING": "1"}
    deploy = ("deploy", "--yes", "--typecheck", "disable")

    def index(text: str) -> None:
        schema.write_text(before.replace("text: v.string() }),", f"text: v.string() }}){text},"))

    index('.index("by_text", ["text"])')
    refused = project.convex(*deploy, runner="node", variables=large)
    assert refused.status == 1
    assert "create the following index on a large table" in refused.told
    assert "notes.by_text   text, _creationTime" in refused.told
    assert "--skip-large-indexes-check" in refused.told
    index('.index("by_text", { fields: ["text"], staged: true })')
    project.ok(*deploy, runner="node", variables=large)
    indexes = project.call("_system/frontend/indexes", {"tableName": "notes", "tableNamespace": None})
    assert [(each["fields"], each["staged"]) for each in indexes] == [(["text", "_creationTime"], True)]
    project.server.wait_for(lambda: backfilled(project) == "backfilled")
    index('.index("by_text", ["text"])')
    told = project.ok(*deploy, runner="node", variables=large).told
    assert "large table" not in told, "it has been filled beforehand"
    schema.write_text(before)
    refused = project.convex(
        *deploy, runner="node", variables={"CONVEX_MIN_DOCUMENTS_FOR_INDEX_DELETE_WARNING": "1"}
    )
    assert refused.status == 1
    assert "notes.by_text" in refused.told
    project.ok(*deploy, "--skip-large-indexes-check")


def notes(project: ConvexProject) -> list[str]:
    found: list[str] = project.call("jobs:all")["notes"]
    return found


def backfilled(project: ConvexProject) -> Any:
    indexes = project.call("_system/frontend/indexes", {"tableName": "notes", "tableNamespace": None})
    return indexes[0]["backfill"]["state"]
