"""
The tables of the report history, as a migration group.

Times are Unix seconds. Texts from third parties are cut to `TEXT_LIMIT` characters in columns; the response itself is
kept whole in ``report_raw``. ``dmarc_day`` and ``dmarc_reporter`` are sums over ``report``, updated in the same
transactions, so that a window of thirty days does not read millions of rows.
"""

from __future__ import annotations

TEXT_LIMIT = 1000
"""Characters per text column."""

SEEN_SOURCE = "reports_{kind}"
"""The source in ``seen`` and ``watermark`` for the server's list of one kind."""

REPORT_TABLES = (
    """
    CREATE TABLE report (
        id INTEGER PRIMARY KEY,
        server TEXT NOT NULL,
        kind TEXT NOT NULL,
        identity BLOB NOT NULL,
        source_id TEXT NOT NULL,
        reporter TEXT NOT NULL,
        report_id TEXT NOT NULL,
        domain TEXT NOT NULL,
        begins_at INTEGER NOT NULL,
        ends_at INTEGER NOT NULL,
        received_at INTEGER NOT NULL,
        passed INTEGER NOT NULL,
        failed INTEGER NOT NULL
    )
    """,
    "CREATE UNIQUE INDEX report_identity ON report (server, kind, identity)",
    "CREATE INDEX report_received ON report (received_at)",
    "CREATE INDEX report_domain ON report (domain, ends_at)",
    "CREATE INDEX report_dmarc_ends ON report (server, ends_at, domain, passed, failed) WHERE kind = 'dmarc'",
    """
    CREATE TABLE report_raw (
        report INTEGER PRIMARY KEY REFERENCES report (id) ON DELETE CASCADE,
        packed BLOB NOT NULL
    )
    """,
    """
    CREATE TABLE report_rejected (
        id INTEGER PRIMARY KEY,
        server TEXT NOT NULL,
        kind TEXT NOT NULL,
        source_id TEXT NOT NULL,
        received_at INTEGER NOT NULL,
        rejected_at INTEGER NOT NULL,
        reason TEXT NOT NULL,
        packed BLOB NOT NULL,
        UNIQUE (server, kind, source_id)
    )
    """,
    "CREATE INDEX report_rejected_received ON report_rejected (received_at)",
    """
    CREATE TABLE dmarc_policy (
        report INTEGER PRIMARY KEY REFERENCES report (id) ON DELETE CASCADE,
        email TEXT NOT NULL,
        extra_contact TEXT NOT NULL,
        errors TEXT NOT NULL,
        generator TEXT NOT NULL,
        policy TEXT NOT NULL,
        subdomain_policy TEXT NOT NULL,
        nonexistent_policy TEXT NOT NULL,
        dkim_alignment TEXT NOT NULL,
        spf_alignment TEXT NOT NULL,
        percent INTEGER,
        testing INTEGER NOT NULL,
        failure_options TEXT NOT NULL,
        discovery_method TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE dmarc_record (
        report INTEGER NOT NULL REFERENCES report (id) ON DELETE CASCADE,
        record INTEGER NOT NULL,
        source_ip TEXT NOT NULL,
        messages INTEGER NOT NULL,
        disposition TEXT NOT NULL,
        dkim TEXT NOT NULL,
        spf TEXT NOT NULL,
        header_from TEXT NOT NULL,
        envelope_from TEXT NOT NULL,
        envelope_to TEXT NOT NULL,
        PRIMARY KEY (report, record)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE dmarc_auth (
        report INTEGER NOT NULL REFERENCES report (id) ON DELETE CASCADE,
        record INTEGER NOT NULL,
        number INTEGER NOT NULL,
        method TEXT NOT NULL,
        domain TEXT NOT NULL,
        detail TEXT NOT NULL,
        result TEXT NOT NULL,
        human_result TEXT NOT NULL,
        PRIMARY KEY (report, record, number)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE dmarc_override (
        report INTEGER NOT NULL REFERENCES report (id) ON DELETE CASCADE,
        record INTEGER NOT NULL,
        number INTEGER NOT NULL,
        reason TEXT NOT NULL,
        comment TEXT NOT NULL,
        PRIMARY KEY (report, record, number)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE dmarc_day (
        server TEXT NOT NULL,
        day INTEGER NOT NULL,
        domain TEXT NOT NULL,
        aligned INTEGER NOT NULL,
        failed INTEGER NOT NULL,
        reports INTEGER NOT NULL,
        PRIMARY KEY (server, day, domain)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE dmarc_reporter (
        server TEXT NOT NULL,
        domain TEXT NOT NULL,
        reporter TEXT NOT NULL,
        reports INTEGER NOT NULL,
        last_received_at INTEGER NOT NULL,
        PRIMARY KEY (server, domain, reporter)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE tls_policy (
        report INTEGER NOT NULL REFERENCES report (id) ON DELETE CASCADE,
        policy INTEGER NOT NULL,
        type TEXT NOT NULL,
        domain TEXT NOT NULL,
        strings TEXT NOT NULL,
        mx_hosts TEXT NOT NULL,
        successes INTEGER NOT NULL,
        failures INTEGER NOT NULL,
        PRIMARY KEY (report, policy)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE tls_failure (
        report INTEGER NOT NULL REFERENCES report (id) ON DELETE CASCADE,
        policy INTEGER NOT NULL,
        number INTEGER NOT NULL,
        result TEXT NOT NULL,
        sessions INTEGER NOT NULL,
        sending_ip TEXT NOT NULL,
        receiving_host TEXT NOT NULL,
        receiving_helo TEXT NOT NULL,
        receiving_ip TEXT NOT NULL,
        information TEXT NOT NULL,
        reason_code TEXT NOT NULL,
        PRIMARY KEY (report, policy, number)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE arf_feedback (
        report INTEGER PRIMARY KEY REFERENCES report (id) ON DELETE CASCADE,
        feedback_type TEXT NOT NULL,
        incidents INTEGER NOT NULL,
        arrived_at INTEGER,
        user_agent TEXT NOT NULL,
        source_ip TEXT NOT NULL,
        source_port INTEGER NOT NULL,
        reporting_mta TEXT NOT NULL,
        envelope_id TEXT NOT NULL,
        mail_from TEXT NOT NULL,
        rcpt_to TEXT NOT NULL,
        domains TEXT NOT NULL,
        uris TEXT NOT NULL,
        authentication_results TEXT NOT NULL,
        auth_failure TEXT NOT NULL,
        delivery_result TEXT NOT NULL,
        identity_alignment TEXT NOT NULL,
        dkim_domain TEXT NOT NULL,
        dkim_identity TEXT NOT NULL,
        dkim_selector TEXT NOT NULL,
        dkim_selector_dns TEXT NOT NULL,
        dkim_adsp_dns TEXT NOT NULL,
        spf_dns TEXT NOT NULL
    )
    """,
)

