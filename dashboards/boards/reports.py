"""What others report about our mail: DMARC, TLS-RPT and ARF."""

from __future__ import annotations

from alerts.thresholds import find, load, seconds
from dashboards.boards.kit import (
    NO_COUNTERS,
    NO_REPORTS,
    NONE_NOW,
    Board,
    capabilities,
    counters_source,
    graph,
    number,
    q,
    rows_of,
)

NO_CHECKS = "No checks: see the row's first panel"

_LIMITS = load()
DMARC_RATIO = find(_LIMITS, "alerts.StalwartDmarcFailureSpike.ratio")
SILENCE = seconds(find(_LIMITS, "alerts.StalwartDmarcReporterSilent.silence"))

_SOURCE = (
    "Reports are read on every edition; the key needs `incoming-report-list` and "
    "`incoming-report-get`. They arrive a few times per day, only for domains whose DNS "
    "requests them."
)

_TAKEN = [
    capabilities("reports|outgoing_reports", "Source of reports", _SOURCE),
    number(
        "In the history",
        "DMARC, TLS and ARF reports added to the history, cumulative.",
        "short",
        q("sum by (server, kind) (stalwart_reports_total{SEL})", "{{server}} {{kind}}"),
        width=6,
        height=8,
        empty=NO_REPORTS,
    ),
    number(
        "Unreadable",
        "Reports that could not be parsed; `reports list --rejected` shows them.",
        "short",
        q(
            "sum by (server, kind) (stalwart_reports_rejected_total{SEL}) or sum by (server) (0 * stalwart_up{SEL})",
            "{{server}} {{kind}}",
        ),
        limits=[(1, "orange")],
        width=6,
        height=8,
    ),
    number(
        "Waiting to be sent",
        "Outgoing reports waiting to be sent.",
        "short",
        q("sum by (server, kind) (stalwart_outgoing_reports{SEL})", "{{server}} {{kind}}"),
        base="blue",
        width=6,
        height=8,
        empty="None, or the key lacks outgoing-report-list",
    ),
]

_DMARC = [
    capabilities("reports", "Source of reports", _SOURCE),
    graph(
        "Share that fails DMARC",
        "Share of mail from our domains that receivers reported as failing, over the last day and 30 days of "
        "report time. The line is the threshold of StalwartDmarcFailureSpike.",
        "percentunit",
        q(
            'max by (server, domain, window) (domain:stalwart_dmarc_failures:ratio{SEL,window=~"1d|30d"})',
            "{{domain}} {{window}}",
        ),
        limits=[(DMARC_RATIO, "orange")],
        maximum=1,
        width=10,
        empty=NO_REPORTS,
    ),
    rows_of(
        "Messages by result, last 30 days",
        "Messages that receivers reported, by aligned result.",
        "short",
        q('sum by (server, domain, result) (stalwart_dmarc_window_messages{SEL,window="30d"})'),
        renamed={"Value": "messages"},
        width=8,
        empty=NO_REPORTS,
    ),
    graph(
        "Messages by disposition",
        "Disposition of the reported messages in the selected time range, by time of receipt.",
        "short",
        q(
            "sum by (domain, disposition, dkim, spf) (increase(stalwart_dmarc_messages_total{SEL}[$__rate_interval]))",
            "{{domain}} {{disposition}} dkim {{dkim}} spf {{spf}}",
        ),
        stacked=True,
        empty=NO_REPORTS,
    ),
    graph(
        "New sources",
        "Source networks that appeared in reports about a domain for the first time, per day. `stalwart-exporter "
        "reports summary` names them.",
        "short",
        q("sum by (domain) (increase(stalwart_dmarc_new_sources_total{SEL}[1d]))", "{{domain}}"),
        empty=NO_REPORTS,
    ),
    rows_of(
        "Ready for the next policy",
        "1: the domain can publish its next DMARC policy; 0: too much mail would be hurt. Without enough reports a "
        "domain is absent. `stalwart-exporter reports readiness` explains it.",
        "short",
        q("max by (server, domain, policy) (stalwart_dmarc_policy_ready{SEL})"),
        renamed={"Value": "ready"},
        empty="Not enough reports: 100 messages on 14 days from 2 reporters",
    ),
    rows_of(
        "Reporters",
        "Time since each reporter's last report. Orange from the threshold of "
        "StalwartDmarcReporterSilent on; irregular reporters do not alert.",
        "s",
        q("sort_desc(max by (server, domain, reporter) (time() - stalwart_dmarc_last_report_timestamp_seconds{SEL}))"),
        renamed={"Value": "silent for"},
        limits=[(SILENCE, "orange")],
        empty=NO_REPORTS,
    ),
]

