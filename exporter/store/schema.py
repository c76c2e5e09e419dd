"""The numbered, forward-only migrations of the history file."""

from __future__ import annotations

from exporter.store.audit import AUDIT_TABLES
from exporter.store.audit import COUNTED_TABLES as AUDIT_COUNTED_TABLES
from exporter.store.posture.schema import POSTURE_COUNTED, POSTURE_TABLES
from exporter.store.reports.dmarc.schema import COUNTED_TABLES as SOURCE_COUNTED_TABLES
from exporter.store.reports.dmarc.schema import SOURCE_TABLES
from exporter.store.reports.records import TEMPORARY_TABLES as REPORT_TEMPORARY_TABLES
from exporter.store.reports.schema import COUNTED_TABLES, NEWEST_REPORTS, REPORT_TABLES, TLS_POLICIES_ONCE
from exporter.store.steps.schema import COUNTED_TABLES as STEP_COUNTED_TABLES
from exporter.store.steps.schema import STEP_TABLES
from exporter.store.trail.schema import COUNTED_TABLES as TRAIL_COUNTED_TABLES
from exporter.store.trail.schema import DEFERRALS, REFUSALS_BY_CLIENT, TRAIL_TABLES
from exporter.store.trail.senders.schema import COUNTED_TABLES as SENDER_COUNTED_TABLES
from exporter.store.trail.senders.schema import SENDER_TABLES, SENDERS_BY_HOUR
from exporter.store.webhooks.schema import COUNTED_TABLES as WEBHOOK_COUNTED_TABLES
from exporter.store.webhooks.schema import WEBHOOK_TABLES

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE tally (
            server TEXT NOT NULL,
            name TEXT NOT NULL,
            labels TEXT NOT NULL,
            value INTEGER NOT NULL,
            PRIMARY KEY (server, name, labels)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE watermark (
            server TEXT NOT NULL,
            source TEXT NOT NULL,
            state TEXT NOT NULL,
            PRIMARY KEY (server, source)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE seen (
            server TEXT NOT NULL,
            source TEXT NOT NULL,
            id TEXT NOT NULL,
            at INTEGER NOT NULL,
            PRIMARY KEY (server, source, id)
        ) WITHOUT ROWID
        """,
        "CREATE INDEX seen_at ON seen (server, source, at)",
    ),
    REPORT_TABLES,
    TLS_POLICIES_ONCE,
    TRAIL_TABLES,
    WEBHOOK_TABLES,
    POSTURE_TABLES,
    AUDIT_TABLES,
    REFUSALS_BY_CLIENT,
    SENDER_TABLES,
    SOURCE_TABLES,
    (*NEWEST_REPORTS, *DEFERRALS),
    STEP_TABLES,
    SENDERS_BY_HOUR,
)
"""Statement groups; group *n* migrates a file from ``user_version`` *n* to *n* + 1. Append only."""

TABLES = (
    "tally",
    "watermark",
    "seen",
    *COUNTED_TABLES,
    *TRAIL_COUNTED_TABLES,
    *WEBHOOK_COUNTED_TABLES,
    *POSTURE_COUNTED,
    *SENDER_COUNTED_TABLES,
    *STEP_COUNTED_TABLES,
    *SOURCE_COUNTED_TABLES,
    *AUDIT_COUNTED_TABLES,
)
"""The tables whose rows are counted in ``stalwart_exporter_store_rows``."""

TEMPORARY_TABLES = REPORT_TEMPORARY_TABLES
"""Temporary tables that every writing connection needs."""
