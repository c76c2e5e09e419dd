"""
The only requests that this program can make.

Some GET requests change a Stalwart server (``/store/purge``, ``/reload``, ``/update``), and the server ignores unknown
parameters, so a misspelled filter returns everything. Therefore paths, methods and parameter names are defined only
here, and the transport accepts only members of this table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import quote, urlencode

from exporter.errors import PayloadError

SMALL_RESPONSE_BYTES = 1024 * 1024
"""Limit of a single value, a token or the list of permissions."""

MEDIUM_RESPONSE_BYTES = 16 * 1024 * 1024
"""Limit of a page of ids or of the server's own metrics page."""


class ResponseForm(Enum):
    """The form of a successful response."""

    MANAGEMENT = "management"
    """``{"data": ...}``; an error is an object with ``error``, also with status 200."""

    JSON = "json"
    """Any JSON document."""

    TEXT = "text"
    """Plain text: a Prometheus page or a token."""

    LINK = "link"
    """A redirect; its target is the result."""

    PACKED = "packed"
    """Bytes in any content encoding; the caller decompresses them."""

    STREAM = "stream"
    """An endless stream of messages; `Transport` refuses it."""

    KEPT = "kept"
    """Like `MANAGEMENT`, but a body that cannot be parsed is returned to the caller, which stores it."""


class Login(Enum):
    """The login that a request is sent with."""

    NONE = "none"
    API = "api"
    NATIVE = "native"


class EndpointSpec(NamedTuple):
    """
    One permitted request.

    Attributes:
        template: The path; each ``{}`` takes one argument.
        parameters: The query parameters that the server accepts.
        permission: The permission it needs, by the server's name; empty if it needs none.
        logins: The logins it may be sent with.
        has_body: Whether it has a JSON body.
        missing: The capability status that a 404 stands for.
        most_bytes: The size limit of a successful response; 0: only the transport's own limit applies.
        fixed: Parameters that are always sent, with these values and no others.
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
    fixed: Mapping[str, str] = MappingProxyType({})


class Endpoint(Enum):
    """Every request that the client can make. The name in lower case is the value of the label ``endpoint``."""

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
    DOMAINS = EndpointSpec(
        "GET",
        "/api/principal",
        frozenset({"limit", "page"}),
        permission="domain-list",
        most_bytes=MEDIUM_RESPONSE_BYTES,
        # Without a known field, the server returns all fields of all principals, secrets included.
        fixed={"types": "domain", "fields": "name"},
    )
    DNS_RECORDS = EndpointSpec("GET", "/api/dns/records/{}", permission="domain-get", most_bytes=SMALL_RESPONSE_BYTES)
    JMAP_SESSION = EndpointSpec(
        "GET",
        "/jmap/session",
        logins=frozenset({Login.NONE, Login.API}),
        answer=ResponseForm.JSON,
        most_bytes=SMALL_RESPONSE_BYTES,
    )
    JMAP = EndpointSpec("POST", "/jmap/", answer=ResponseForm.JSON, has_body=True)
    """Read-only: see `JMAP_METHODS`."""

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
    """The only response with the version. The request creates a code, which the server discards after ten minutes."""

    @property
    def label(self) -> str:
        """The value of the label ``endpoint``."""
        return self.name.lower()


_READ_OBJECTS = (
    *("Account", "ArfExternalReport", "BlockedIp", "Certificate", "ClusterNode", "DmarcExternalReport"),
    *("DmarcInternalReport", "Domain", "Log", "Metric", "QueuedMessage", "ReportSettings"),
    *("Task", "TlsExternalReport", "TlsInternalReport", "Trace"),
)

JMAP_METHODS = frozenset(f"x:{name}/{verb}" for name in _READ_OBJECTS for verb in ("get", "query"))
"""The only JMAP methods that are sent; all are read-only, unlike ``/set``."""


VERSION_REQUEST = {"type": "code", "client_id": "exporter", "redirect_uri": None}
"""The only body for `Endpoint.VERSION`: another one could authorise a device."""


def check_body(endpoint: Endpoint, body: object) -> None:
    """Raise ``ValueError`` for a JMAP method outside `JMAP_METHODS`, and for a body other than `VERSION_REQUEST`."""
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
"""The most bytes of a path with its query; servers accept about half as many."""


def target_of(endpoint: Endpoint, params: Mapping[str, str | int], path_args: Sequence[str]) -> str:
    """
    Return the path and query of a request, percent-encoded.

    Raises ``ValueError`` for anything that would change the meaning of the request: arguments that alter the path,
    parameters that the endpoint does not list, and empty values, which the server drops. Raises `PayloadError` for a
    result longer than `MAX_TARGET`: only a token, id or cursor from the server can make it that long.
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
    query = {**spec.fixed, **params}
    target = f"{path}?{urlencode(query, quote_via=quote, safe='')}" if query else path
    if len(target) > MAX_TARGET:
        raise PayloadError(
            f"{endpoint.label}: the server's token, id or cursor makes an address of {len(target)} bytes"
        )
    return target


def _path_argument(endpoint: Endpoint, argument: str) -> str:
    # Some proxies decode a "%" twice, so an encoded slash is refused like a plain one.
    if argument in ("", ".", "..") or not argument.isprintable() or set(argument) & set("/\\%?#"):
        raise ValueError(f"{endpoint.label}: not a path argument")
    return quote(argument, safe="!,")
