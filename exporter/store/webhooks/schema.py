"""
The tables of the webhook posts, as a migration group.

Times are Unix seconds of the exporter's clock. A body is kept in compressed chunks until it is counted; ``done`` is the
number of its new events that are. ``webhook_post`` has the signature of each body, so that the same body is not taken
twice. ``webhook_run`` has the last batches, by which a repetition inside a later post is found: a checksum of 8 bytes
and a second of 4 bytes per event.
"""

from __future__ import annotations

WEBHOOK_TABLES = (
    """
    CREATE TABLE webhook_post (
        server TEXT NOT NULL,
        digest BLOB NOT NULL,
        at INTEGER NOT NULL,
        body INTEGER NOT NULL,
        PRIMARY KEY (server, digest)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX webhook_post_at ON webhook_post (server, at)",
    """
    CREATE TABLE webhook_body (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        server TEXT NOT NULL,
        at INTEGER NOT NULL,
        stored INTEGER NOT NULL,
        done INTEGER NOT NULL
    )
    """,
    "CREATE INDEX webhook_body_server ON webhook_body (server, id)",
    """
    CREATE TABLE webhook_chunk (
        body INTEGER NOT NULL REFERENCES webhook_body (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        data BLOB NOT NULL,
        PRIMARY KEY (body, number)
    )
    """,
    """
    CREATE TABLE webhook_run (
        body INTEGER PRIMARY KEY,
        server TEXT NOT NULL,
        at INTEGER NOT NULL,
        answered INTEGER NOT NULL,
        digests BLOB NOT NULL,
        seconds BLOB NOT NULL
    )
    """,
    "CREATE INDEX webhook_run_server ON webhook_run (server, body)",
)

COUNTED_TABLES = ("webhook_post", "webhook_body", "webhook_chunk", "webhook_run")
"""The tables whose rows are counted in ``stalwart_exporter_store_rows``."""
