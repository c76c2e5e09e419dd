"""Logins, bans, spam and TLS."""

from __future__ import annotations

from alerts.thresholds import find, load, seconds
from dashboards.boards.kit import (
    NO_COUNTERS,
    NO_INVENTORY,
    NONE_NOW,
    Board,
    Query,
    capabilities,
    counters_source,
    graph,
    inventory_source,
    number,
    q,
    rows_of,
)

_LIMITS = load()
RENEWED = seconds(find(_LIMITS, "alerts.StalwartCertificateExpiring.left"))
ENDING = seconds(find(_LIMITS, "alerts.StalwartCertificateAboutToExpire.left"))


def _per_minute(alert: str, what: str) -> float:
    """An alert's limit over its window, as a rate per minute."""
    limit: float = find(_LIMITS, f"alerts.{alert}.{what}")
    return round(limit / seconds(find(_LIMITS, f"alerts.{alert}.window")) * 60, 3)


def _events(pattern: str, *, by: str = "event") -> Query:
    """Events per minute."""
    expr = f'sum by (server, {by}) (rate(stalwart_events_total{{SEL,event=~"{pattern}"}}[$__rate_interval])) * 60'
    return q(expr, "{{server}} {{" + by + "}}")


def _pass_share(check: str) -> Query:
    passed, both = f"smtp[.]{check}-pass", f"smtp[.]{check}-(pass|fail)"
    rate = 'sum by (server) (rate(stalwart_events_total{{SEL,event=~"{}"}}[$__rate_interval]))'
    return q(f"{rate.format(passed)} / ({rate.format(both)} > 0)", f"{{{{server}}}} {check}")


_LOGINS = [
    counters_source(),
    graph(
        "Logins",
        "Logins per minute. The exporter's own requests count as auth.success on v0.13 to v0.15. The line is the "
        "threshold of StalwartLoginFailures.",
        "cpm",
        _events("auth[.](success|failed|too-many-attempts|error)"),
        limits=[(_per_minute("StalwartLoginFailures", "failures"), "orange")],
        width=9,
        empty=NO_COUNTERS,
    ),
    graph(
        "Bans",
        "Addresses banned per minute, by cause. The line is the threshold of StalwartBans.",
        "cpm",
        _events("security[.].+-ban"),
        limits=[(_per_minute("StalwartBans", "bans"), "orange")],
        width=9,
        empty=NO_COUNTERS,
    ),
    graph(
        "Rejected connections",
        "Connections from banned addresses, missing permissions, and exceeded limits, per minute. "
        "`smtp.rate-limit-exceeded`, two for each recipient that an inbound limit refuses for now, is that of "
        "StalwartInboundMailLimited.",
        "cpm",
        _events("security[.](ip-blocked|unauthorized)|limit[.].+|smtp[.]rate-limit-exceeded"),
        empty=NO_COUNTERS,
    ),
    graph(
        "SMTP abuse",
        "Relay attempts, address guessing, loops and throttled senders, per minute.",
        "cpm",
        _events(
            "smtp[.](relay-not-allowed|too-many-invalid-rcpt|mailbox-does-not-exist|loop-detected|rate-limit-exceeded)"
        ),
        empty=NO_COUNTERS,
    ),
]

_SPAM = [
    counters_source(),
    graph(
        "Ham and spam",
        "Messages stored per minute, by verdict.",
        "cpm",
        _events("message-ingest[.](ham|spam)"),
        width=9,
        empty=NO_COUNTERS,
    ),
    graph(
        "Share of spam",
        "Share of stored messages classified as spam. A lasting change is a spam wave or a drifting filter.",
        "percentunit",
        q(
            'sum by (server) (rate(stalwart_events_total{SEL,event="message-ingest.spam"}[$__rate_interval])) / '
            '(sum by (server) (rate(stalwart_events_total{SEL,event=~"message-ingest[.](ham|spam)"}'
            "[$__rate_interval])) > 0)"
        ),
        maximum=1,
        width=9,
        empty=NO_COUNTERS,
    ),
    graph(
        "Checks on incoming mail",
        "Share that passes SPF, DKIM, DMARC, ARC and reverse DNS. If all drop at once, the "
        "server's own DNS is failing. Failures include mail with no signature or policy.",
        "percentunit",
        *(_pass_share(check) for check in ("spf-from", "spf-ehlo", "dkim", "dmarc", "arc", "iprev")),
        maximum=1,
        empty=NO_COUNTERS,
    ),
    graph(
        "Unsigned outgoing mail",
        "Messages without a DKIM signer per minute: a gap in the configuration.",
        "cpm",
        _events("dkim[.]signer-not-found"),
        empty=NO_COUNTERS,
    ),
]

