"""
Rules that involve several keys.

They check the given values instead of the accepted ones, so that they are reported together with invalid values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import ModelWrapValidatorHandler, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from exporter.settings.addresses import host_of, parse_server_url

Found = tuple[tuple[str | int, ...], str]
"""The location below the model that checks, and the problem."""

RULE = "rule"
"""The pydantic error type of these rules; its message is complete."""

ModelT = TypeVar("ModelT")


def validate_with(data: Any, handler: ModelWrapValidatorHandler[ModelT], found: Sequence[Found]) -> ModelT:
    """Validate the fields, and raise one `ValidationError` for pydantic's errors together with *found*."""
    errors: list[InitErrorDetails] = []
    model = None
    try:
        model = handler(data)
    except ValidationError as error:
        errors += [_without_input(detail) for detail in error.errors(include_url=False, include_input=False)]
    errors += [
        {"type": PydanticCustomError(RULE, _literally(text)), "loc": path, "input": None} for path, text in found
    ]
    if errors or model is None:
        raise ValidationError.from_exception_data("settings", errors, hide_input=True) from None
    return model


def credential_problems(given: Mapping[str, object]) -> Iterator[Found]:
    """Require exactly one kind of credentials, complete, and the metrics page's login complete if there is one."""
    yield from login_problems(given)
    yield from _twice(given, "native_password")
    yield from _halves(given, "native_username", "native_password")


def login_problems(given: Mapping[str, object]) -> Iterator[Found]:
    """Require exactly one kind of credentials, complete."""
    yield from _twice(given, "password")
    yield from _twice(given, "token")
    basic = [key for key in ("username", "password", "password_file") if _has(given, key)]
    bearer = [key for key in ("token", "token_file") if _has(given, key)]
    if basic and bearer:
        yield (), f"two kinds of credentials ({basic[0]} and {bearer[0]}); accepted: {_CREDENTIALS}"
    elif not basic and not bearer:
        yield (), f"no credentials; accepted: {_CREDENTIALS}"
    elif basic:
        yield from _halves(given, "username", "password")


_CREDENTIALS = "username with password or password_file, or token or token_file"


_SERVERS = "[[servers]] in the file, or STALWART_EXPORTER_URL, each with credentials"


def _twice(given: Mapping[str, object], name: str) -> Iterator[Found]:
    if _has(given, name) and _has(given, f"{name}_file"):
        yield (f"{name}_file",), f"conflicts with {name}; accepted: only one of the two"


def _halves(given: Mapping[str, object], username: str, password: str) -> Iterator[Found]:
    has_password = _has(given, password) or _has(given, f"{password}_file")
    if _has(given, username) and not has_password:
        yield (username,), f"set without its password; accepted: together with {password} or {password}_file"
    if has_password and not _has(given, username):
        key = password if _has(given, password) else f"{password}_file"
        yield (key,), f"set without {username}; accepted: both together"


def tls_problems(given: Mapping[str, object]) -> Iterator[Found]:
    """Require a client certificate for a client key."""
    if _has(given, "key_file") and not _has(given, "cert_file"):
        yield ("key_file",), "set without cert_file; accepted: both together"


def server_list_problems(servers: object) -> Iterator[Found]:
    """Require at least one server and unique names: the name distinguishes their series."""
    if isinstance(servers, Mapping):
        yield ("servers",), "a single table; accepted: one or more [[servers]], in double brackets"
        return
    if not isinstance(servers, list | tuple):
        return  # a wrong type, which pydantic reports
    if not servers:
        yield ("servers",), f"no server is configured; accepted: {_SERVERS}"
    seen: dict[str, int] = {}
    for index, server in enumerate(servers):
        name = effective_name(server)
        first = seen.setdefault(name, index) if name else index
        if first != index:
            yield (
                ("servers", index, "name"),
                f"the same as that of servers[{first}]; accepted: a unique name (default: the host name of url)",
            )


def effective_name(server: object) -> str:
    """Return the name that a server will have; empty if it cannot be determined."""
    given = server if isinstance(server, Mapping) else {key: getattr(server, key, None) for key in ("name", "url")}
    name = given.get("name")
    if isinstance(name, str) and name:
        return name
    try:
        return host_of(parse_server_url(given.get("url")))
    except ValueError:
        return ""


def _has(given: Mapping[str, object], key: str) -> bool:
    return given.get(key) is not None


def _without_input(detail: Any) -> InitErrorDetails:
    error = PydanticCustomError(detail["type"], _literally(detail["msg"]), detail.get("ctx"))
    return {"type": error, "loc": detail["loc"], "input": None}


def _literally(text: str) -> Any:
    """Pass a template to pydantic: mypy requires a literal, and ours has no placeholders."""
    return text
