"""Where a log stream goes: reading what an administrator says of it, and changing that."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from parabola.services.log_streams.stream_kinds import Config, Webhook, kind_of
from parabola.values.errors import BadRequest

__all__ = ["changed_config", "new_config", "new_secret", "stored_config"]

SECRET_BYTES: Final = 16
_TYPE: Final = "logStreamType"


def new_config(body: Any) -> Config:
    """The configuration in the body of a request. Raises `BadRequest`."""
    kind = _class_of(body)
    fields = _given(kind, body)
    if kind is Webhook:
        fields["hmacSecret"] = new_secret()
    return _checked(kind, {name: value for name, value in fields.items() if value is not None})


def changed_config(config: Config, body: Any) -> Config:
    """A configuration with the fields in the body of a request; what is null there goes. Raises
    `BadRequest`.
    """
    kind = _class_of(body)
    if kind is not type(config):
        article = "an" if config.title == "Axiom" else "a"
        raise BadRequest(
            f"Cannot update {article} {config.title} log stream "
            "with arguments for a different log stream type",
            code="LogStreamTypeMismatch",
        )
    fields = {**stored_config(config), **_given(kind, body)}
    return _checked(kind, {name: value for name, value in fields.items() if value is not None})


def stored_config(config: Config) -> dict[str, Any]:
    """The configuration as its row holds it."""
    fields: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(config))
    return fields


def new_secret() -> str:
    """A secret for the signatures of a webhook."""
    return secrets.token_hex(SECRET_BYTES)


def _class_of(body: Any) -> type[Config]:
    if not isinstance(body, dict) or not isinstance(body.get(_TYPE), str):
        raise BadRequest(f"The field `{_TYPE}` of the request's body is missing", code="BadJsonBody")
    return kind_of(body[_TYPE])


def _given(kind: type[Config], body: Mapping[str, Any]) -> dict[str, Any]:
    known = set(kind.__struct_encode_fields__) - set(kind.ours)
    return {name: value for name, value in body.items() if name in known}


def _checked(kind: type[Config], fields: Mapping[str, Any]) -> Config:
    try:
        config = msgspec.convert({name: fields[name] for name in fields if name != "type"}, kind)
    except msgspec.ValidationError as error:
        raise BadRequest(f"The request's body is no log stream: {error}", code="BadJsonBody") from None
    config.check()
    return config
