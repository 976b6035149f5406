"""What a push may contain, and how it combines with what is deployed."""

from __future__ import annotations

import pytest

from parabola.functions.deployed.deployment import Deployment, Module
from parabola.services.deploys.definitions import PushedDefinition
from parabola.services.deploys.push import (
    MAX_MODULES,
    ComponentChange,
    IndexDiff,
    ModuleDiff,
    Push,
    PushResult,
    UnchangedModule,
    combine,
    component_differences,
)
from parabola.values.errors import BadRequest, Conflict


def python(path: str, source: str = "x = 1") -> Module:
    return Module(path, "python", source)


def typescript(path: str, source: str = "export const x = 1") -> Module:
    return Module(path, "isolate", source)


def deployed(*modules: Module) -> Deployment:
    return Deployment.of(modules)


def test_a_push_replaces_all_modules_of_its_language_and_no_other() -> None:
    current = deployed(
        python("old.py"), python("kept.py"), typescript("messages.js"), Module("n.js", "node", "")
    )
    combined = combine(current, Push("python", (python("kept.py", "x = 2"), python("new.py"))))
    assert sorted(combined) == ["kept.py", "messages.js", "n.js", "new.py"]
    assert combined["kept.py"].source == "x = 2"
    combined = combine(current, Push("typescript", (typescript("other.js"),)))
    assert sorted(combined) == ["kept.py", "old.py", "other.js"]


def test_unchanged_modules_are_named_by_their_hash() -> None:
    module = typescript("messages.js")
    push = Push("typescript", (), (UnchangedModule("messages.js", "isolate", module.sha256),))
    assert combine(deployed(module), push) == {"messages.js": module}


@pytest.mark.parametrize(
    ("unchanged", "code"),
    [
        (UnchangedModule("gone.js", "isolate", "00"), "MissingExistingModule"),
        (UnchangedModule("messages.js", "isolate", "00"), "ExistingModuleHashConflict"),
        (
            UnchangedModule("messages.js", "node", typescript("messages.js").sha256),
            "ExistingModuleEnvConflict",
        ),
    ],
)
def test_an_unchanged_module_that_the_server_does_not_have_is_a_conflict(
    unchanged: UnchangedModule, code: str
) -> None:
    with pytest.raises(Conflict) as caught:
        combine(deployed(typescript("messages.js")), Push("typescript", (), (unchanged,)))
    assert caught.value.code == code


def test_two_languages_cannot_claim_one_function_path() -> None:
    with pytest.raises(BadRequest, match=r"tasks\.py and tasks\.ts.*same function paths, tasks:"):
        combine(deployed(typescript("tasks.js")), Push("python", (python("tasks.py"),)))
    with pytest.raises(BadRequest, match=r"lib/a\.ts.* and lib/a\.py"):
        combine(deployed(python("lib/a.py")), Push("typescript", (typescript("lib/a.js"),)))


def test_one_file_of_jobs_and_one_of_routes_serve_both_languages() -> None:
    for name, advice in (("crons", "its jobs may name"), ("http", "its HTTP actions may call")):
        with pytest.raises(BadRequest, match=rf"both {name}\.py and {name}\.ts.*Keep one.*{advice}"):
            combine(deployed(typescript(f"{name}.js")), Push("python", (python(f"{name}.py"),)))


def test_two_schemas_are_refused_naming_both_files() -> None:
    with pytest.raises(BadRequest, match=r"two schemas, schema\.py and schema\.ts") as caught:
        combine(deployed(typescript("schema.js")), Push("python", (python("schema.py"),)))
    assert caught.value.code == "InvalidSchema"


@pytest.mark.parametrize(
    "path", ["", "../x.py", "a//b.py", "/a.py", "my-tasks.py", "__", "a/./b.py", "a" * 65, "ä.py"]
)
def test_paths_that_no_function_path_could_name_are_refused(path: str) -> None:
    with pytest.raises(BadRequest) as caught:
        Push("python", (python(path),))
    assert caught.value.code == "BadConvexModuleIdentifier"


def test_a_push_contains_each_path_once_and_only_its_own_language() -> None:
    with pytest.raises(BadRequest, match=r"contains a\.py twice"):
        Push("python", (python("a.py"), python("a.py")))
    with pytest.raises(BadRequest, match="no python push can contain it"):
        Push("python", (typescript("a.js"),))


def test_messages_and_module_counts_are_bounded() -> None:
    with pytest.raises(BadRequest) as caught:
        Push("python", (), message="x" * 1025)
    assert caught.value.code == "PushMessageTooLong"
    many = tuple(python(f"m{number}.py") for number in range(MAX_MODULES + 1))
    with pytest.raises(BadRequest, match="4097 modules"):
        combine(deployed(), Push("python", many))


def test_the_difference_names_added_removed_and_changed_modules() -> None:
    old = {m.path: m for m in (python("a.py"), python("b.py"), python("c.py"), typescript("_deps/x.js"))}
    new = {m.path: m for m in (python("b.py"), python("c.py", "x = 2"), python("d.py"))}
    assert ModuleDiff.between(old, new) == ModuleDiff(("d.py",), ("a.py",), ("c.py",))


def test_a_push_defines_nothing_twice() -> None:
    with pytest.raises(BadRequest, match="The push defines the app twice"):
        Push("python", (), definitions=(PushedDefinition(""), PushedDefinition("")))


def test_a_module_of_a_component_is_bounded_and_named_as_others_are() -> None:
    for wrong in (python("a b.py"), python("x.py", "x" * (33 * 1024 * 1024))):
        with pytest.raises(BadRequest):
            Push("python", (), definitions=(PushedDefinition("kit", modules=(wrong,)),))


def test_the_code_of_components_goes_by_their_paths() -> None:
    kit = PushedDefinition("../kit", modules=(python("lib.py"),))
    push = Push("python", (), definitions=(PushedDefinition(""), kit))
    assert {path: set(each.modules) for path, each in push.code().items()} == {"../kit": {"lib.py"}}


def test_components_of_which_nothing_changes_are_not_named() -> None:
    same, other = ModuleDiff(), ModuleDiff(changed=("lib.py",))
    result = PushResult(
        same,
        IndexDiff(),
        Deployment(),
        components={
            "a": ComponentChange("1", "modify", same, IndexDiff()),
            "b": ComponentChange("2", "modify", other, IndexDiff()),
            "c": ComponentChange("3", "unmount", same, IndexDiff()),
        },
    )
    assert component_differences(result) == {"b": "modify", "c": "unmount"}