_TLS = [
    counters_source(),
    graph(
        "Incoming TLS",
        "Failed TLS handshakes and certificate renewals, per minute.",
        "cpm",
        _events("tls[.]handshake-error|acme[.](error|auth-error|order-invalid)"),
        width=9,
        empty=NO_COUNTERS,
    ),
    graph(
        "Outgoing TLS",
        "Deliveries prevented by STARTTLS, MTA-STS or DANE, per minute. Hosts without STARTTLS are mostly normal.",
        "cpm",
        _events(
            "delivery[.](start-tls-.+|implicit-tls-error)|mta-sts[.](not-authorized|invalid-policy)|dane[.]authentication-failure"
        ),
        width=9,
        empty=NO_COUNTERS,
    ),
]

_SERVED = [
    rows_of(
        "Bad certificates of listeners",
        "What is wrong with what listeners show. `stalwart-exporter domains show` says what they show.",
        "short",
        q('max by (server, host, port, family, check) (stalwart_served_certificate_check{SEL,result="bad"})'),
        renamed={"Value": "hosts"},
        width=9,
        empty="Nothing is bad, or listeners are not looked at",
    ),
    number(
        "Next served certificates to expire",
        "Time until the certificates that listeners show expire, the earliest of each host. Orange and red are "
        "the thresholds of StalwartServedCertificateExpiring and StalwartCertificateAboutToExpire.",
        "s",
        q(
            "bottomk(8, min by (server, host) (stalwart_served_certificate_not_after_timestamp_seconds{SEL} - time()))",
            "{{server}} {{host}}",
        ),
        base="red",
        limits=[(ENDING, "orange"), (RENEWED, "green")],
        width=9,
        height=8,
        empty="No listener has shown a certificate",
    ),
]

_INVENTORY = [
    inventory_source(),
    number(
        "Next certificates to expire",
        "Time until the newest certificate of a host expires, by the shortest host name it "
        "serves; `other` is the earliest expiry beyond `max_domains`. Orange and red are the "
        "thresholds of StalwartCertificateExpiring and StalwartCertificateAboutToExpire.",
        "s",
        q(
            "bottomk(8, min by (server, name) (stalwart_certificate_not_after_timestamp_seconds{SEL} - time()))",
            "{{server}} {{name}}",
        ),
        base="red",
        limits=[(ENDING, "orange"), (RENEWED, "green")],
        width=9,
        height=8,
        empty="No certificate, or not reported: see the row's first panel",
    ),
    graph(
        "Blocked addresses",
        "Addresses and networks blocked by the server, by reason.",
        "short",
        q("max by (server, reason) (stalwart_blocked_addresses{SEL})", "{{server}} {{reason}}"),
        stacked=True,
        width=9,
        empty=NO_INVENTORY,
    ),
]

_LOG = [
    capabilities(
        "logs",
        "Source of the log",
        "The log is read on every edition. `not_configured`: the server has no tracer that logs to a file.",
    ),
    graph(
        "Log lines by level",
        "Lines of the server's log per minute, without those about the exporter's own requests.",
        "cpm",
        q(
            "sum by (server, level) (rate(stalwart_log_entries_total{SEL}[$__rate_interval])) * 60",
            "{{server}} {{level}}",
        ),
        width=9,
        empty="No log: see the row's first panel",
    ),
    rows_of(
        "Warnings and errors",
        "Warnings and errors in the log in the selected time range.",
        "short",
        q(
            "topk(30, sum by (server, level, event) "
            '(increase(stalwart_log_entries_total{SEL,level=~"warn|error"}[$__range])) > 0)'
        ),
        renamed={"Value": "lines"},
        width=9,
        empty=NONE_NOW,
    ),
]

SECURITY = Board(
    "stalwart-security",
    "Stalwart / Security and spam",
    "Logins, bans, spam, checks on incoming mail, and TLS.",
    [
        ("Logins and bans", _LOGINS),
        ("Spam and checks", _SPAM),
        ("TLS", [*_TLS, *_SERVED]),
        ("Certificates and blocked addresses", _INVENTORY),
        ("Log", _LOG),
    ],
)
