"""HTTP responses in the server's words."""

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
    A whole response.

    Attributes:
        stream: Sent after `body`, chunk by chunk, until it ends; there is no Content-Length then.
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
    """Return a successful response."""
    return Answer(200, _encode({"data": value}))


def encode(value: Any) -> bytes:
    """Return *value* as JSON."""
    return _encode(value)


def management_error(error: str, **members: Any) -> Answer:
    """Return an error response with status 200."""
    return Answer(200, _encode({"error": error, **members}))


def problem(status: int, title: str, detail: str, headers: tuple[tuple[str, str], ...] = (), **members: Any) -> Answer:
    """Return an error response in the format of RFC 7807."""
    kind = members.pop("type", "about:blank")
    body = {"type": kind, "status": status, "title": title, "detail": detail, **members}
    return Answer(status, _encode(body), PROBLEM, headers)


def unauthorized(*, challenge: bool) -> Answer:
    """Return the response to missing or wrong credentials."""
    headers = CHALLENGES if challenge else ()
    return problem(401, "Unauthorized", "You have to authenticate first.", headers)


def forbidden() -> Answer:
    """Return the response to a missing permission, without its name."""
    return problem(403, "Forbidden", "You do not have enough permissions to access this resource.")


def not_found() -> Answer:
    """Return the response to an unknown path, method or id."""
    return problem(404, "Not Found", "The requested resource does not exist on this server.")


def rate_limited() -> Answer:
    """Return the response to too many requests per minute."""
    detail = "Your request has been rate limited. Please try again in a few seconds."
    return problem(429, "Too Many Requests", detail)


def banned() -> Answer:
    """Return the response to the login that caused the ban."""
    detail = "Your request has been rate limited. Please try again in a few minutes."
    return problem(429, "Too Many Authentication Attempts", detail, (("connection", "close"),))


def too_many_at_once() -> Answer:
    """Return the response to too many concurrent requests of an account: 400, not 429."""
    return problem(
        400,
        "Limit exceeded",
        "You have exceeded the maximum number of concurrent requests.",
        type="urn:ietf:params:jmap:error:limit",
        limit="maxConcurrentRequests",
    )


def unsupported(details: str) -> Answer:
    """Return the response to an unsupported operation, with status 200."""
    return management_error("unsupported", details=details)
