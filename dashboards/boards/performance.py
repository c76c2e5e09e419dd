"""Sessions, latencies, stores and memory."""

from __future__ import annotations

from alerts.thresholds import find, load
from dashboards.boards.kit import (
    NO_COUNTERS,
    NO_INVENTORY,
    NONE_NOW,
    Board,
    capabilities,
    counters_source,
    graph,
    inventory_source,
    mean_and_p90,
    number,
    q,
    rows_of,
)

ENTERPRISE = "Only on Enterprise servers"
FAILED = find(load(), "alerts.StalwartTasksFailed.tasks")
COUNTED = "Up to v0.15 only Enterprise servers count them"

_SESSIONS = [
    counters_source(),
    graph(
        "Open sessions",
        "Sessions by protocol; 'delivery' counts delivery attempts in progress.",
        "short",
        q("sum by (server, protocol) (stalwart_active_connections{SEL})", "{{server}} {{protocol}}"),
        width=9,
        empty=NO_COUNTERS,
    ),
    graph(
        "New connections",
        "Connections per minute, by protocol.",
        "cpm",
        q(
            'sum by (server, event) (rate(stalwart_events_total{SEL,event=~".+[.]connection-start"}[$__rate_interval]))'
            " * 60",
            "{{server}} {{event}}",
        ),
        width=9,
        empty=NO_COUNTERS,
    ),
    graph(
        "Session duration",
        "Duration of client sessions; with IDLE and push, several hours. The 90th percentile needs the server's own "
        "metrics page.",
        "s",
        *mean_and_p90("stalwart_session_duration_seconds", "server, protocol", "{{server}} {{protocol}}"),
        empty=NO_COUNTERS,
    ),
    graph(
        "Session errors",
        "Failed HTTP sessions, milters and hooks, per minute.",
        "cpm",
        q(
            'sum by (server, event) (rate(stalwart_events_total{SEL,event=~"http[.]error|milter[.]action-(temp-fail|'
            'connection-failure)|mta-hook[.]error|sieve[.]runtime-error|eval[.]error"}[$__rate_interval])) * 60',
            "{{server}} {{event}}",
        ),
        empty=NO_COUNTERS,
    ),
]

_LATENCY = [
    counters_source(),
    graph(
        "Storing a message",
        "Time to store a message in a mailbox.",
        "s",
        *mean_and_p90("stalwart_message_ingest_duration_seconds", "server", "{{server}}"),
        width=9,
        empty=ENTERPRISE,
    ),
    graph(
        "Failed DNS lookups",
        "Duration of the DNS lookups that the server measures: null MX, invalid policies, "
        "failed TLSA. Not a measure of resolver speed.",
        "s",
        *mean_and_p90("stalwart_dns_lookup_duration_seconds", "server", "{{server}}"),
        width=9,
        empty=ENTERPRISE,
    ),
    graph(
        "Indexing a message",
        "Time to index a message for full-text search, up to v0.14: later releases do not measure it.",
        "s",
        *mean_and_p90("stalwart_message_index_duration_seconds", "server", "{{server}}"),
        empty="Only on Enterprise servers up to v0.14",
    ),
    graph(
        "Size of messages",
        "Mean and 90th percentile of messages accepted, from users who logged in (authenticated true) and from others.",
        "bytes",
        *mean_and_p90(
            "stalwart_message_size_bytes", "server, authenticated", "{{server}} authenticated {{authenticated}}"
        ),
        empty=NO_COUNTERS,
    ),
]

_STORES = [
    counters_source(),
    graph(
        "Duration of store operations",
        "Range scans, write batches, blob reads and writes. A rise means a slow disk or database.",
        "s",
        *mean_and_p90("stalwart_store_operation_duration_seconds", "server, operation", "{{server}} {{operation}}"),
        width=9,
        empty=ENTERPRISE,
    ),
    graph(
        "Store operations",
        "Operations per second.",
        "ops",
        q(
            'sum by (server, event) (rate(stalwart_events_total{SEL,event=~"store[.](data-write|data-iterate|blob-read|'
            'blob-write)"}[$__rate_interval]))',
            "{{server}} {{event}}",
        ),
        width=9,
        empty=NO_COUNTERS,
    ),
    graph(
        "Store errors",
        "Errors of databases, blob stores, directories and caches per minute. "
        "StalwartStoreErrors pages at the first database error.",
        "cpm",
        q(
            'sum by (server, event) (rate(stalwart_events_total{SEL,event=~"store[.].+-error|store[.]data-corruption"}'
            "[$__rate_interval])) * 60 > 0",
            "{{server}} {{event}}",
        ),
        width=24,
        empty=NONE_NOW,
    ),
]

