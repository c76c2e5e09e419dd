"""
The meaning of a response: a usable body or a `TargetError`.

Contract: Stalwart v0.10-v0.15. Management errors are HTTP 200 with an ``error``; protocol errors are RFC 7807 problem
documents with their own status. A proxy in between may respond with its own pages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from exporter.errors import (
    PayloadError,
    TargetBusy,
    TargetForbidden,
    TargetRefused,
    TargetServerError,
    TargetUnsupported,
    quote,
)
from exporter.stalwart.http.endpoint import EndpointTable, ResponseForm

SMALL_BYTES = 64 * 1024
"""Error objects are no longer than this, and no more of an error page is read."""

BAN_HINT = (
    "the exporter's address may be banned there (settings server.blocked-ip and "
    "server.auto-ban, from v0.16 on the objects BlockedIp and Security)"
)

_ADDRESS = re.compile(r"[^\s<>\"']*@[^\s<>\"']*")
_REFUSALS = (401, 403, 404)
"""
Statuses that Stalwart sends with a problem document; without one they come from something else.

A 401 to a request with credentials counts as a refusal from any source.
"""

_NOT_CONFIGURED = ("has been defined", "has been configured", "not configured")

T = TypeVar("T")


class CredentialsRefused(TargetRefused):
    """The server refused these credentials; they must not be sent again."""


class AuthenticationRequired(TargetRefused):
    """The server requires credentials, and none were sent."""


class NotStalwart(TargetServerError):
    """A refusal not written by Stalwart: from a proxy in front of it, or from another program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawResponse:
    """
    A response as received.

    Attributes:
        body: Complete for a 200, else the part that was read.
        authenticated: Whether credentials were sent.
        secrets: Secrets of the request, which must not be quoted from the response.
    """

    status: int
    content_type: str
    retry_after: str
    body: bytes
    authenticated: bool
    secrets: Iterable[str] = ()

    def quoted(self, text: object) -> str:
        """Return *text* from the response, safe for a message: without our secrets and mail addresses, shortened."""
        said = text[:4096] if isinstance(text, str) else ""
        for secret in self.secrets:
            said = said.replace(secret, "***")
        return quoted(said)

    def is_page(self) -> bool:
        """Whether it is an HTML page, which Stalwart's API never sends."""
        return "html" in self.content_type.lower() or self.body[:64].lstrip().startswith(b"<")


def quoted(text: str) -> str:
    """Return *text* from a server, safe for a message: without mail addresses, shortened."""
    return quote(_ADDRESS.sub("***", text[:1024]))


def check_response(endpoint: EndpointTable, answer: RawResponse) -> None:
    """Raise the matching `TargetError` unless the response is usable."""
    if answer.status == 200:
        _check_body(endpoint, answer)
    elif not (endpoint.value.answer is ResponseForm.LINK and 300 <= answer.status < 400 and answer.body):
        raise _error_of_status(endpoint, answer)


