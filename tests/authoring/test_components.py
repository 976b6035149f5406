"""`convex_config.py`: what authors write, and the sentences for what makes no sense."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from parabola import define_app, define_component, env, v
from parabola.authoring.components import (
    EnvVariable,
    InvalidDefinition,
    given_json,
    variables_json,
)
from parabola.authoring.environment import ComponentVariables, NotGiven, NotSet, variables
from parabola.authoring.offered_components import offered_config


def test_what_is_declared_and_given_is_what_a_push_has() -> None:
    app = define_app(http_prefix="/api", env={"KEY": v.string(), "MODE": v.optional(v.literal("x"))})
    app.use(
        "../mailer", name="mail", env={"API_KEY": app.env.KEY, "FROM": "us", "TO": None}, http_prefix="/m"
    )
    (used,) = app.used
    assert app.http_prefix == "/api/"
    assert (used.component, used.name, used.http_prefix) == ("../mailer", "mail", "/m/")
    assert variables_json(app) == [
        ("KEY", {"type": "value", "value": '{"type":"string"}', "optional": False}),
        ("MODE", {"type": "value", "value": '{"type":"literal","value":"x"}', "optional": True}),
    ]
    assert given_json(used) == [
        ("API_KEY", {"type": "envVar", "name": "KEY"}),
        ("FROM", {"type": "value", "value": "us"}),
    ]
    assert used.place[0] == __file__


def test_a_component_is_used_as_itself_its_module_or_its_folder() -> None:
    component, app = define_component("kit"), define_app()
    module = ModuleType("kit_config")
    module.component = component  # type: ignore[attr-defined]
    only = ModuleType("kit_config")
    only.anything = component  # type: ignore[attr-defined]
    for each in (component, module, only):
        app.use(each)
    app.use(Path("..") / "kit")
    assert [each.component for each in app.used] == [component, component, component, "../kit"]
    assert component.file == __file__


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: define_component(3), "Component name must be a string. Received: int"),  # type: ignore[arg-type]
        (lambda: define_component(""), "Component name cannot be empty."),
        (lambda: define_app().use("x", name=""), "Component name cannot be empty."),
        (lambda: define_app().offer("x", name=""), "Component name cannot be empty."),
        (lambda: define_app(http_prefix="api"), 'http_prefix must start with "/". Received: "api"'),
        (lambda: define_app().use("x", http_prefix="p"), 'http_prefix must start with "/". Received: "p"'),
        (
            lambda: define_app().use("x", env={"X": 3}),  # type: ignore[dict-item]
            'Env var "X" must be a string or an env var reference. Received: int',
        ),
        (
            lambda: define_app().env.X,
            'Env var "X" is not declared on this app. Add it to the `env` option of `define_app`.',
        ),
        (
            lambda: define_component("kit").env["X"],
            'Env var "X" is not declared on component "kit". Add it to the `env` option of '
            "`define_component`.",
        ),
        (
            lambda: define_app(env={"X": "text"}),  # type: ignore[dict-item]
            'Environment variable "X" must be defined with a validator, such as v.string().',
        ),
        (lambda: define_app().use(sys), "The module sys defines no component."),
        (lambda: define_app().use(3), "Component definition does not name a component: 3."),  # type: ignore[arg-type]
    ],
)
def test_what_makes_no_sense_has_a_sentence(make: Any, sentence: str) -> None:
    with pytest.raises(InvalidDefinition) as refusal:
        make()
    assert str(refusal.value).startswith(sentence)


def test_variables_have_no_names_that_python_asks_for() -> None:
    with pytest.raises(AttributeError):
        _ = define_app().env.__wrapped__
    assert define_app(env={"A": v.string()}).env["A"] == EnvVariable("A")


def test_what_stands_for_a_component_in_typescript_declares_its_variables() -> None:
    component = define_component(
        "kit",
        env={
            "A": v.string(),
            "B": v.optional(v.literal("x")),
            "C": v.union(v.literal("p"), v.literal('q"')),
        },
    )
    text = offered_config("kit", variables_json(component))
    assert 'defineComponent("kit", {' in text
    assert "    A: v.string()," in text
    assert '    B: v.optional(v.literal("x")),' in text
    assert '    C: v.union(v.literal("p"), v.literal("q\\"")),' in text
    assert 'export default defineComponent("plain");' in offered_config("plain", [])


def test_a_variable_that_is_not_there_is_spoken_of_as_a_component_knows_it() -> None:
    given = ComponentVariables({"A": "x"})
    token = variables.set(lambda: given)
    try:
        assert (env["A"], env.get("B"), list(env), len(env)) == ("x", None, ["A"], 1)
        with pytest.raises(NotGiven, match="B is not given to this component"):
            _ = env["B"]
        variables.set(dict)
        with pytest.raises(NotSet, match="B is not set in this deployment"):
            _ = env["B"]
    finally:
        variables.reset(token)
