"""
The only requests that the daemon can make.

Some GET requests change a Stalwart server (``/store/purge``, ``/reload``, ``/update``), and the server ignores unknown
parameters, so a misspelled filter returns everything. Therefore paths, methods and parameter names are defined only
here, and the transport accepts only members of this table, unless it is built for another one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from exporter.stalwart.http.endpoint import (
    MEDIUM_RESPONSE_BYTES,
    SMALL_RESPONSE_BYTES,
    EndpointSpec,
    EndpointTable,
    Login,
    ResponseForm,
)


class Endpoint(EndpointTable):
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
    ACCOUNTS = EndpointSpec(
        "GET",
        "/api/principal",
        frozenset({"limit", "page"}),
        permission="individual-list",
        most_bytes=MEDIUM_RESPONSE_BYTES,
        fixed={"types": "individual", "fields": "emails,quota,usedQuota"},
    )
    ACCOUNT_QUOTAS = EndpointSpec(
        "GET",
        "/api/principal",
        frozenset({"limit", "page"}),
        permission="individual-list",
        most_bytes=MEDIUM_RESPONSE_BYTES,
        fixed={"types": "individual", "fields": "name,emails,quota,usedQuota"},
    )
    """With names, for commands."""

    GROUPS = EndpointSpec(
        "GET",
        "/api/principal",
        frozenset({"limit"}),
        permission="group-list",
        most_bytes=SMALL_RESPONSE_BYTES,
        fixed={"types": "group", "fields": "name"},
    )
    MAILING_LISTS = EndpointSpec(
        "GET",
        "/api/principal",
        frozenset({"limit"}),
        permission="mailing-list-list",
        most_bytes=SMALL_RESPONSE_BYTES,
        fixed={"types": "list", "fields": "name"},
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

    def check_body(self, body: object) -> None:
        """Raise ``ValueError`` for a method outside `JMAP_METHODS` and for a body other than `VERSION_REQUEST`."""
        if self is Endpoint.VERSION and body != VERSION_REQUEST:
            raise ValueError(f"{self.label}: not in the allow-list in this form")
        if self is Endpoint.JMAP:
            _check_calls(self, body)


SETTINGS_SINGLETONS: Mapping[str, tuple[str, ...]] = {
    "groupware": ("AddressBook", "Calendar", "CalendarAlarm", "CalendarScheduling", "FileStorage", "Sharing"),
    "mta": (
        *("MtaExtensions", "MtaInboundSession", "MtaOutboundStrategy", "MtaStageAuth", "MtaStageConnect"),
        *("MtaStageData", "MtaStageEhlo", "MtaStageMail", "MtaStageRcpt", "MtaSts", "SenderAuth"),
    ),
    "protocols": ("Email", "Http", "HttpForm", "Imap", "Jmap", "WebDav"),
    "reports": (
        *("DkimReportSettings", "DmarcReportSettings", "DsnReportSettings", "ReportSettings"),
        *("SpfReportSettings", "TlsReportSettings"),
    ),
    "security": ("Authentication", "OidcProvider", "Security"),
    "sieve": ("SieveSystemInterpreter", "SieveUserInterpreter"),
    "spam": ("SpamClassifier", "SpamDnsblSettings", "SpamLlm", "SpamPyzor", "SpamSettings"),
    "storage": (
        "BlobStore",
        "Cache",
        "Coordinator",
        "DataRetention",
        "DataStore",
        "InMemoryStore",
        "Search",
        "SearchStore",
    ),
    "system": ("Asn", "DnsResolver", "Enterprise", "SystemSettings", "TaskManager"),
    "telemetry": ("Metrics", "MetricsStore", "TracingStore"),
}
"""The server's settings of which there is one object each, by area. They are read whole: see `jmap.settings`."""

SETTINGS_LISTS: Mapping[str, tuple[str, ...]] = {
    "mta": ("MtaDeliverySchedule", "MtaRoute", "MtaVirtualQueue"),
    "protocols": ("NetworkListener",),
    "security": ("Role",),
    "spam": ("SpamRule", "SpamTag"),
    "telemetry": ("Tracer", "WebHook"),
}
"""The settings of which there are several objects, by area."""

_READ_OBJECTS = (
    *("Account", "ArfExternalReport", "BlockedIp", "Certificate", "ClusterNode", "DmarcExternalReport"),
    *("DmarcInternalReport", "Domain", "Log", "MailingList", "Metric", "QueuedMessage", "ReportSettings"),
    *("Task", "TlsExternalReport", "TlsInternalReport", "Trace"),
    *(name for names in (*SETTINGS_SINGLETONS.values(), *SETTINGS_LISTS.values()) for name in names),
)

JMAP_METHODS = frozenset(f"x:{name}/{verb}" for name in _READ_OBJECTS for verb in ("get", "query"))
"""The only JMAP methods that are sent; all are read-only, unlike ``/set``."""


VERSION_REQUEST = {"type": "code", "client_id": "exporter", "redirect_uri": None}
"""The only body for `Endpoint.VERSION`: another one could authorise a device."""


def _check_calls(endpoint: Endpoint, body: object) -> None:
    calls = body.get("methodCalls") if isinstance(body, Mapping) and body.keys() == {"using", "methodCalls"} else None
    if not isinstance(calls, Sequence) or isinstance(calls, str) or not calls:
        raise ValueError(f"{endpoint.label}: not a JMAP request")
    for call in calls:
        if not isinstance(call, Sequence) or len(call) != 3 or call[0] not in JMAP_METHODS:
            raise ValueError(f"{endpoint.label}: a method that is not in the allow-list")
