"""The families about limits on mail, its senders, and accounts with their quotas; see `families`."""

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
DMARC_NEW_SOURCES = _f(
    Kind.COUNTER,
    "stalwart_dmarc_new_sources_total",
    "Source networks (/24, /48) that appeared in DMARC reports about a domain for the first time.",
    ("domain",),
    source="reports",
)
DMARC_POLICY_READY = _f(
    Kind.GAUGE,
    "stalwart_dmarc_policy_ready",
    "Whether the domain is ready for its next DMARC policy, by the reports of 30 days; absent on too little data.",
    ("domain", "policy"),
    source="reports",
)
DMARC_POLICY_HURT = _f(
    Kind.GAUGE,
    "stalwart_dmarc_policy_hurt_messages",
    "Failing messages of 30 days that the domain's next DMARC policy would hurt; absent on too little data.",
    ("domain", "policy"),
    source="reports",
)

SUBMITTING_ACCOUNTS = _f(
    Kind.GAUGE,
    "stalwart_submitting_accounts",
    "Senders with at least one submission in the last 24 hours, by account or, where none is known, envelope sender.",
    source="trail",
)
UNUSUAL_SENDERS = _f(
    Kind.GAUGE,
    "stalwart_unusual_senders",
    "Senders that exceed what their own past allows, in this hour or the one before, or for 'day' in the last 24.",
    ("reason",),
    source="trail",
)
SUBMISSIONS = _f(
    Kind.COUNTER,
    "stalwart_submissions_total",
    "Messages submitted by the server's users, by domain of the envelope sender; beyond the limit, 'other'.",
    ("domain",),
    source="trail",
)

QUOTA_ACCOUNTS = _f(
    Kind.GAUGE,
    "stalwart_quota_accounts",
    "Users that have used at least this share of their quota.",
    ("threshold",),
    source="accounts",
)
QUOTA_FULL = _f(
    Kind.GAUGE,
    "stalwart_quota_full_timestamp_seconds",
    "Time at which the first user reaches its quota if it keeps growing as in the last days; absent if none grows.",
    source="accounts",
)
ACCOUNT_USED = _f(
    Kind.GAUGE,
    "stalwart_account_used_bytes",
    "Bytes used by the users of a domain, by whether they have a quota of their own; beyond the limit, 'other'.",
    ("domain", "quota"),
    source="accounts",
)
ACCOUNT_QUOTA = _f(
    Kind.GAUGE,
    "stalwart_account_quota_bytes",
    "Sum of the quotas of the users of a domain; beyond the limit, 'other'.",
    ("domain",),
    source="accounts",
)
ACCOUNT_FEATURES = _f(
    Kind.GAUGE,
    "stalwart_account_features",
    "Users with a feature, from v0.16 on: a password, a second factor, application passwords, API keys, encryption "
    "at rest.",
    ("feature",),
    source="accounts",
)
DELIVERY_PROBE_SUCCESS = _f(
    Kind.GAUGE,
    "stalwart_delivery_probe_success",
    "Whether a mail host of the domain accepted the recipient, or for a domain target an encrypted session.",
    ("domain",),
    source="probes",
)
DELIVERY_PROBE_RESULT = _f(
    Kind.GAUGE,
    "stalwart_delivery_probe_result",
    "Result of the latest delivery diagnosis, and the stage that decided; always 1.",
    ("domain", "stage", "result"),
    source="probes",
)
DELIVERY_PROBE_STAGES = _f(
    Kind.GAUGE,
    "stalwart_delivery_probe_stage_seconds",
    "Time that the latest delivery diagnosis spent in a stage, over all hosts.",
    ("domain", "stage"),
    source="probes",
)
DELIVERY_PROBE_TIME = _f(
    Kind.GAUGE,
    "stalwart_delivery_probe_timestamp_seconds",
    "Time of the latest delivery diagnosis.",
    ("domain",),
    source="probes",
)
SPAM_PROBE_SCORE = _f(
    Kind.GAUGE,
    "stalwart_spam_probe_score",
    "Score that the spam filter gives to a clean message and to a test message for spam filters.",
    ("message",),
    source="probes",
)
SPAM_PROBE_RESULT = _f(
    Kind.GAUGE,
    "stalwart_spam_probe_result",
    "What the spam filter would do with the message; always 1.",
    ("message", "result"),
    source="probes",
)
DMARC_PROBE_RESULT = _f(
    Kind.GAUGE,
    "stalwart_dmarc_probe_result",
    "Result of the server's own check of a message from the configured sender and address; always 1.",
    ("part", "result"),
    source="probes",
)
ROUND_TRIP_SUCCESS = _f(
    Kind.GAUGE,
    "stalwart_round_trip_probe_success",
    "Whether the latest message of the probe was in its mailbox in time.",
    source="probes",
)
ROUND_TRIP_RESULT = _f(
    Kind.GAUGE,
    "stalwart_round_trip_probe_result",
    "Result of the latest round trip, and the stage that it came to; always 1.",
    ("stage", "result"),
    source="probes",
)
ROUND_TRIP_STAGES = _f(
    Kind.GAUGE,
    "stalwart_round_trip_probe_stage_seconds",
    "Time that the latest round trip spent in a stage that it completed.",
    ("stage",),
    source="probes",
)
ROUND_TRIP_TIME = _f(
    Kind.GAUGE,
    "stalwart_round_trip_probe_timestamp_seconds",
    "Time of the latest round trip.",
    source="probes",
)
