"""The tables of the checks' history."""

from __future__ import annotations

POSTURE_TABLES = (
    # detail: JSON with what was seen and what to publish; times in Unix seconds.
    """
    CREATE TABLE posture (
        server TEXT NOT NULL,
        domain TEXT NOT NULL,
        check_name TEXT NOT NULL,
        result TEXT NOT NULL,
        known TEXT,
        changed_at INTEGER,
        checked_at INTEGER NOT NULL,
        detail TEXT NOT NULL,
        PRIMARY KEY (server, domain, check_name)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE posture_change (
        server TEXT NOT NULL,
        domain TEXT NOT NULL,
        check_name TEXT NOT NULL,
        at INTEGER NOT NULL,
        result TEXT NOT NULL,
        seen TEXT NOT NULL,
        PRIMARY KEY (server, domain, check_name, at)
    ) WITHOUT ROWID
    """,
)

POSTURE_COUNTED = ("posture", "posture_change")
