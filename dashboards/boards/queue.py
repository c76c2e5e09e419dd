"""Backlog, ages, destinations, classes of failure, and the delivery objective."""

from __future__ import annotations

from alerts.thresholds import find, load, seconds
from dashboards.boards.kit import (
    NO_COUNTERS,
    NO_DELIVERIES,
    NONE_NOW,
    Board,
    capabilities,
    counters_source,
    density,
    graph,
    mean_and_p90,
    number,
    q,
    rows_of,
)

_LIMITS = load()
BACKLOG = find(_LIMITS, "alerts.StalwartQueueBacklog.messages")
OLDEST = seconds(find(_LIMITS, "alerts.StalwartQueueOldestMessage.age"))
DEFERRING = find(_LIMITS, "alerts.StalwartDestinationDeferring.recipients")
STUCK = find(_LIMITS, "alerts.StalwartQueueStuck.recipients")
OBJECTIVE = find(_LIMITS, "slo.objective")
FAST = find(_LIMITS, "alerts.StalwartDeliverySloFastBurn.factor")
LONGEST = find(_LIMITS, "alerts.StalwartDeliverySloSlowBurn.long")
BUDGET = round(1 - OBJECTIVE, 6)

_BACKLOG = [
    capabilities(
        "queue|queue_status",
        "Source of the queue",
        "Whether the key may read the queue (`message-queue-list`) and whether it is paused (`message-queue-get`).",
        width=6,
    ),
    graph(
        "Messages",
        "Messages waiting in the outbound queue. The line is the threshold of StalwartQueueBacklog.",
        "short",
        q("max by (server) (stalwart_queue_messages{SEL})"),
        limits=[(BACKLOG, "red")],
        width=10,
    ),
    graph(
        "Size",
        "Size of the waiting messages.",
        "bytes",
        q("max by (server) (stalwart_queue_bytes{SEL})"),
        width=8,
    ),
    graph(
        "Recipients by virtual queue and status",
        "Recipients of queued messages. Delivered ones stay while another recipient of their message waits.",
        "short",
        q("sum by (server, queue, status) (stalwart_queue_recipients{SEL})", "{{server}} {{queue}} {{status}}"),
        stacked=True,
        empty="Queue empty",
    ),
    graph(
        "Oldest message",
        "For how long the oldest message has waited. The line is the threshold of StalwartQueueOldestMessage.",
        "s",
        q("max by (server) (time() - stalwart_queue_oldest_message_timestamp_seconds{SEL})"),
        limits=[(OLDEST, "red")],
        empty="Queue empty",
    ),
    density(
        "Ages",
        "How many messages have waited for how long; buckets are upper bounds in seconds.",
        "s",
        q("sum by (le) (stalwart_queue_message_age_seconds_bucket{SEL})", "{{le}}"),
    ),
    graph(
        "Attempts so far",
        "Waiting recipients by how often they have been tried at most.",
        "short",
        q("sum by (le) (stalwart_queue_recipient_attempts_bucket{SEL})", "up to {{le}}"),
        empty="Queue empty",
    ),
    graph(
        "Stuck and expired",
        "Recipients whose retry is over five minutes past, and those past their expiry. Either should be zero; the "
        "line is the threshold of StalwartQueueStuck.",
        "short",
        q("sum by (server) (stalwart_queue_overdue_recipients{SEL})", "{{server}} overdue"),
        q("sum by (server) (stalwart_queue_expired_recipients{SEL})", "{{server}} expired"),
        limits=[(STUCK, "red")],
        empty=NONE_NOW,
    ),
    number(
        "Walk",
        "Whether the whole queue was read. If not, it is longer than max_queue_messages, and every queue number is a "
        "lower bound.",
        "none",
        q("max by (server) (stalwart_queue_truncated{SEL})"),
        words={"0": ("complete", "green"), "1": ("LOWER BOUND", "orange")},
        limits=[(1, "orange")],
        width=6,
        height=8,
    ),
    number(
        "State",
        "Whether the server delivers; absent where the server does not tell (v0.10, v0.16).",
        "none",
        q("min by (server) (stalwart_queue_running{SEL})"),
        base="red",
        words={"0": ("PAUSED", "red"), "1": ("running", "green")},
        limits=[(1, "green")],
        width=6,
        height=8,
        empty="Not told by this server",
    ),
]

_OUTCOMES = [
    capabilities(
        "logs|traces",
        "Source of deliveries",
        "Deliveries come from the server's traces (Enterprise, with a history store) or else from its log, on every "
        "edition. Without either this row is empty.",
    ),
    graph(
        "Outcomes",
        "Recipients delivered and given up, and attempts put off, a minute.",
        "cpm",
        q(
            "sum by (server, outcome) (rate(server:stalwart_deliveries:sum{SEL}[$__rate_interval])) * 60",
            "{{server}} {{outcome}}",
        ),
        width=9,
        empty=NO_DELIVERIES,
    ),
    graph(
        "Failures by class and reply code",
        "What ended in failure or was put off, a minute, by class of error and the remote's SMTP reply code.",
        "cpm",
        q(
            'sum by (outcome, reason, code) (rate(stalwart_deliveries_total{SEL,outcome!="delivered"}'
            "[$__rate_interval])) * 60",
            "{{outcome}} {{reason}} {{code}}",
        ),
        width=9,
        stacked=True,
        empty=NONE_NOW,
    ),
    rows_of(
        "Failing now",
        "Recipients of queued messages in failure, by class of error and SMTP reply code.",
        "short",
        q("sum by (server, status, reason, code) (stalwart_queue_failures{SEL})"),
        renamed={"Value": "recipients"},
        empty=NONE_NOW,
    ),
    graph(
        "In failure now",
        "Recipients of queued messages whose last attempt failed.",
        "short",
        q("sum by (server, kind) (stalwart_failed_deliveries{SEL})", "{{server}} {{kind}}"),
    ),
]

