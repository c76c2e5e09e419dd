"""Limits and waste of outgoing mail: recipients held back, the relay's budget, mail that the server itself makes."""

from __future__ import annotations

from alerts.thresholds import find, load
from dashboards.boards.kit import NO_COUNTERS, NONE_NOW, Query, capabilities, graph, q

BUDGET = find(load(), "alerts.StalwartRelayBudget.ratio")
LOOP = find(load(), "alerts.StalwartReportLoop.reports")


def _until(which: str, of: str) -> Query:
    """Seconds until the first or the last release."""
    expr = f"{of} by (server, queue) (stalwart_queue_held_{which}_release_timestamp_seconds{{SEL}}) - time()"
    return q(expr, f"{{{{server}}}} {{{{queue}}}} {which}")


def _budget(window: str) -> Query:
    """The share of the budget that is used."""
    used = f"increase(stalwart_relay_recipients_total{{SEL}}[{window}])"
    expr = f'{used} / on (server) stalwart_relay_budget_recipients{{SEL,window="{window}"}}'
    return q(expr, f"{{{{server}}}} {window}")


LIMITS = [
    capabilities(
        "queue|logs|traces",
        "Sources of this row",
        "The queue for held recipients, log or traces for the relay, the server's counters or its log for the rest.",
        width=6,
    ),
    graph(
        "Held by the server's own limits",
        "Waiting recipients that an outbound limit of the server itself holds back. In the virtual queue `local` there "
        "should be none: a limit without a condition delays mail to the server's own mailboxes.",
        "short",
        q("sum by (server, queue, limiter) (stalwart_queue_held_recipients{SEL})", "{{server}} {{queue}} {{limiter}}"),
        stacked=True,
        width=9,
        empty=NONE_NOW,
    ),
    graph(
        "Release of held recipients",
        "Time until the first and the last held recipient may be tried again.",
        "s",
        _until("first", "min"),
        _until("last", "max"),
        width=9,
        empty=NONE_NOW,
    ),
    graph(
        "Relay budget used",
        "Share of the relay's budget ([servers.relay] in the settings) used within the last hour and the last 24 hours."
        " The line is the threshold of StalwartRelayBudget.",
        "percentunit",
        _budget("1h"),
        _budget("1d"),
        limits=[(BUDGET, "orange")],
        empty="No relay in the settings",
    ),
    graph(
        "Mail that the server itself makes",
        "Bounces, reports and automatic answers among the messages that enter the queue, without mail from outside: "
        "per hour, and as a share of all.",
        "short",
        q("server:stalwart_generated_messages:rate1h{SEL} * 3600", "{{server}} per hour"),
        q("server:stalwart_generated_messages:ratio{SEL}", "{{server}} share"),
        empty=NO_COUNTERS,
    ),
    graph(
        "Peers that exchange nothing but reports",
        "Reports exchanged within 7 days, in both directions, with domains that exchange no other mail: a loop. The "
        "line is the threshold of StalwartReportLoop.",
        "short",
        q("max by (server, domain) (stalwart_report_only_peer_reports{SEL})", "{{server}} {{domain}}"),
        limits=[(LOOP, "orange")],
        empty=NONE_NOW,
    ),
    graph(
        "Unusual senders",
        "Accounts that exceed what their own past allows, by reason: StalwartUnusualSender. `stalwart-exporter senders "
        "unusual` names them.",
        "short",
        q("max by (server, reason) (stalwart_unusual_senders{SEL})", "{{server}} {{reason}}"),
        empty="No trail",
    ),
    graph(
        "Submissions by domain",
        "Messages submitted per minute, by domain of the envelope sender.",
        "cpm",
        q("sum by (server, domain) (rate(stalwart_submissions_total{SEL}[$__rate_interval])) * 60"),
        stacked=True,
        empty="No trail",
    ),
    graph(
        "Submitting accounts",
        "Accounts with at least one submission in the last 24 hours.",
        "short",
        q("max by (server) (stalwart_submitting_accounts{SEL})"),
        empty="No trail",
    ),
]