TLS_POLICIES_ONCE = (
    """
    DELETE FROM seen
    WHERE (server, source) IN (
        SELECT server, 'reports_' || json_extract(labels, '$[0]') FROM tally
        WHERE name = 'reports' AND labels IN ('["dmarc"]', '["tls"]')
            AND value = (
                SELECT count(*) FROM report
                WHERE report.server = tally.server AND report.kind = json_extract(tally.labels, '$[0]')
            )
            AND (
                SELECT value FROM tally AS rejected
                WHERE rejected.server = tally.server AND rejected.name = 'reports_rejected'
                    AND rejected.labels = tally.labels
            ) = (
                SELECT count(*) FROM report_rejected
                WHERE report_rejected.server = tally.server
                    AND report_rejected.kind = json_extract(tally.labels, '$[0]')
            )
    )
    AND (server, source, id) NOT IN (SELECT server, 'reports_' || kind, source_id FROM report)
    """,
    "DROP INDEX report_identity",
    "CREATE UNIQUE INDEX report_identity ON report (server, kind, identity) WHERE kind <> 'tls'",
    "CREATE INDEX report_tls_identity ON report (server, identity) WHERE kind = 'tls'",
)
"""
TLS reports lose their own identity; their policies have it instead.

Before this migration, the second of two TLS reports with the same id and date range was taken for a repetition, and
some reports that can be parsed now were rejected. Their ids are forgotten, so that they are fetched again if the server
still lists them, but only if as many reports are stored as were ever counted: no pruned report comes back.
"""

NEWEST_REPORTS = (
    "CREATE INDEX report_other_ends ON report (server, kind, ends_at) WHERE kind <> 'dmarc'",
    "CREATE INDEX report_other_domain ON report (domain, kind, ends_at) WHERE kind <> 'dmarc'",
    "CREATE INDEX tls_policy_domain ON tls_policy (domain)",
)
"""A later migration: the few reports of other kinds are found among millions of DMARC reports."""

COUNTED_TABLES = ("report", "report_rejected")
"""Tables whose rows are cheap to count; the rows below a report are not counted every few minutes."""
