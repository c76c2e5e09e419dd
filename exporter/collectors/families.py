"""
All metric families that the exporter can expose, each declared once: name, type, labels and help.

Families about a server are declared here, in `mail_families` and in `posture.families`, those about the exporter itself
in `own_families`.
`docs/metrics.md`, the command ``stalwart-exporter metrics`` and the exposition are generated from all of them.
"""

from __future__ import annotations

from exporter.collectors import mail_families, own_families
from exporter.collectors.family import Kind, declared
from exporter.collectors.family import family as _f
from exporter.collectors.posture import families as posture_families

G, C, H, GH, I = Kind.GAUGE, Kind.COUNTER, Kind.HISTOGRAM, Kind.GAUGE_HISTOGRAM, Kind.INFO  # noqa: E741 - one letter a kind keeps the table readable

QUEUE, TOTALS, LOGS, DELIVERIES, REPORTS = "queue", "server counters", "log", "traces or log", "reports"
INVENTORY = "inventory"

UP = _f(G, "stalwart_up", "Whether the management API accepted the credentials at the last attempt.", source="any")
CLOCK_SKEW = _f(
    G,
    "stalwart_clock_skew_seconds",
    "The server's clock minus the exporter's; absent until the server has shown its clock.",
    source="any response",
)
CLOCK_STEPS = _f(
    C,
    "stalwart_clock_steps_total",
    "Times that the server's clock was set by more than a minute while it was watched. Deliveries between two steps of "
    "hours can be missing from the counters.",
    source="any response",
)
SERVER = _f(
    I,
    "stalwart_server_info",
    "Version, edition and API of the server.",
    ("version", "edition", "api"),
    source="detection",
)

KNOWN_DEFECT = _f(
    I,
    "stalwart_known_defect_info",
    "Defects of the server's release that falsify numbers or stop the queue, with the first release without them.",
    ("id", "fixed_in"),
    source="detection",
)

SETTINGS_CHANGE = _f(
    G,
    "stalwart_settings_change_timestamp_seconds",
    "Time at which the settings of an area were last seen to change, or were first seen; from v0.16 on.",
    ("area",),
    source="settings",
)

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
    "Time the oldest queued message was accepted; absent while the queue is empty.",
    source=QUEUE,
)
QUEUE_AGE = _f(GH, "stalwart_queue_message_age_seconds", "Ages of all queued messages.", source=QUEUE)
QUEUE_ATTEMPTS = _f(
    GH, "stalwart_queue_recipient_attempts", "Delivery attempts so far of waiting recipients.", source=QUEUE
)
QUEUE_OVERDUE = _f(
    G,
    "stalwart_queue_overdue_recipients",
    "Waiting recipients whose next retry is more than five minutes overdue.",
    ("queue",),
    source=QUEUE,
)
QUEUE_EXPIRED = _f(
    G,
    "stalwart_queue_expired_recipients",
    "Waiting recipients past their expiry.",
    ("queue",),
    source=QUEUE,
)
QUEUE_DOMAINS = _f(
    G,
    "stalwart_queue_domain_recipients",
    "Recipients of queued messages by destination domain; beyond the largest, 'other'.",
    ("domain", "status"),
    source=QUEUE,
)
QUEUE_FAILURES = _f(
    G,
    "stalwart_queue_failures",
    "Failing recipients of queued messages by error class and SMTP reply code.",
    ("status", "reason", "code"),
    source=QUEUE,
)
QUEUE_TRUNCATED = _f(
    G,
    "stalwart_queue_truncated",
    "Whether the queue exceeded the configured maximum; all queue metrics are then lower bounds.",
    source=QUEUE,
)
FAILED_DELIVERIES = _f(
    G, "stalwart_failed_deliveries", "Recipients of queued messages currently in failure.", ("kind",), source=QUEUE
)

EVENTS = _f(C, "stalwart_events_total", "Events counted by the server.", ("event",), source=TOTALS)
ACTIVE_CONNECTIONS = _f(
    G,
    "stalwart_active_connections",
    "Open sessions; 'delivery' counts delivery attempts in progress.",
    ("protocol",),
    source=TOTALS,
)
SERVER_MEMORY = _f(G, "stalwart_server_memory_bytes", "Resident memory of the server process.", source=TOTALS)
ACCOUNTS = _f(
    G,
    "stalwart_accounts",
    "Accounts on the server by type; a type that the key may not read is absent.",
    ("type",),
    source=f"accounts, {INVENTORY} or {TOTALS}",
)
DOMAINS = _f(
    G,
    "stalwart_domains",
    "Domains on the server; absent until the server reports them.",
    source=f"{INVENTORY} or {TOTALS}",
)
DELIVERY_DURATION = _f(
    H, "stalwart_delivery_duration_seconds", "Time from queueing a message to the end of its delivery.", source=TOTALS
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
    "Duration of the DNS lookups that the server measures: null MX, invalid policies, failed TLSA.",
    source=TOTALS,
)
SESSION_DURATION = _f(
    H, "stalwart_session_duration_seconds", "Duration of client sessions.", ("protocol",), source=TOTALS
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
    H, "stalwart_outgoing_report_size_bytes", "Size of queued DMARC and TLS reports.", source=TOTALS
)

