"""Backlog, ages, destinations, error classes, and the delivery objective."""

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
from dashboards.boards.limits import LIMITS
from dashboards.boards.probes import PROBES

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
        "Whether the key can read the queue (`message-queue-list`) and its pause state (`message-queue-get`).",
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
        "Age of the oldest message. The line is the threshold of StalwartQueueOldestMessage.",
        "s",
        q("max by (server) (time() - stalwart_queue_oldest_message_timestamp_seconds{SEL})"),
        limits=[(OLDEST, "red")],
        empty="Queue empty",
    ),
    density(
        "Ages",
        "Messages by age; buckets are upper bounds in seconds.",
        "s",
        q("sum by (le) (stalwart_queue_message_age_seconds_bucket{SEL})", "{{le}}"),
    ),
    graph(
        "Attempts so far",
        "Waiting recipients by number of attempts; buckets are upper bounds.",
        "short",
        q("sum by (le) (stalwart_queue_recipient_attempts_bucket{SEL})", "up to {{le}}"),
        empty="Queue empty",
    ),
    graph(
        "Stuck and expired",
        "Recipients whose retry is more than five minutes overdue, and those past their "
        "expiry. Both should be zero; the line is the threshold of StalwartQueueStuck.",
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
        "Whether the server delivers; absent if the server does not report it (v0.10, v0.16).",
        "none",
        q("min by (server) (stalwart_queue_running{SEL})"),
        base="red",
        words={"0": ("PAUSED", "red"), "1": ("running", "green")},
        limits=[(1, "green")],
        width=6,
        height=8,
        empty="Not reported by this server",
    ),
]

_OUTCOMES = [
    capabilities(
        "logs|traces",
        "Source of deliveries",
        "Deliveries come from the server's traces (Enterprise, with a history store), or from "
        "its log on every edition. Without either this row is empty.",
    ),
    graph(
        "Outcomes",
        "Recipients delivered or permanently failed, and attempts deferred, per minute.",
        "cpm",
        q(
            "sum by (server, outcome) (rate(server:stalwart_deliveries:sum{SEL}[$__rate_interval])) * 60",
            "{{server}} {{outcome}}",
        ),
        width=9,
        empty=NO_DELIVERIES,
    ),
    graph(
        "Failures by error class and reply code",
        "Permanent failures and deferrals per minute, by error class and the remote's SMTP reply code.",
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
        "Failing recipients of queued messages, by error class and SMTP reply code.",
        "short",
        q("sum by (server, status, reason, code) (stalwart_queue_failures{SEL})"),
        renamed={"Value": "recipients"},
        empty=NONE_NOW,
    ),
    graph(
        "Failing recipients",
        "Recipients of queued messages whose last attempt failed.",
        "short",
        q("sum by (server, kind) (stalwart_failed_deliveries{SEL})", "{{server}} {{kind}}"),
    ),
]

_DESTINATIONS = [
    capabilities(
        "queue|logs|traces",
        "Source of destinations",
        "Waiting recipients come from the queue, outcomes from traces or the log. With "
        "max_domains = 0 there are no destinations.",
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
        "Deferring destinations",
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
        "Recipients in the selected time range, by domain and outcome. Domains past the cap are summed as 'other'.",
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
        "Permanent failures by window",
        f"Share of recipients that failed permanently, over the windows of the burn rate alerts. The objective allows "
        f"{BUDGET:.0%}; the red line is the threshold of the fast alert. Bounces to local senders are deliveries too: "
        "if everything fails, the share is 50%.",
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
        "Failed steps of delivery attempts per minute, by step, from the server's own counters.",
        "cpm",
        q(
            'sum by (event) (rate(stalwart_events_total{SEL,event=~"delivery[.](.+-failed|.+-rejected|.+-error|null-mx|'
            'double-bounce|rate-limit-exceeded)"}[$__rate_interval])) * 60 > 0',
            "{{event}}",
        ),
        width=9,
        empty="None, or no counters from this server: see the row's first panel",
    ),
    graph(
        "Time in the queue",
        "From acceptance of a message until it is delivered or has failed permanently. The "
        "90th percentile needs the server's own metrics page; other sources give the mean "
        "only.",
        "s",
        *mean_and_p90("stalwart_delivery_duration_seconds", "server", "{{server}}"),
        width=9,
        empty=NO_COUNTERS,
    ),
    graph(
        "Duration of attempts",
        "One delivery attempt, including DNS and policy lookups and all hosts tried.",
        "s",
        *mean_and_p90("stalwart_delivery_attempt_duration_seconds", "server", "{{server}}"),
        empty="Only on Enterprise servers",
    ),
    graph(
        "Attempts in progress",
        "Delivery attempts in progress.",
        "short",
        q('sum by (server) (stalwart_active_connections{SEL,protocol="delivery"})'),
        empty=NO_COUNTERS,
    ),
]

QUEUE = Board(
    "stalwart-queue",
    "Stalwart / Queue and delivery",
    "Backlog, ages, destinations, error classes, and the delivery objective.",
    [
        ("Backlog", _BACKLOG),
        ("Limits and budgets", LIMITS),
        ("Deliveries", _OUTCOMES),
        ("Destinations", _DESTINATIONS),
        ("Objective", _SLO),
        ("Steps and durations", [*_STAGES, *PROBES]),
    ],
)
