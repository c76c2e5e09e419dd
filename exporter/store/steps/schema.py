"""
The table of the steps, as a migration group.

A row is written at the end of each step, at a multiple of its length in Unix seconds. The counts are totals since the
history began, as the tallies are; those of refusals are of the step alone, by the time of each refusal.
"""

from __future__ import annotations

STEP_TABLES = (
    """
    CREATE TABLE step (
        server TEXT NOT NULL,
        at INTEGER NOT NULL,
        messages INTEGER,
        oldest_seconds INTEGER,
        due INTEGER,
        delivered INTEGER NOT NULL,
        temporary_failures INTEGER NOT NULL,
        permanent_failures INTEGER NOT NULL,
        spam INTEGER,
        logins_failed INTEGER,
        refused_spam INTEGER,
        refused_logins INTEGER,
        refused_others INTEGER,
        PRIMARY KEY (server, at)
    ) WITHOUT ROWID
    """,
)

COUNTED_TABLES = ("step",)
"""The tables whose rows are counted in ``stalwart_exporter_store_rows``."""