DELIVERIES_TOTAL = _f(
    C,
    "stalwart_deliveries_total",
    "Recipients delivered or permanently failed, and attempts deferred, by error class and SMTP reply code.",
    ("outcome", "reason", "code"),
    source=DELIVERIES,
)
DOMAIN_DELIVERIES = _f(
    C,
    "stalwart_domain_deliveries_total",
    "Delivery outcomes by recipient domain; domains beyond the limit in 'other'.",
    ("domain", "outcome"),
    source=DELIVERIES,
)
LOG_ENTRIES = _f(C, "stalwart_log_entries_total", "Lines of the server's log.", ("level", "event"), source=LOGS)
OUTGOING_REPORTS = _f(
    G, "stalwart_outgoing_reports", "Outgoing reports waiting to be sent.", ("kind",), source="outgoing reports"
)

CERTIFICATE_NOT_AFTER = _f(
    G,
    "stalwart_certificate_not_after_timestamp_seconds",
    "Expiry of the server's newest TLS certificate for a host, by the shortest host name it serves; beyond the label "
    "limit, the earliest expiry in 'other'.",
    ("name",),
    source=INVENTORY,
)
TASKS = _f(
    G,
    "stalwart_tasks",
    "Background tasks that are waiting, scheduled or retried (pending), or have failed for good (failed).",
    ("type", "state"),
    source=INVENTORY,
)
BLOCKED_ADDRESSES = _f(
    G, "stalwart_blocked_addresses", "Addresses and networks blocked by the server.", ("reason",), source=INVENTORY
)
CLUSTER_NODES = _f(
    G,
    "stalwart_cluster_nodes",
    "Cluster nodes last seen within an hour (active), within a day (stale), or longer ago (inactive).",
    ("state",),
    source=INVENTORY,
)

REPORTS_TOTAL = _f(
    C,
    "stalwart_reports_total",
    "DMARC, TLS and ARF reports added to the history.",
    ("kind",),
    source=REPORTS,
)
REPORTS_REJECTED = _f(
    C,
    "stalwart_reports_rejected_total",
    "Reports rejected as unreadable or impossible.",
    ("kind",),
    source=REPORTS,
)
DMARC_MESSAGES = _f(
    C,
    "stalwart_dmarc_messages_total",
    "Messages in DMARC reports, by policy domain, disposition and aligned DKIM and SPF results.",
    ("domain", "disposition", "dkim", "spf"),
    source=REPORTS,
)
DMARC_WINDOW_MESSAGES = _f(
    G,
    "stalwart_dmarc_window_messages",
    "Messages in DMARC reports that end within the window: aligned if DKIM or SPF passed and aligned, else failed.",
    ("domain", "window", "result"),
    source=REPORTS,
)
DMARC_LAST_REPORT = _f(
    G,
    "stalwart_dmarc_last_report_timestamp_seconds",
    "Time the reporter's latest DMARC report about the domain was received.",
    ("domain", "reporter"),
    source=REPORTS,
)
TLS_SESSIONS = _f(
    C,
    "stalwart_tls_report_sessions_total",
    "SMTP sessions in TLS reports, by applied policy and result.",
    ("domain", "policy", "result"),
    source=REPORTS,
)
TLS_FAILURES = _f(
    C,
    "stalwart_tls_report_failures_total",
    "Failed SMTP sessions in TLS reports, by RFC 8460 result type.",
    ("domain", "failure"),
    source=REPORTS,
)
ARF_REPORTS = _f(
    C, "stalwart_arf_reports_total", "ARF feedback reports added to the history.", ("feedback_type",), source=REPORTS
)

FAMILIES = (
    *declared(globals().values()),
    *declared(vars(mail_families).values()),
    *declared(vars(posture_families).values()),
    *declared(vars(own_families).values()),
)
"""All families, in the order of the exposition."""

BY_NAME = {family.name: family for family in FAMILIES}
