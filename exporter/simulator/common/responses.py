"""HTTP answers as the server words them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import msgspec

JSON = "application/json; charset=utf-8"
PROBLEM = "application/problem+json"
CHALLENGES = (
    ("www-authenticate", 'Bearer realm="Stalwart Server"'),
    ("www-authenticate", 'Basic realm="Stalwart Server"'),
)

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Answer:
    """
    A whole answer.

    Attributes:
        stream: Sent after `body`, chunk by chunk, for as long as it lasts; there is no length then.
    """

    status: int
    body: bytes
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    stream: AsyncIterator[bytes] | None = None


class Forbidden(Exception):
    """The caller lacks a permission."""

    def __init__(self, permission: str) -> None:
        super().__init__(permission)
        self.permission = permission


class NotFound(Exception):
    """No such path, method or id."""


def data(value: Any) -> Answer:
    """A successful answer."""
    return Answer(200, _encode({"data": value}))


def encode(value: Any) -> bytes:
    """A value as JSON."""
    return _encode(value)


def management_error(error: str, **members: Any) -> Answer:
    """An error that comes with status 200."""
    return Answer(200, _encode({"error": error, **members}))


def problem(status: int, title: str, detail: str, headers: tuple[tuple[str, str], ...] = (), **members: Any) -> Answer:
    """An error as RFC 7807 has it."""
    kind = members.pop("type", "about:blank")
    body = {"type": kind, "status": status, "title": title, "detail": detail, **members}
    return Answer(status, _encode(body), PROBLEM, headers)


def unauthorized(*, challenge: bool) -> Answer:
    """No or wrong credentials."""
    headers = CHALLENGES if challenge else ()
    return problem(401, "Unauthorized", "You have to authenticate first.", headers)


def forbidden() -> Answer:
    """A permission is missing; which one is not told."""
    return problem(403, "Forbidden", "You do not have enough permissions to access this resource.")


def not_found() -> Answer:
    """Unknown path, method or id."""
    return problem(404, "Not Found", "The requested resource does not exist on this server.")


def rate_limited() -> Answer:
    """Too many requests in this minute."""
    detail = "Your request has been rate limited. Please try again in a few seconds."
    return problem(429, "Too Many Requests", detail)


def banned() -> Answer:
    """The login that brought the ban."""
    detail = "Your request has been rate limited. Please try again in a few minutes."
    return problem(429, "Too Many Authentication Attempts", detail, (("connection", "close"),))


def too_many_at_once() -> Answer:
    """An account has too many requests under way; a 400, not a 429."""
    return problem(
        400,
        "Limit exceeded",
        "You have exceeded the maximum number of concurrent requests.",
        type="urn:ietf:params:jmap:error:limit",
        limit="maxConcurrentRequests",
    )


def unsupported(details: str) -> Answer:
    """Something this server does not do, with status 200."""
    return management_error("unsupported", details=details)