_RESOURCES = [
    counters_source(),
    graph(
        "Memory",
        "Resident memory of the server. It falls when the server restarts; up to v0.13.3 it is the value at startup.",
        "bytes",
        q("max by (server) (stalwart_server_memory_bytes{SEL})"),
        width=10,
        empty=NO_COUNTERS,
    ),
    number(
        "Accounts",
        "Users, groups and mailing lists, as far as the key may count them. Without `individual-list`, servers up to "
        "v0.15 count their users only in the Enterprise edition, once per day.",
        "short",
        q("max by (server, type) (stalwart_accounts{SEL})", "{{server}} {{type}}"),
        base="blue",
        height=8,
        empty=COUNTED,
    ),
    number(
        "Domains",
        "Domains on the server. Up to v0.15 only Enterprise servers count them, once per day.",
        "short",
        q("max by (server) (stalwart_domains{SEL})"),
        base="blue",
        height=8,
        empty=COUNTED,
    ),
]

_ACCOUNTS = [
    capabilities(
        "accounts",
        "Source of this row",
        "The key needs `sysAccountQuery` and `sysAccountGet`; up to v0.15 `individual-list`, which also lets it read "
        "password hashes.",
    ),
    graph(
        "Quotas nearly used up",
        "Users that have used at least 80 %, 90 % and all of their quota. `stalwart-exporter accounts quota` names "
        "them.",
        "short",
        q("max by (server, threshold) (stalwart_quota_accounts{SEL})", "{{server}} {{threshold}}"),
        width=9,
        empty=NO_INVENTORY,
    ),
    number(
        "First mailbox full in",
        "If it keeps growing as in the last days. StalwartMailboxFilling warns in time.",
        "s",
        q("min by (server) (stalwart_quota_full_timestamp_seconds{SEL} - time())"),
        base="blue",
        height=8,
        empty="No growth observed for a day",
    ),
    graph(
        "Used bytes by domain",
        "Bytes in the mailboxes of each domain, with and without a quota.",
        "bytes",
        q("sum by (server, domain) (max by (server, domain, quota) (stalwart_account_used_bytes{SEL}))", "{{domain}}"),
        stacked=True,
        width=9,
        empty=NO_INVENTORY,
    ),
    rows_of(
        "Quotas by domain",
        "Used bytes of the users with a quota, and the sum of their quotas.",
        "bytes",
        q('max by (server, domain) (stalwart_account_used_bytes{SEL,quota="limited"})'),
        q("max by (server, domain) (stalwart_account_quota_bytes{SEL})"),
        renamed={"Value #A": "used", "Value #B": "quota"},
        width=9,
        empty=NO_INVENTORY,
    ),
    number(
        "Users with ...",
        "Users with a password, a second factor, application passwords, API keys, encryption at rest; from v0.16 on.",
        "short",
        q("max by (server, feature) (stalwart_account_features{SEL})", "{{feature}}"),
        base="blue",
        height=8,
        empty="Only readable from v0.16 on",
    ),
]

_TASKS = [
    inventory_source(),
    graph(
        "Tasks pending",
        "Background tasks waiting or retried, by type. Calendar alarms are scheduled tasks: "
        "many of them are not a backlog.",
        "short",
        q('max by (server, type) (stalwart_tasks{SEL,state="pending"}) > 0', "{{server}} {{type}}"),
        stacked=True,
        width=9,
        empty="None, or not reported by this server: see the row's first panel",
    ),
    graph(
        "Tasks failed",
        "Background tasks that failed for good, by type. The line is the threshold of StalwartTasksFailed.",
        "short",
        q('max by (server, type) (stalwart_tasks{SEL,state="failed"})', "{{server}} {{type}}"),
        limits=[(FAILED + 1, "orange")],
        width=9,
        empty=NO_INVENTORY,
    ),
    graph(
        "Cluster nodes",
        "Cluster nodes last seen within an hour (active), within a day (stale), or longer ago "
        "(inactive). A dead node stays active for up to an hour.",
        "short",
        q("max by (server, state) (stalwart_cluster_nodes{SEL})", "{{server}} {{state}}"),
        width=24,
        height=6,
        empty=NO_INVENTORY,
    ),
]

PERFORMANCE = Board(
    "stalwart-performance",
    "Stalwart / Protocols and performance",
    "Sessions, latencies, stores, memory and background tasks.",
    [
        ("Sessions", _SESSIONS),
        ("Latencies and sizes", _LATENCY),
        ("Stores", _STORES),
        ("Resources", _RESOURCES),
        ("Accounts and quotas", _ACCOUNTS),
        ("Tasks and cluster", _TASKS),
    ],
)