_TLS = [
    capabilities("reports", "Source of reports", _SOURCE),
    graph(
        "Sessions reported",
        "Sessions with our domains in TLS reports, by time of receipt.",
        "short",
        q(
            "sum by (domain, policy, result) (increase(stalwart_tls_report_sessions_total{SEL}[$__rate_interval]))",
            "{{domain}} {{policy}} {{result}}",
        ),
        stacked=True,
        width=9,
        empty=NO_REPORTS,
    ),
    rows_of(
        "Failures by type",
        "Failed sessions by RFC 8460 result type, since the history began.",
        "short",
        q("sum by (server, domain, failure) (stalwart_tls_report_failures_total{SEL})"),
        renamed={"Value": "sessions"},
        width=9,
        empty=NONE_NOW,
    ),
]

_ARF = [
    capabilities("reports", "Source of reports", _SOURCE),
    rows_of(
        "Complaints",
        "Feedback about our mail, by type, since the history began.",
        "short",
        q("sum by (server, feedback_type) (stalwart_arf_reports_total{SEL})"),
        renamed={"Value": "reports"},
        width=9,
        empty=NONE_NOW,
    ),
    graph(
        "Complaints over time",
        "Abuse, fraud and virus reports in the history.",
        "short",
        q("max by (server) (server:stalwart_arf_complaints:sum{SEL})"),
        width=9,
    ),
]

_COUNTED = [
    counters_source(),
    graph(
        "Reports the server received",
        "Reports per hour, as counted by the server. Those with warnings contain DMARC "
        "failures for our domains, or failed TLS sessions.",
        "short",
        q(
            'sum by (event) (rate(stalwart_events_total{SEL,event=~"incoming-report[.].+"}[$__rate_interval])) * 3600',
            "{{event}}",
        ),
        width=18,
        empty=NO_COUNTERS,
    ),
]

_CHECKED = [
    capabilities(
        "domain_records",
        "Source of the checks",
        "What the server wants published is read on every edition; the key needs `domain-list` and `domain-get` "
        "(from v0.16 on `sysDomainQuery` and `sysDomainGet`).",
    ),
    rows_of(
        "Bad checks",
        "What DNS has, or a host serves, is not what the server needs. `stalwart-exporter domains show` says what to "
        "publish.",
        "short",
        q('max by (server, domain, check) (stalwart_domain_check{SEL,result="bad"})'),
        renamed={"Value": "domains"},
        width=10,
        empty=NONE_NOW,
    ),
    graph(
        "Checks by result",
        "Number of checks with each result. Unknown: the resolver or a host did not answer.",
        "short",
        q("sum by (server, result) (stalwart_domain_check{SEL})", "{{server}} {{result}}"),
        width=8,
        empty=NO_CHECKS,
    ),
    rows_of(
        "Blocklists",
        "Addresses that mail is sent from, by list. Unknown: the list or the resolver cannot be believed.",
        "short",
        q("max by (server, list, family, result) (stalwart_blocklist_addresses{SEL} > 0)"),
        renamed={"Value": "addresses"},
        width=9,
        empty="No list is asked",
    ),
    rows_of(
        "Last changes on blocklists",
        "Time since an address was last listed or removed, or first looked for.",
        "s",
        q("sort(max by (server, list, family) (time() - stalwart_blocklist_change_timestamp_seconds{SEL}))"),
        renamed={"Value": "ago"},
        width=9,
        empty="No list is asked",
    ),
    rows_of(
        "Last changes",
        "Time since each check last changed between good and bad, or was first seen.",
        "s",
        q("sort(max by (server, domain, check) (time() - stalwart_domain_check_change_timestamp_seconds{SEL}))"),
        renamed={"Value": "ago"},
        empty=NO_CHECKS,
    ),
]

REPORTS = Board(
    "stalwart-reports",
    "Stalwart / Reports",
    "What others report about our mail: DMARC, TLS-RPT and ARF.",
    [
        ("Domains", _CHECKED),
        ("Reports", _TAKEN),
        ("DMARC", _DMARC),
        ("TLS-RPT", _TLS),
        ("ARF", _ARF),
        ("The server's own count", _COUNTED),
    ],
)
