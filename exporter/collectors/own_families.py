"""Metric families about the exporter itself: its collectors, its requests to the servers, its history file."""

from __future__ import annotations

from exporter.collectors.family import Kind
from exporter.collectors.family import family as _f

G, C, H, I = Kind.GAUGE, Kind.COUNTER, Kind.HISTOGRAM, Kind.INFO  # noqa: E741 - one letter a kind keeps the table readable

SELF = "exporter"

BUILD = _f(
    I,
    "stalwart_exporter_build_info",
    "Version of the exporter and of Python.",
    ("version", "python_version"),
    source=SELF,
    per_server=False,
)
TASKS = _f(G, "stalwart_exporter_tasks", "Asyncio tasks of the exporter.", source=SELF, per_server=False)
CAPABILITY = _f(
    G,
    "stalwart_exporter_capability",
    "1 for the current status of the server's capability.",
    ("capability", "status"),
    source=SELF,
)
METRICS_SOURCE = _f(
    G,
    "stalwart_exporter_metrics_source",
    "1 for the current source of the server's counters.",
    ("source",),
    source=SELF,
)
COLLECTOR_SUCCESS = _f(
    G, "stalwart_exporter_collector_success", "Whether the collector's last run succeeded.", ("collector",), source=SELF
)
COLLECTOR_LAST_SUCCESS = _f(
    G,
    "stalwart_exporter_collector_last_success_timestamp_seconds",
    "Time of the collector's last success; absent before the first.",
    ("collector",),
    source=SELF,
)
COLLECTOR_INTERVAL = _f(
    G,
    "stalwart_exporter_collector_interval_seconds",
    "Interval between the collector's runs.",
    ("collector",),
    source=SELF,
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
    G, "stalwart_exporter_stream_connected", "Whether the live stream is connected.", ("stream",), source=SELF
)
STREAM_RECONNECTS = _f(
    C, "stalwart_exporter_stream_reconnects_total", "Reconnects of the live stream.", ("stream",), source=SELF
)
STREAM_EVENTS = _f(
    C,
    "stalwart_exporter_stream_events_total",
    "Trace events, or metrics messages, received on the live stream.",
    ("stream",),
    source=SELF,
)
STREAM_DROPPED = _f(
    C,
    "stalwart_exporter_stream_events_dropped_total",
    "Events of the live stream dropped because of a full buffer, an unreadable payload or a repetition.",
    ("stream",),
    source=SELF,
)
STREAM_GAP = _f(
    C,
    "stalwart_exporter_stream_gap_seconds_total",
    "Time the live stream was disconnected between two connections.",
    ("stream",),
    source=SELF,
)
STREAM_LAST_EVENT = _f(
    G,
    "stalwart_exporter_stream_last_event_timestamp_seconds",
    "Time of the live stream's last event; absent before the first.",
    ("stream",),
    source=SELF,
)
STREAM_TRANSPORT = _f(
    G,
    "stalwart_exporter_stream_transport",
    "1 for the transport of the live stream's latest connection, websocket or sse.",
    ("stream", "transport"),
    source=SELF,
)
LOG_GAPS = _f(
    C,
    "stalwart_exporter_log_gaps_total",
    "Polls after which log lines may be missing: the previous poll was not reached, or the log was emptied.",
    source=SELF,
)
LOG_PROBLEM = _f(
    G,
    "stalwart_exporter_log_problem",
    "1 for a problem with the server's log: own_responses or ansi (the log is not read), multiline (deliveries lack "
    "domain, reason and code), outdated (the newest lines are hidden).",
    ("problem",),
    source=SELF,
)
TRAIL_DROPPED = _f(
    C,
    "stalwart_exporter_trail_rows_dropped_total",
    "Rows of the trail that were counted but not kept, because the history could not be written for too long.",
    source=SELF,
)
WEBHOOK_POSTS = _f(
    C,
    "stalwart_exporter_webhook_posts_total",
    "Webhook posts of the server, by result: stored, repeated, or refused as unsigned, forged, replayed, too_large, "
    "incomplete, busy, full or not_stored.",
    ("result",),
    source=SELF,
)
WEBHOOK_EVENTS = _f(
    C, "stalwart_exporter_webhook_events_total", "Events in stored webhook posts, including repeated ones.", source=SELF
)
WEBHOOK_REPEATED = _f(
    C,
    "stalwart_exporter_webhook_repeated_events_total",
    "Events that the server posted again because its webhook post was not answered in time.",
    source=SELF,
)
WEBHOOK_UNREADABLE = _f(
    C,
    "stalwart_exporter_webhook_unreadable_posts_total",
    "Stored webhook posts that could not be read to their end.",
    source=SELF,
)
WEBHOOK_HOLES = _f(
    C,
    "stalwart_exporter_webhook_holes_total",
    "Times at which posted events may be missing: after a start of the server (server_start), or after the exporter "
    "took no posts for more than five minutes (downtime).",
    ("cause",),
    source=SELF,
)
WEBHOOK_LAST_POST = _f(
    G,
    "stalwart_exporter_webhook_last_post_timestamp_seconds",
    "Time of the last accepted webhook post; absent before the first.",
    source=SELF,
)
WEBHOOK_PENDING_POSTS = _f(
    G, "stalwart_exporter_webhook_pending_posts", "Stored webhook posts that are not yet counted.", source=SELF
)
WEBHOOK_PENDING_BYTES = _f(
    G,
    "stalwart_exporter_webhook_pending_bytes",
    "Compressed size of stored webhook posts that are not yet counted.",
    source=SELF,
)
UNKNOWN_VALUES = _f(
    C,
    "stalwart_exporter_unknown_values_total",
    "Unknown values from the server, counted as 'unknown'.",
    ("field",),
    source=SELF,
)
SERIES_DROPPED = _f(
    C,
    "stalwart_exporter_series_dropped_total",
    "Increments and values summed in 'other' because of the family's label limit.",
    ("family",),
    source=SELF,
)
STORE_SIZE = _f(
    G,
    "stalwart_exporter_store_size_bytes",
    "Size of the history file, including its write-ahead log.",
    source=SELF,
    per_server=False,
)
TRAIL_BYTES = _f(
    G,
    "stalwart_exporter_trail_size_bytes",
    "Estimated size of the trail in the history, with its indexes.",
    source=SELF,
    per_server=False,
)
TRAIL_OLDEST = _f(
    G,
    "stalwart_exporter_trail_oldest_timestamp_seconds",
    "Time of the oldest message, outcome or refusal that is kept; absent if there is none.",
    source=SELF,
    per_server=False,
)
STORE_ROWS = _f(
    G, "stalwart_exporter_store_rows", "Rows in the history file.", ("table",), source=SELF, per_server=False
)
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
    "Failed operations on the history file, by reason: full, readonly, locked, io, corrupt (or truncated), gone (or "
    "replaced), unreadable (saved values of a server, which starts without them), other.",
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
    "Time of the last successful configuration load.",
    source=SELF,
    per_server=False,
)
