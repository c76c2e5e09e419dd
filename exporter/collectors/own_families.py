"""The families in which the exporter speaks of itself: its work, what it costs the servers, its history file."""

from __future__ import annotations

from exporter.collectors.family import Kind
from exporter.collectors.family import family as _f

G, C, H, I = Kind.GAUGE, Kind.COUNTER, Kind.HISTOGRAM, Kind.INFO  # noqa: E741 - one letter a kind keeps the table readable

SELF = "exporter"

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
    "Times that log lines may have been missed: one poll does not reach the one before it, or the log was emptied.",
    source=SELF,
)
LOG_PROBLEM = _f(
    G,
    "stalwart_exporter_log_problem",
    "1 for what keeps the server's log from being read in full: own_responses and ansi (not read at all), multiline "
    "(deliveries without domain, reason and code), outdated (its newest lines are hidden).",
    ("problem",),
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
    "Failed operations on the history file: full, readonly, locked, io, corrupt (or cut), gone (or replaced), other.",
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
