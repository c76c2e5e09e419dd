"""The panels of probes on the board of queue and delivery."""

from __future__ import annotations

from dashboards.boards.kit import graph, q, rows_of

NO_PROBES = "No probes are configured"

PROBES = [
    rows_of(
        "Delivery probes",
        "Result of the latest diagnosis of each recipient, and the stage that decided. The server demands a publicly "
        "valid certificate, which real delivery usually does not.",
        "short",
        q("max by (server, domain, stage, result) (stalwart_delivery_probe_result{SEL})"),
        renamed={"Value": "latest"},
        width=8,
        empty=NO_PROBES,
    ),
    graph(
        "Stages of probed deliveries",
        "Time that the latest diagnosis spent in each stage.",
        "s",
        q("max by (domain, stage) (stalwart_delivery_probe_stage_seconds{SEL})", "{{domain}} {{stage}}"),
        width=8,
        empty=NO_PROBES,
    ),
    graph(
        "Scores of the spam filter",
        "Scores of a clean message and of one that is spam by agreement. If they approach each other, rules or lists "
        "are missing.",
        "short",
        q("max by (server, message) (stalwart_spam_probe_score{SEL})", "{{server}} {{message}}"),
        width=8,
        empty=NO_PROBES,
    ),
    rows_of(
        "Round trips",
        "Result of the latest message from submission to mailbox, and the stage that it came to.",
        "short",
        q("max by (server, stage, result) (stalwart_round_trip_probe_result{SEL})"),
        renamed={"Value": "latest"},
        width=8,
        empty=NO_PROBES,
    ),
    graph(
        "Stages of round trips",
        "Time that the latest message spent in each stage that was completed. Visible is the way from its acceptance "
        "to the mailbox.",
        "s",
        q("max by (server, stage) (stalwart_round_trip_probe_stage_seconds{SEL})", "{{server}} {{stage}}"),
        width=16,
        empty=NO_PROBES,
    ),
]
