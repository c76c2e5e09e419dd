"""
Every metric family that the exporter can show, declared once: name, type, labels and help.

`docs/metrics.md`, the command ``stalwart-exporter metrics`` and the exposition are made from this table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """OpenMetrics' metric types, as far as they are used here."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"
    GAUGE_HISTOGRAM = "gaugehistogram"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """
    One metric family.

    Attributes:
        name: As in the exposition: a counter's ends in ``_total``, an info's in ``_info``.
        labels: In the order of the label values; ``server`` comes first where ``per_server``.
        source: Where the numbers come from, for people.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    source: str = ""
    per_server: bool = True

    @property
    def all_labels(self) -> tuple[str, ...]:
        """The label names as they stand in the exposition."""
        return ("server", *self.labels) if self.per_server else self.labels


def _f(
    kind: Kind, name: str, help: str, labels: tuple[str, ...] = (), *, source: str = "", per_server: bool = True
) -> Family:
    return Family(name=name, kind=kind, help=help, labels=labels, source=source, per_server=per_server)


G, C, H, GH, I = Kind.GAUGE, Kind.COUNTER, Kind.HISTOGRAM, Kind.GAUGE_HISTOGRAM, Kind.INFO  # noqa: E741 - one letter a kind keeps the table readable

QUEUE, TOTALS, LOGS, DELIVERIES, SELF = "queue", "server counters", "log", "traces or log", "exporter"
REPORTS = "reports"

UP = _f(G, "stalwart_up", "Whether the management API answered with good credentials at the last try.", source="any")
SERVER = _f(I, "stalwart_server_info", "What server we talk to.", ("version", "edition", "api"), source="detection")

QUEUE_RUNNING = _f(
    G, "stalwart_queue_running", "1 while the server delivers, 0 while its queue is paused.", source=QUEUE
)
QUEUE_MESSAGES = _f(G, "stalwart_queue_messages", "Messages waiting in the outbound queue.", source=QUEUE)
QUEUE_BYTES = _f(G, "stalwart_queue_bytes", "Size of the messages waiting in the outbound queue.", source=QUEUE)
QUEUE_RECIPIENTS = _f(
    G, "stalwart_queue_recipients", "Recipients of queued messages.", ("queue", "status"), source=QUEUE
)
QUEUE_OLDEST = _f(
    G,
    "stalwart_queue_oldest_message_timestamp_seconds",
    "When the oldest queued message was accepted; absent while the queue is empty.",
    source=QUEUE,
)
QUEUE_AGE = _f(GH, "stalwart_queue_message_age_seconds", "Ages of all queued messages.", source=QUEUE)
QUEUE_ATTEMPTS = _f(
    GH, "stalwart_queue_recipient_attempts", "Delivery attempts so far of waiting recipients.", source=QUEUE
)
QUEUE_OVERDUE = _f(
    G,
    "stalwart_queue_overdue_recipients",
    "Waiting recipients whose next retry is over five minutes past: a stuck scheduler.",
    ("queue",),
    source=QUEUE,
)
QUEUE_EXPIRED = _f(
    G,
    "stalwart_queue_expired_recipients",
    "Waiting recipients that are past their expiry and still there.",
    ("queue",),
    source=QUEUE,
)
QUEUE_DOMAINS = _f(
    G,
    "stalwart_queue_domain_recipients",
    "Recipients of queued messages by destination, the largest ones by name and the rest in 'other'.",
    ("domain", "status"),
    source=QUEUE,
)
QUEUE_FAILURES = _f(
    G,
    "stalwart_queue_failures",
    "Failing recipients of queued messages by class of error and SMTP reply code.",
    ("status", "reason", "code"),
    source=QUEUE,
)
QUEUE_TRUNCATED = _f(
    G,
    "stalwart_queue_truncated",
    "1 when the queue was longer than we walk: every queue number is then a lower bound.",
    source=QUEUE,
)
FAILED_DELIVERIES = _f(
    G, "stalwart_failed_deliveries", "Recipients of queued messages that are in failure now.", ("kind",), source=QUEUE
)

EVENTS = _f(C, "stalwart_events_total", "Events that the server counted.", ("event",), source=TOTALS)
ACTIVE_CONNECTIONS = _f(
    G,
    "stalwart_active_connections",
    "Open sessions; 'delivery' counts delivery attempts in progress.",
    ("protocol",),
    source=TOTALS,
)
SERVER_MEMORY = _f(G, "stalwart_server_memory_bytes", "Resident memory of the server process.", source=TOTALS)
ACCOUNTS = _f(
    G, "stalwart_accounts", "Accounts on the server; absent until the server has counted them.", source=TOTALS
)
DOMAINS = _f(G, "stalwart_domains", "Domains on the server; absent until the server has counted them.", source=TOTALS)
DELIVERY_DURATION = _f(
    H, "stalwart_delivery_duration_seconds", "Time from queueing to the end of a message.", source=TOTALS
)
ATTEMPT_DURATION = _f(H, "stalwart_delivery_attempt_duration_seconds", "Duration of delivery attempts.", source=TOTALS)
INGEST_DURATION = _f(
    H, "stalwart_message_ingest_duration_seconds", "Time to store a message in a mailbox.", source=TOTALS
)
INDEX_DURATION = _f(
    H, "stalwart_message_index_duration_seconds", "Time to index a message for full-text search.", source=TOTALS
)
DNS_DURATION = _f(
    H,
    "stalwart_dns_lookup_duration_seconds",
    "Duration of those DNS lookups that the server times: null MX, invalid policies, failed TLSA.",
    source=TOTALS,
)
SESSION_DURATION = _f(
    H, "stalwart_session_duration_seconds", "Duration of whole client sessions.", ("protocol",), source=TOTALS
)
STORE_DURATION = _f(
    H,
    "stalwart_store_operation_duration_seconds",
    "Duration of operations on the server's stores.",
    ("operation",),
    source=TOTALS,
)
MESSAGE_SIZE = _f(
    H, "stalwart_message_size_bytes", "Size of messages accepted into the queue.", ("authenticated",), source=TOTALS
)
OUTGOING_REPORT_SIZE = _f(
    H, "stalwart_outgoing_report_size_bytes", "Size of DMARC and TLS reports that were queued.", source=TOTALS
)

DELIVERIES_TOTAL = _f(
    C,
    "stalwart_deliveries_total",
    "Recipients delivered or given up, and attempts put off, with class of error and SMTP reply code.",
    ("outcome", "reason", "code"),
    source=DELIVERIES,
)
DOMAIN_DELIVERIES = _f(
    C,
    "stalwart_domain_deliveries_total",
    "The same by recipient domain, the first ones by name and the rest in 'other'.",
    ("domain", "outcome"),
    source=DELIVERIES,
)
LOG_ENTRIES = _f(C, "stalwart_log_entries_total", "Lines of the server's log.", ("level", "event"), source=LOGS)
OUTGOING_REPORTS = _f(
    G, "stalwart_outgoing_reports", "Reports about others waiting to be sent.", ("kind",), source="outgoing reports"
)

REPORTS_TOTAL = _f(
    C,
    "stalwart_reports_total",
    "DMARC, TLS and ARF reports taken into the history, each once.",
    ("kind",),
    source=REPORTS,
)
REPORTS_REJECTED = _f(
    C,
    "stalwart_reports_rejected_total",
    "Reports that could not be read, or that hold impossible numbers; kept aside.",
    ("kind",),
    source=REPORTS,
)
DMARC_MESSAGES = _f(
    C,
    "stalwart_dmarc_messages_total",
    "Messages that receivers reported, by domain of the published policy, what was done, and the aligned results.",
    ("domain", "disposition", "dkim", "spf"),
    source=REPORTS,
)
DMARC_WINDOW_MESSAGES = _f(
    G,
    "stalwart_dmarc_window_messages",
    "Messages in reports that end within the last 1d, 7d or 30d: aligned if DKIM or SPF passed aligned, else failed.",
    ("domain", "window", "result"),
    source=REPORTS,
)
DMARC_LAST_REPORT = _f(
    G,
    "stalwart_dmarc_last_report_timestamp_seconds",
    "When the latest DMARC report of this reporter about this domain was received.",
    ("domain", "reporter"),
    source=REPORTS,
)
TLS_SESSIONS = _f(
    C,
    "stalwart_tls_report_sessions_total",
    "SMTP sessions that senders reported, by policy found and result.",
    ("domain", "policy", "result"),
    source=REPORTS,
)
TLS_FAILURES = _f(
    C,
    "stalwart_tls_report_failures_total",
    "Failed SMTP sessions that senders reported, by RFC 8460 result type.",
    ("domain", "failure"),
    source=REPORTS,
)
ARF_REPORTS = _f(C, "stalwart_arf_reports_total", "Feedback reports.", ("feedback_type",), source=REPORTS)

BUILD = _f(
    I,
    "stalwart_exporter_build_info",
    "What this exporter is.",
    ("version", "python_version"),
    source=SELF,
    per_server=False,
)
CAPABILITY = _f(
    G,
    "stalwart_exporter_capability",
    "1 for the status that holds for a capability of the server.",
    ("capability", "status"),
    source=SELF,
)
METRICS_SOURCE = _f(
    G,
    "stalwart_exporter_metrics_source",
    "1 for the source that feeds the server's counters.",
    ("source",),
    source=SELF,
)
COLLECTOR_SUCCESS = _f(
    G, "stalwart_exporter_collector_success", "Whether the collector's last run succeeded.", ("collector",), source=SELF
)
COLLECTOR_LAST_SUCCESS = _f(
    G,
    "stalwart_exporter_collector_last_success_timestamp_seconds",
    "When the collector last succeeded; absent before its first success.",
    ("collector",),
    source=SELF,
)
COLLECTOR_INTERVAL = _f(
    G, "stalwart_exporter_collector_interval_seconds", "How often the collector runs.", ("collector",), source=SELF
)
COLLECTOR_DURATION = _f(
    H, "stalwart_exporter_collector_duration_seconds", "Duration of the collector's runs.", ("collector",), source=SELF
)
COLLECTOR_FAILURES = _f(
    C,
    "stalwart_exporter_collector_failures_total",
    "Failed runs of the collector.",
    ("collector", "reason"),
    source=SELF,
)
API_REQUESTS = _f(
    C, "stalwart_exporter_api_requests_total", "Requests sent to the server.", ("endpoint", "status"), source=SELF
)
API_DURATION = _f(
    H,
    "stalwart_exporter_api_request_duration_seconds",
    "Duration of requests to the server, body included.",
    ("endpoint",),
    source=SELF,
)
API_BYTES = _f(
    C,
    "stalwart_exporter_api_response_bytes_total",
    "Bytes of response bodies read from the server.",
    ("endpoint",),
    source=SELF,
)
STREAM_CONNECTED = _f(
    G, "stalwart_exporter_stream_connected", "Whether the live stream is open.", ("stream",), source=SELF
)
STREAM_RECONNECTS = _f(
    C, "stalwart_exporter_stream_reconnects_total", "Times the live stream was opened again.", ("stream",), source=SELF
)
STREAM_EVENTS = _f(
    C,
    "stalwart_exporter_stream_events_total",
    "What the live stream brought: events of all families, or messages of metrics.",
    ("stream",),
    source=SELF,
)
STREAM_DROPPED = _f(
    C,
    "stalwart_exporter_stream_events_dropped_total",
    "Events of the live stream that were not read: too many at once, unreadable, or sent twice.",
    ("stream",),
    source=SELF,
)
STREAM_GAP = _f(
    C,
    "stalwart_exporter_stream_gap_seconds_total",
    "How long the live stream was gone between two connections; stored traces fill the gap where there are any.",
    ("stream",),
    source=SELF,
)
STREAM_LAST_EVENT = _f(
    G,
    "stalwart_exporter_stream_last_event_timestamp_seconds",
    "When the live stream last brought an event; absent before the first.",
    ("stream",),
    source=SELF,
)
STREAM_TRANSPORT = _f(
    G,
    "stalwart_exporter_stream_transport",
    "1 for the transport, websocket or sse, that the live stream was last opened with.",
    ("stream", "transport"),
    source=SELF,
)
LOG_GAPS = _f(
    C,
    "stalwart_exporter_log_gaps_total",
    "Times that more log lines had been written between two polls than one poll reads.",
    source=SELF,
)
UNKNOWN_VALUES = _f(
    C,
    "stalwart_exporter_unknown_values_total",
    "Values from the server that were not known and counted as 'unknown'.",
    ("field",),
    source=SELF,
)
SERIES_DROPPED = _f(
    C,
    "stalwart_exporter_series_dropped_total",
    "Increments and values that went to 'other' because the family's label limit was reached.",
    ("family",),
    source=SELF,
)
STORE_SIZE = _f(
    G, "stalwart_exporter_store_size_bytes", "Size of the history file with its log.", source=SELF, per_server=False
)
STORE_ROWS = _f(G, "stalwart_exporter_store_rows", "Rows of the history.", ("table",), source=SELF, per_server=False)
STORE_WRITE = _f(
    H,
    "stalwart_exporter_store_write_duration_seconds",
    "Duration of transactions on the history file.",
    source=SELF,
    per_server=False,
)
STORE_ERRORS = _f(
    C,
    "stalwart_exporter_store_errors_total",
    "Failed operations on the history file.",
    ("reason",),
    source=SELF,
    per_server=False,
)
STORE_OK = _f(
    G,
    "stalwart_exporter_store_success",
    "Whether the last operation on the history file succeeded.",
    source=SELF,
    per_server=False,
)
RELOAD_OK = _f(
    G,
    "stalwart_exporter_config_last_reload_successful",
    "Whether the last attempt to load the configuration succeeded.",
    source=SELF,
    per_server=False,
)
RELOAD_TIME = _f(
    G,
    "stalwart_exporter_config_last_reload_success_timestamp_seconds",
    "When the configuration in force was loaded.",
    source=SELF,
    per_server=False,
)


def _declared() -> Iterator[Family]:
    for value in list(globals().values()):
        if isinstance(value, Family):
            yield value


FAMILIES: tuple[Family, ...] = tuple(_declared())
"""All of them, in the order of the exposition."""

BY_NAME = {family.name: family for family in FAMILIES}