_DESTINATIONS = [
    capabilities(
        "queue|logs|traces",
        "Source of destinations",
        "What waits comes from the queue, what became of it from traces or log. With max_domains = 0 there are no "
        "destinations at all.",
    ),
    graph(
        "Largest destinations",
        "Recipients waiting, for the ten largest destinations. Domains past the cap are summed as 'other'.",
        "short",
        q("topk(10, sum by (server, domain) (stalwart_queue_domain_recipients{SEL}))", "{{server}} {{domain}}"),
        width=9,
        empty="Queue empty, or max_domains = 0",
    ),
    graph(
        "Destinations that defer us",
        "Recipients in temporary failure by destination. The line is the threshold of StalwartDestinationDeferring.",
        "short",
        q(
            'topk(10, sum by (server, domain) (stalwart_queue_domain_recipients{SEL,status="temporary_failure"}))',
            "{{server}} {{domain}}",
        ),
        limits=[(DEFERRING, "orange")],
        width=9,
        empty=NONE_NOW,
    ),
    rows_of(
        "Deliveries by destination",
        "What became of recipients in the time shown, by domain and outcome. Domains past the cap are summed as "
        "'other'.",
        "short",
        q("topk(40, sum by (server, domain, outcome) (increase(stalwart_domain_deliveries_total{SEL}[$__range])) > 0)"),
        renamed={"Value": "recipients"},
        width=24,
        empty=NO_DELIVERIES,
    ),
]

_SLO = [
    capabilities("logs|traces", "Source of deliveries", "As above: without traces and log this row is empty.", width=5),
    graph(
        "Share given up, by window",
        f"Share of recipients given up over the windows of the burn rate alerts. The objective leaves {BUDGET:.0%}; "
        "the red line is where the fast one pages. The notice that goes back to a local sender is a delivery too: "
        "where everything fails the share is a half.",
        "percentunit",
        q("max by (server, window) (server:stalwart_deliveries:failure_ratio{SEL})", "{{server}} {{window}}"),
        limits=[(BUDGET, "orange"), (BUDGET * FAST, "red")],
        maximum=1,
        width=13,
        empty=NO_DELIVERIES,
    ),
    number(
        "Error budget burn",
        f"How many times faster than allowed the error budget burns over {LONGEST}; 1 uses it up exactly.",
        "none",
        q(f'max by (server) (server:stalwart_deliveries:failure_ratio{{SEL,window="{LONGEST}"}}) / {BUDGET}'),
        limits=[(0.5, "orange"), (1, "red")],
        width=6,
        height=8,
        empty=NO_DELIVERIES,
    ),
]

_STAGES = [
    counters_source(),
    graph(
        "Where deliveries fail",
        "Failed steps of delivery attempts a minute, by step, from the server's own counters.",
        "cpm",
        q(
            'sum by (event) (rate(stalwart_events_total{SEL,event=~"delivery[.](.+-failed|.+-rejected|.+-error|null-mx|'
            'double-bounce|rate-limit-exceeded)"}[$__rate_interval])) * 60 > 0',
            "{{event}}",
        ),
        width=9,
        empty="None, or no counters from this server: the row's first panel says which",
    ),
    graph(
        "Time in the queue",
        "From acceptance to the end of a message, delivered or given up. The 90th percentile needs the server's own "
        "metrics page; other sources give the mean only.",
        "s",
        *mean_and_p90("stalwart_delivery_duration_seconds", "server", "{{server}}"),
        width=9,
        empty=NO_COUNTERS,
    ),
    graph(
        "Duration of attempts",
        "One delivery attempt, with DNS, policy look-ups and all hosts tried.",
        "s",
        *mean_and_p90("stalwart_delivery_attempt_duration_seconds", "server", "{{server}}"),
        empty="Only Enterprise servers give this",
    ),
    graph(
        "Attempts in progress",
        "Delivery attempts under way.",
        "short",
        q('sum by (server) (stalwart_active_connections{SEL,protocol="delivery"})'),
        empty=NO_COUNTERS,
    ),
]

QUEUE = Board(
    "stalwart-queue",
    "Stalwart / Queue and delivery",
    "Backlog, ages, destinations, classes of failure, and the delivery objective.",
    [
        ("Backlog", _BACKLOG),
        ("Deliveries", _OUTCOMES),
        ("Destinations", _DESTINATIONS),
        ("Objective", _SLO),
        ("Steps and durations", _STAGES),
    ],
)
