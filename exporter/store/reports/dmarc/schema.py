"""
The tables about sources of mail in DMARC reports, as a migration group.

Times are Unix seconds. A *network* is as from `networks.network_of`.
"""

from __future__ import annotations

SOURCE_TABLES = (
    # learns_until: sources in reports that end until then are known from the beginning.
    """
    CREATE TABLE dmarc_domain (
        server TEXT NOT NULL,
        domain TEXT NOT NULL,
        learns_until INTEGER NOT NULL,
        last_at INTEGER NOT NULL,
        PRIMARY KEY (server, domain)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE dmarc_source (
        server TEXT NOT NULL,
        domain TEXT NOT NULL,
        network TEXT NOT NULL,
        last_at INTEGER NOT NULL,
        PRIMARY KEY (server, domain, network)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX dmarc_source_last ON dmarc_source (last_at)",
    "CREATE INDEX dmarc_domain_last ON dmarc_domain (last_at)",
    # result: good (confirmed by the name's addresses), bad (no confirmed name) or unknown.
    """
    CREATE TABLE source_name (
        server TEXT NOT NULL,
        address TEXT NOT NULL,
        result TEXT NOT NULL,
        name TEXT NOT NULL,
        as_number INTEGER,
        as_name TEXT NOT NULL,
        checked_at INTEGER NOT NULL,
        PRIMARY KEY (server, address)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX source_name_address ON source_name (address)",
    """
    CREATE TABLE own_address (
        server TEXT NOT NULL,
        address TEXT NOT NULL,
        seen_at INTEGER NOT NULL,
        PRIMARY KEY (server, address)
    ) WITHOUT ROWID
    """,
)

COUNTED_TABLES = ("dmarc_domain", "dmarc_source", "source_name", "own_address")
"""The tables whose rows are counted in ``stalwart_exporter_store_rows``."""
