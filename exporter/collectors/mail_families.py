"""The families about limits on mail and its senders; see `families`."""

from __future__ import annotations

from exporter.collectors.family import Kind
from exporter.collectors.family import family as _f

QUEUE_HELD = _f(
    Kind.GAUGE,
    "stalwart_queue_held_recipients",
    "Waiting recipients that an outbound limit of the server itself holds back.",
    ("queue", "limiter"),
    source="queue",
)
QUEUE_HELD_FIRST_RELEASE = _f(
    Kind.GAUGE,
    "stalwart_queue_held_first_release_timestamp_seconds",
    "Earliest next attempt of the recipients held back by a limit; absent while there are none.",
    ("queue", "limiter"),
    source="queue",
)
QUEUE_HELD_LAST_RELEASE = _f(
    Kind.GAUGE,
    "stalwart_queue_held_last_release_timestamp_seconds",
    "Latest next attempt of the recipients held back by a limit; absent while there are none.",
    ("queue", "limiter"),
    source="queue",
)
RELAY_RECIPIENTS = _f(
    Kind.COUNTER,
    "stalwart_relay_recipients_total",
    "Recipients accepted by the relay that the settings name.",
    source="traces or log",
)
RELAY_BUDGET = _f(
    Kind.GAUGE,
    "stalwart_relay_budget_recipients",
    "Recipients that the relay accepts within the window, from the settings.",
    ("window",),
    source="settings",
)
REPORT_ONLY_PEERS = _f(
    Kind.GAUGE,
    "stalwart_report_only_peer_reports",
    "Reports exchanged within 7 days, in both directions, with peers that exchange no other mail; absent until the "
    "trail covers 7 days.",
    ("domain",),
    source="reports and trail",
)
