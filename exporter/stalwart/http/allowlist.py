"""
The only requests that this program can make.

Some GETs change things on a Stalwart server (``/store/purge``, ``/reload``, ``/update``), and a parameter it does not
know widens the answer instead of failing. So paths, methods and parameter names stand here and nowhere else, and the
transport takes nothing but a member of this table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import NamedTuple
from urllib.parse import quote, urlencode

from exporter.errors import PayloadError

SMALL_RESPONSE_BYTES = 1024 * 1024
"""For a single fact, a token, or the list of permissions."""

MEDIUM_RESPONSE_BYTES = 16 * 1024 * 1024
"""For a page of ids or the server's own metrics page."""


class ResponseForm(Enum):
    """What a good answer looks like."""

    MANAGEMENT = "management"
    """``{"data": ...}``, or an ``error`` object although the status is 200."""

    JSON = "json"
    """Any JSON document."""

    TEXT = "text"
    """Plain text: Prometheus's, or a token."""

    LINK = "link"
    """A redirect, whose target is the answer."""

    PACKED = "packed"
    """Bytes of whichever content encoding, for the caller to unpack."""

    STREAM = "stream"
    """Messages without an end; not for the transport of single answers."""

    KEPT = "kept"
    """Like `MANAGEMENT`, but what cannot be read goes to the caller, who keeps it aside."""


class Login(Enum):
    """Which of a server's two logins goes with a request."""

    NONE = "none"
    API = "api"
    NATIVE = "native"


class EndpointSpec(NamedTuple):
    """
    One thing that may be asked.

    Attributes:
        template: The path; each ``{}`` takes one argument.
        parameters: The query parameters that the server knows there.
        permission: What a key needs for it, as the server names it; empty if nothing is needed.
        logins: What may be sent with it.
        has_body: Whether a JSON body goes with it.
        missing: The capability status that a 404 means.
        most_bytes: What a good answer never exceeds; 0: known to the settings alone.
    """

    method: str
    template: str
    parameters: frozenset[str] = frozenset()
    permission: str = ""
    logins: frozenset[Login] = frozenset({Login.API})
    answer: ResponseForm = ResponseForm.MANAGEMENT
    has_body: bool = False
    missing: str = "unsupported"
    most_bytes: int = 0


class Endpoint(Enum):
    """Every request there is. The name in lower case is the label ``endpoint``."""

    QUEUE_MESSAGES = EndpointSpec(
        "GET",
        "/api/queue/messages",
        frozenset({"values", "limit", "max-total", "range-start"}),
        permission="message-queue-list",
    )
    QUEUE_STATUS = EndpointSpec(
        "GET",
        "/api/queue/status",
        permission="message-queue-get",
        logins=frozenset({Login.NONE, Login.API}),
        most_bytes=SMALL_RESPONSE_BYTES,
    )
    OUTGOING_REPORTS = EndpointSpec(
        "GET",
        "/api/queue/reports",
        frozenset({"limit", "page"}),
        permission="outgoing-report-list",
        most_bytes=MEDIUM_RESPONSE_BYTES,
    )
    REPORTS = EndpointSpec(
        "GET",
        "/api/reports/{}",
        frozenset({"limit", "page"}),
        permission="incoming-report-list",
        most_bytes=MEDIUM_RESPONSE_BYTES,
    )
    REPORT = EndpointSpec("GET", "/api/reports/{}/{}", permission="incoming-report-get", answer=ResponseForm.KEPT)
    STORED_METRICS = EndpointSpec("GET", "/api/telemetry/metrics", frozenset({"after"}), permission="metrics-list")
    TRACES = EndpointSpec(
        "GET",
        "/api/telemetry/traces",
        frozenset({"type", "limit", "page", "after"}),
        permission="tracing-list",
        most_bytes=MEDIUM_RESPONSE_BYTES,
    )
    TRACE = EndpointSpec("GET", "/api/telemetry/trace/{}", permission="tracing-get")
    METRICS_TOKEN = EndpointSpec(
        "GET", "/api/telemetry/live/metrics-token", permission="metrics-live", most_bytes=SMALL_RESPONSE_BYTES
    )
    TRACING_TOKEN = EndpointSpec(
        "GET", "/api/telemetry/live/tracing-token", permission="tracing-live", most_bytes=SMALL_RESPONSE_BYTES
    )
    LIVE_METRICS = EndpointSpec(
        "GET",
        "/api/telemetry/metrics/live",
        frozenset({"interval", "token"}),
        permission="metrics-live",
        logins=frozenset({Login.NONE}),
        answer=ResponseForm.STREAM,
    )
    LIVE_TRACES = EndpointSpec(
        "GET",
        "/api/telemetry/traces/live",
        frozenset({"token"}),
        permission="tracing-live",
        logins=frozenset({Login.NONE}),
        answer=ResponseForm.STREAM,
    )
    LOGS = EndpointSpec("GET", "/api/logs", frozenset({"limit", "page", "filter"}), permission="logs-view")
    NATIVE_METRICS = EndpointSpec(
        "GET",
        "/metrics/prometheus",
        logins=frozenset({Login.NONE, Login.NATIVE}),
        answer=ResponseForm.TEXT,
        missing="not_configured",
        most_bytes=MEDIUM_RESPONSE_BYTES,
    )
    JMAP_SESSION = EndpointSpec(
        "GET",
        "/jmap/session",
        logins=frozenset({Login.NONE, Login.API}),
        answer=ResponseForm.JSON,
        most_bytes=SMALL_RESPONSE_BYTES,
    )
    JMAP = EndpointSpec("POST", "/jmap/", answer=ResponseForm.JSON, has_body=True)
    """Reads only: see `JMAP_METHODS`."""

    JMAP_ACCOUNT = EndpointSpec(
        "GET", "/api/account", permission="authenticate", answer=ResponseForm.JSON, most_bytes=SMALL_RESPONSE_BYTES
    )
    JMAP_METRICS_TOKEN = EndpointSpec(
        "GET",
        "/api/token/metrics",
        permission="liveMetrics",
        answer=ResponseForm.TEXT,
        missing="not_licensed",
        most_bytes=SMALL_RESPONSE_BYTES,
    )
    JMAP_TRACING_TOKEN = EndpointSpec(
        "GET",
        "/api/token/tracing",
        permission="liveTracing",
        answer=ResponseForm.TEXT,
        missing="not_licensed",
        most_bytes=SMALL_RESPONSE_BYTES,
    )
    JMAP_LIVE_METRICS = EndpointSpec(
        "GET",
        "/api/live/metrics",
        frozenset({"interval", "token"}),
        permission="liveMetrics",
        logins=frozenset({Login.NONE}),
        answer=ResponseForm.STREAM,
        missing="not_licensed",
    )
    JMAP_LIVE_TRACES = EndpointSpec(
        "GET",
        "/api/live/tracing",
        frozenset({"token"}),
        permission="liveTracing",
        logins=frozenset({Login.NONE}),
        answer=ResponseForm.STREAM,
        missing="not_licensed",
    )
    JMAP_SCHEMA_LINK = EndpointSpec("GET", "/api/schema", answer=ResponseForm.LINK, most_bytes=SMALL_RESPONSE_BYTES)
    JMAP_SCHEMA = EndpointSpec("GET", "/api/schema/{}", answer=ResponseForm.PACKED, most_bytes=MEDIUM_RESPONSE_BYTES)
    VERSION = EndpointSpec(
        "POST", "/api/oauth", permission="authenticate-oauth", has_body=True, most_bytes=SMALL_RESPONSE_BYTES
    )
    """Changes nothing but a code that the server forgets after ten minutes; the only answer that names the version."""

    @property
    def label(self) -> str:
        """The value of the label ``endpoint``."""
        return self.name.lower()