def decode_response(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Decode *body*; raises `PayloadError` with the path of the faulty member."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PayloadError(decoding_problem(error)) from error


def decoding_problem(error: Exception, path: str = "") -> str:
    """Return a decoder's error with its place below *path*: ``data.items[3].created: Expected `int`, got `str```."""
    if isinstance(error, UnicodeDecodeError):
        what, below = "not UTF-8", ""
    elif isinstance(error, RecursionError):
        what, below = "nested too deeply", ""
    else:
        what, _, below = str(error).partition(" - at `$")
    return f"{path}{below.removesuffix('`')}".lstrip(".") + f": {quote(what)}" if path or below else quote(what)


def _check_body(endpoint: EndpointTable, answer: RawResponse) -> None:
    kind = endpoint.value.answer
    if answer.is_page():
        raise PayloadError(f"{endpoint.label}: an HTML page instead of data: a proxy, or another program's port")
    if kind is ResponseForm.TEXT:
        _check_text(endpoint, answer.body)
        return
    if kind in (ResponseForm.LINK, ResponseForm.PACKED):
        return
    if len(answer.body) > SMALL_BYTES:
        return  # Too long for an error object; its decoder checks the rest.
    try:
        document = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if kind is ResponseForm.KEPT and answer.body:
            return
        what = decoding_problem(error) if answer.body else "an empty response"
        raise PayloadError(f"{endpoint.label}: {what}") from error
    if kind is ResponseForm.KEPT and not (isinstance(document, dict) and "error" in document):
        return
    if not isinstance(document, dict):
        raise PayloadError(f"{endpoint.label}: expected an object")
    if kind in (ResponseForm.MANAGEMENT, ResponseForm.KEPT, ResponseForm.STREAM) and "data" not in document:
        raise _error_of_object(endpoint, answer, document)


def _check_text(endpoint: EndpointTable, body: bytes) -> None:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise PayloadError(f"{endpoint.label}: not UTF-8") from error


def _error_of_object(endpoint: EndpointTable, answer: RawResponse, document: Mapping[str, Any]) -> Exception:
    kind = document.get("error")
    if kind is None:
        return PayloadError("data: missing")
    details = document.get("details")
    details = details if isinstance(details, str) else ""
    said = ", ".join(
        answer.quoted(part) for part in (kind, details, document.get("reason"), document.get("item")) if part
    )
    message = f"{endpoint.label}: the server reports: {said}"
    if kind in ("other", "unsupported") and any(sign in details for sign in _NOT_CONFIGURED):
        return TargetUnsupported(message, status="not_configured")
    if kind == "unsupported":
        licensed = "Enterprise" not in details
        return TargetUnsupported(message, status="unsupported" if licensed else "not_licensed")
    if kind == "notFound":
        return TargetUnsupported(message, status=endpoint.value.missing)
    return TargetServerError(message)


def _error_of_status(endpoint: EndpointTable, answer: RawResponse) -> Exception:
    status, name = answer.status, endpoint.label
    problem = _problem(answer)
    title, detail = problem.get("title"), problem.get("detail")
    said = answer.quoted(detail) or answer.quoted(title) or "no reason given"
    if status in _REFUSALS and not _is_problem(status, problem) and not (status == 401 and answer.authenticated):
        if answer.is_page() and status == 404:
            return PayloadError(f"{name}: HTTP 404 with an HTML page: a proxy, or another program's port")
        return NotStalwart(f"{name}: HTTP {status}, not from Stalwart: a proxy, or another program's port")
    if status in (401, 402):
        return _refusal(endpoint, answer)
    if status == 403:
        return _denial(endpoint, str(title), str(detail))
    if status == 404:
        said_missing = f"{name}: not found (HTTP 404)"
        return TargetUnsupported(said_missing, status=endpoint.value.missing, certain=False)
    if status == 429:
        return _busy(endpoint, answer, str(title))
    if status == 400 and ("limit" in problem or str(problem.get("type")).endswith(":limit")):
        return TargetBusy(f"{name}: too many concurrent requests of this account (HTTP 400)")
    if status == 400 and str(problem.get("type")).endswith(":notRequest"):
        return TargetUnsupported(f"{name}: the server does not support this request (HTTP 400)")
    if 300 <= status < 400:
        return PayloadError(
            f"{name}: a redirect (HTTP {status}), which Stalwart's API never sends: a proxy, or its url"
        )
    if 400 <= status < 600:
        return TargetServerError(f"{name}: HTTP {status}: {said}")
    return PayloadError(f"{name}: unexpected HTTP status {status}")


def _refusal(endpoint: EndpointTable, answer: RawResponse) -> TargetRefused:
    if not answer.authenticated:
        return AuthenticationRequired(f"{endpoint.label}: the server requires credentials (HTTP {answer.status})")
    why = (
        "refused the credentials"
        if answer.status == 401
        else "requires a second factor; use an API key, which needs none"
    )
    return CredentialsRefused(
        f"{endpoint.label}: the server {why} (HTTP {answer.status}); "
        "they are not sent again until they change or an operator reloads"
    )


def _denial(endpoint: EndpointTable, title: str, detail: str) -> Exception:
    if (title, detail) == ("Forbidden", "Forbidden"):
        return TargetRefused(
            f"{endpoint.label}: the server refuses the exporter's address (HTTP 403): {BAN_HINT}, "
            "or an http.allowed-endpoint rule excludes it"
        )
    permission = endpoint.value.permission
    needed = f"permission {permission} (or authenticate)" if permission else "a permission"
    return TargetForbidden(f"{endpoint.label}: the key lacks {needed} (HTTP 403)", certain=False)


def _busy(endpoint: EndpointTable, answer: RawResponse, title: str) -> Exception:
    if "authentication" in title.lower():
        kind = CredentialsRefused if answer.authenticated else TargetRefused
        return kind(
            f"{endpoint.label}: too many failed logins (HTTP 429): {BAN_HINT}, on every port; "
            "these credentials are not sent again until they change or an operator reloads"
        )
    seconds = float(answer.retry_after) if re.fullmatch(r"[0-9]{1,6}", answer.retry_after) else None
    return TargetBusy(
        f"{endpoint.label}: the server limits the exporter's requests (HTTP 429)", retry_after_seconds=seconds
    )


def _is_problem(status: int, problem: Mapping[str, Any]) -> bool:
    """Whether *problem* is the problem document that Stalwart sends with *status*."""
    return problem.get("status") == status


def _problem(answer: RawResponse) -> Mapping[str, Any]:
    try:
        document = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
