"""`npx convex env`: set, get, list, remove, and what functions read."""

from __future__ import annotations

import pytest

from e2e.convex_cli import ConvexProject

pytestmark = pytest.mark.e2e


@pytest.fixture
def project(messages: ConvexProject) -> ConvexProject:
    """The project without environment variables."""
    rows = messages.call("_system/cli/queryEnvironmentVariables")
    if rows:
        changes = [{"name": row["name"], "value": None} for row in rows]
        messages.post("/api/update_environment_variables", {"changes": changes})
    return messages


def test_a_variable_is_set_read_changed_and_removed(project: ConvexProject) -> None:
    assert "Successfully set GREETING" in project.ok("env", "set", "GREETING", "hello").told
    assert project.ok("env", "get", "GREETING").output == "hello\n"
    assert project.call("messages:greeting") == "hello"
    project.ok("env", "set", "GREETING", "good evening")
    assert project.call("messages:greeting") == "good evening"
    assert "Successfully unset GREETING" in project.ok("env", "remove", "GREETING").told
    assert project.call("messages:greeting") == "no greeting"


def test_variables_are_listed_by_name(project: ConvexProject) -> None:
    done = project.ok("env", "list")
    assert done.output == ""
    assert "No environment variables set" in done.told
    project.ok("env", "set", "ZEBRA", "1")
    project.ok("env", "set", "APE", "two words")
    listed = project.ok("env", "list").output
    assert listed in ('APE="two words"\nZEBRA=1\n', "APE=two words\nZEBRA=1\n")
    assert project.ok("env", "list", "--names-only").output == "APE\nZEBRA\n"


def test_a_variable_that_is_not_set_is_not_found(project: ConvexProject) -> None:
    done = project.convex("env", "get", "NOTHING")
    assert done.output == ""
    assert 'Environment variable "NOTHING" not found' in done.told


def test_many_variables_come_from_a_file(project: ConvexProject) -> None:
    file = project.directory / "settings.env"
    file.write_text('ONE=1\nTWO="two\nlines"\n')
    project.ok("env", "set", "--from-file", str(file))
    assert project.ok("env", "get", "ONE").output == "1\n"
    assert project.ok("env", "get", "TWO").output == "two\nlines\n"
    file.write_text("ONE=other\nTHREE=3\n")
    done = project.convex("env", "set", "--from-file", str(file))
    assert done.status == 1
    assert "ONE" in done.told
    assert project.ok("env", "list", "--names-only").output == "ONE\nTWO\n", "all or none"
    project.ok("env", "set", "--from-file", str(file), "--force")
    assert project.ok("env", "get", "ONE").output == "other\n"
    assert project.ok("env", "get", "THREE").output == "3\n"


def test_a_value_may_come_through_a_pipe(project: ConvexProject) -> None:
    project.ok("env", "set", "SECRET", stdin="from the pipe")
    assert project.ok("env", "get", "SECRET").output == "from the pipe\n"


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("with-hyphen", "x", "EnvironmentVariableNameInvalid"),
        ("N" * 300, "x", "EnvironmentVariableNameTooLong"),
        ("BIG", "x" * 9000, "EnvironmentVariableValueTooLarge"),
        ("CONVEX_CLOUD_URL", "x", "EnvVarNameForbidden"),
    ],
)
def test_what_cannot_be_set_is_refused(project: ConvexProject, name: str, value: str, text: str) -> None:
    done = project.convex("env", "set", name, value)
    assert done.status == 1
    assert text in done.told
    assert project.call("_system/cli/queryEnvironmentVariables") == []


def test_the_auth_config_may_ask_for_a_variable(project: ConvexProject) -> None:
    config = "export default { providers: [{ domain: process.env.AUTH_DOMAIN, applicationID: 'app' }] };"
    project.write("auth.config.ts", config)
    try:
        done = project.convex("dev", "--once", "--typecheck", "disable")
        assert done.status == 1
        assert "Environment variable AUTH_DOMAIN is used in auth config file" in done.told
        assert "npx convex env set" in done.told
        project.ok("env", "set", "AUTH_DOMAIN", "https://auth.example")
        project.push()
        done = project.convex("env", "remove", "AUTH_DOMAIN")
        assert done.status == 1
        assert "Environment variable AUTH_DOMAIN is used in auth config file" in done.told
    finally:
        (project.directory / "convex" / "auth.config.ts").unlink()
        project.push()