_READ_OBJECTS = (
    "Account",
    "ArfExternalReport",
    "BlockedIp",
    "Certificate",
    "ClusterNode",
    "DmarcExternalReport",
    "DmarcInternalReport",
    "Domain",
    "Log",
    "Metric",
    "QueuedMessage",
    "Task",
    "TlsExternalReport",
    "TlsInternalReport",
    "Trace",
)

JMAP_METHODS = frozenset(f"x:{name}/{verb}" for name in _READ_OBJECTS for verb in ("get", "query"))
"""Every JMAP method there is for us: none of them changes anything, which ``/set`` would."""


VERSION_REQUEST = {"type": "code", "client_id": "exporter", "redirect_uri": None}
"""The only body for `Endpoint.VERSION`: others would let a device in."""


def check_body(endpoint: Endpoint, body: object) -> None:
    """Raises ``ValueError`` for a JMAP request beyond `JMAP_METHODS`, and for a login that is no `VERSION_REQUEST`."""
    if endpoint is Endpoint.VERSION and body != VERSION_REQUEST:
        raise ValueError(f"{endpoint.label}: not in the allow-list in this form")
    if endpoint is not Endpoint.JMAP:
        return
    calls = body.get("methodCalls") if isinstance(body, Mapping) and body.keys() == {"using", "methodCalls"} else None
    if not isinstance(calls, Sequence) or isinstance(calls, str) or not calls:
        raise ValueError(f"{endpoint.label}: not a JMAP request")
    for call in calls:
        if not isinstance(call, Sequence) or len(call) != 3 or call[0] not in JMAP_METHODS:
            raise ValueError(f"{endpoint.label}: a method that is not in the allow-list")


MAX_TARGET = 16_384
"""Bytes of a path with its query; servers take about half as many."""


def target_of(endpoint: Endpoint, params: Mapping[str, str | int], path_args: Sequence[str]) -> str:
    """
    The path and query of a request, percent-encoded.

    Raises ``ValueError`` for whatever would ask for something else than the endpoint says: arguments that change the
    path, parameters that the server would ignore, and empty values, which it drops. Raises `PayloadError` for an
    address longer than `MAX_TARGET`: only a token, id or cursor of the server's own can make it that long.
    """
    spec = endpoint.value
    if len(path_args) != spec.template.count("{}"):
        raise ValueError(f"{endpoint.label}: wrong number of path arguments")
    path = spec.template.format(*(_path_argument(endpoint, argument) for argument in path_args))
    for name, value in params.items():
        if name not in spec.parameters:
            raise ValueError(f"{endpoint.label}: no parameter {name!r}")
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            raise ValueError(f"{endpoint.label}: parameter {name!r} needs a text or a number")
    target = f"{path}?{urlencode(params, quote_via=quote, safe='')}" if params else path
    if len(target) > MAX_TARGET:
        raise PayloadError(
            f"{endpoint.label}: the server's token, id or cursor makes an address of {len(target)} bytes"
        )
    return target


def _path_argument(endpoint: Endpoint, argument: str) -> str:
    # A "%" would be decoded twice on the way by some proxies, so an encoded slash is refused like a plain one.
    if argument in ("", ".", "..") or not argument.isprintable() or set(argument) & set("/\\%?#"):
        raise ValueError(f"{endpoint.label}: not a path argument")
    return quote(argument, safe="!,")
