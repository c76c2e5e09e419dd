"""
The tables of the trail, as a migration group.

Times are Unix seconds. Queue ids are unsigned 64-bit numbers, stored as SQLite's signed ones (`to_key`). Addresses are
in lower case and masked as the settings require; ``trail_key`` has the secret of the hashes. A message, its recipients
and its steps are keyed by what they are, so the same event from two sources is stored once. Each row of
``trail_outcome`` is one increment of ``stalwart_deliveries_total``. ``number`` orders the steps and outcomes of one
second.
"""

from __future__ import annotations

TEXT_LIMIT = 400
"""Characters kept of a reply or an error."""

NAME_LIMIT = 320
"""Characters kept of an address, a name or an id: the most that SMTP allows in an address."""

MAX_INTEGER = (1 << 63) - 1
"""SQLite's largest integer."""

RECIPIENT_LIMIT = 200
"""Recipients kept per message; the message has the number of all."""

TRAIL_TABLES = (
    "CREATE TABLE trail_key (id INTEGER PRIMARY KEY CHECK (id = 1), secret BLOB NOT NULL)",
    "INSERT INTO trail_key (id, secret) VALUES (1, randomblob(32))",
    """
    CREATE TABLE trail_message (
        server TEXT NOT NULL,
        queue_id INTEGER NOT NULL,
        at INTEGER NOT NULL,
        accepted_at INTEGER,
        kind TEXT NOT NULL,
        listener TEXT NOT NULL,
        remote_ip TEXT NOT NULL,
        account TEXT NOT NULL,
        sender TEXT NOT NULL,
        sender_domain TEXT NOT NULL,
        size INTEGER NOT NULL,
        recipients INTEGER NOT NULL,
        expires_at INTEGER,
        cause INTEGER NOT NULL,
        message_id TEXT NOT NULL,
        PRIMARY KEY (server, queue_id)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX trail_message_at ON trail_message (server, at)",
    "CREATE INDEX trail_message_sender ON trail_message (server, sender, at) WHERE sender <> ''",
    "CREATE INDEX trail_message_sender_domain ON trail_message (server, sender_domain, at) WHERE sender_domain <> ''",
    "CREATE INDEX trail_message_cause ON trail_message (server, cause) WHERE cause <> 0",
    "CREATE INDEX trail_message_header ON trail_message (server, message_id) WHERE message_id <> ''",
    """
    CREATE TABLE trail_recipient (
        server TEXT NOT NULL,
        queue_id INTEGER NOT NULL,
        address TEXT NOT NULL,
        domain TEXT NOT NULL,
        queue_name TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (server, queue_id, address)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX trail_recipient_address ON trail_recipient (server, address, at)",
    "CREATE INDEX trail_recipient_domain ON trail_recipient (server, domain, at)",
    """
    CREATE TABLE trail_outcome (
        id INTEGER PRIMARY KEY,
        server TEXT NOT NULL,
        queue_id INTEGER NOT NULL,
        at INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        reason TEXT NOT NULL,
        code TEXT NOT NULL,
        domain TEXT NOT NULL,
        queue_name TEXT NOT NULL,
        recipient TEXT NOT NULL,
        hostname TEXT NOT NULL,
        text TEXT NOT NULL,
        source TEXT NOT NULL,
        number INTEGER NOT NULL
    )
    """,
    "CREATE INDEX trail_outcome_message ON trail_outcome (server, queue_id)",
    "CREATE INDEX trail_outcome_domain ON trail_outcome (server, domain, at)",
    """
    CREATE TABLE trail_step (
        server TEXT NOT NULL,
        queue_id INTEGER NOT NULL,
        at INTEGER NOT NULL,
        event TEXT NOT NULL,
        queue_name TEXT NOT NULL,
        recipient TEXT NOT NULL,
        hostname TEXT NOT NULL,
        domain TEXT NOT NULL,
        code TEXT NOT NULL,
        text TEXT NOT NULL,
        next_at INTEGER,
        number INTEGER NOT NULL,
        PRIMARY KEY (server, queue_id, at, event, queue_name, recipient, hostname)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE trail_refusal (
        server TEXT NOT NULL,
        at INTEGER NOT NULL,
        event TEXT NOT NULL,
        remote_ip TEXT NOT NULL,
        remote_port INTEGER NOT NULL,
        recipient TEXT NOT NULL,
        recipient_domain TEXT NOT NULL,
        reason TEXT NOT NULL,
        listener TEXT NOT NULL,
        account TEXT NOT NULL,
        sender TEXT NOT NULL,
        sender_domain TEXT NOT NULL,
        size INTEGER NOT NULL,
        code TEXT NOT NULL,
        text TEXT NOT NULL,
        inferred INTEGER NOT NULL,
        PRIMARY KEY (server, at, event, remote_ip, remote_port, recipient)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX trail_refusal_recipient ON trail_refusal (server, recipient, at) WHERE recipient <> ''",
    "CREATE INDEX trail_refusal_recipient_domain ON trail_refusal (server, recipient_domain, at)"
    " WHERE recipient_domain <> ''",
    "CREATE INDEX trail_refusal_sender ON trail_refusal (server, sender, at) WHERE sender <> ''",
    "CREATE INDEX trail_refusal_sender_domain ON trail_refusal (server, sender_domain, at) WHERE sender_domain <> ''",
)

REFUSALS_BY_CLIENT = (
    "CREATE INDEX trail_refusal_account ON trail_refusal (server, account, at) WHERE account <> ''",
    "CREATE INDEX trail_refusal_client ON trail_refusal (server, remote_ip, at) WHERE remote_ip <> ''",
)
"""A later migration: refusals that name neither sender nor recipient are found by the account or the client."""

DEFERRALS = ("CREATE INDEX trail_outcome_deferred ON trail_outcome (server, at) WHERE outcome = 'temporary_failure'",)
"""A later migration: mail that waits is found by its last attempts."""

COUNTED_TABLES = ("trail_message", "trail_recipient", "trail_outcome", "trail_step", "trail_refusal")
"""The tables whose rows are counted in ``stalwart_exporter_store_rows``."""

_BITS = 1 << 64
_SIGNED = 1 << 63


def to_key(queue_id: int) -> int:
    """Return a queue id as SQLite's signed 64-bit integer."""
    queue_id %= _BITS
    return queue_id - _BITS if queue_id >= _SIGNED else queue_id


def from_key(key: int) -> int:
    """Return the queue id of `to_key`."""
    return key % _BITS
