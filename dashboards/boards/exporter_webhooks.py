"""The events that servers post: what arrives, what is repeated, and what waits to be counted."""

from __future__ import annotations

from dashboards.boards.kit import NONE_NOW, graph, number, q

NO_WEBHOOK = "No webhook is configured ([[servers]].webhook), or none of its posts has arrived"

WEBHOOKS = [
    number(
        "Last post",
        "When the last signed post arrived. A server posts only when something happens.",
        "dateTimeFromNow",
        q("max by (server) (stalwart_exporter_webhook_last_post_timestamp_seconds{SEL}) * 1000", "{{server}}"),
        base="blue",
        width=6,
        height=8,
        empty=NO_WEBHOOK,
    ),
    graph(
        "Posts",
        "Posts per second, by result. A refused post has a wrong signature, is too large, or one too many to wait.",
        "reqps",
        q(
            "sum by (server, result) (rate(stalwart_exporter_webhook_posts_total{SEL}[$__rate_interval]))",
            "{{server}} {{result}}",
        ),
        width=9,
        empty=NO_WEBHOOK,
    ),
    graph(
        "Posted events",
        "Events in stored posts per second, and those of them that an earlier post had already brought.",
        "ops",
        q("sum by (server) (rate(stalwart_exporter_webhook_events_total{SEL}[$__rate_interval]))", "{{server}} events"),
        q(
            "sum by (server) (rate(stalwart_exporter_webhook_repeated_events_total{SEL}[$__rate_interval]))",
            "{{server}} repeated",
        ),
        width=9,
        empty=NO_WEBHOOK,
    ),
    graph(
        "Posts that wait",
        "Compressed size of stored posts that have not been counted yet.",
        "bytes",
        q("sum by (server) (stalwart_exporter_webhook_pending_bytes{SEL})", "{{server}}"),
        width=12,
        empty=NO_WEBHOOK,
    ),
    graph(
        "Holes and unreadable posts",
        "Times at which events may be missing, by cause, and posts that could not be read; cumulative. Holes are "
        "filled from the server's log or its stored traces.",
        "short",
        q("sum by (server, cause) (stalwart_exporter_webhook_holes_total{SEL}) > 0", "{{server}} {{cause}}"),
        q("sum by (server) (stalwart_exporter_webhook_unreadable_posts_total{SEL}) > 0", "{{server}} unreadable"),
        width=12,
        empty=NONE_NOW,
    ),
]
