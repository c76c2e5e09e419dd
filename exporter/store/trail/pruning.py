"""Deletes the oldest rows of the trail, in small transactions, and estimates how much space the trail takes up."""

from __future__ import annotations

import sqlite3
from collections import Counter
from typing import NamedTuple

from exporter.store.store import Store

PRUNE_BATCH = 400
"""Messages, outcomes and refusals deleted per transaction, so that other writers do not wait long."""

SAMPLE = 200
"""Rows per table whose length is taken for the average; the newest ones."""

FILL = 1.3
"""Size of a table's pages relative to their content."""

_LENGTHS = {
    "trail_message": "95 + 4 * length(server) + length(listener) + length(remote_ip) + length(account)"
    " + 2 * length(sender) + 2 * length(sender_domain) + 2 * length(message_id) + 20 * (message_id <> '')",
    "trail_recipient": "55 + 3 * length(server) + 3 * length(address) + 2 * length(domain) + length(queue_name)",
    "trail_outcome": "85 + 3 * length(server) + length(outcome) + length(reason) + 2 * length(domain)"
    " + length(queue_name) + length(recipient) + length(hostname) + length(text) + length(source)",
    "trail_step": "45 + length(server) + length(event) + length(queue_name) + length(recipient) + length(hostname)"
    " + length(domain) + length(text)",
    "trail_refusal": "140 + 3 * length(server) + 3 * length(event) + 3 * length(remote_ip) + 4 * length(recipient)"
    " + 2 * length(recipient_domain) + length(reason) + length(listener) + length(account) + 2 * length(sender)"
    " + 2 * length(sender_domain) + length(text)",
}
"""Bytes of a row with its entries in the indexes, about, as SQL."""

_LATEST = {
    "trail_message": "server DESC, at DESC",
    "trail_recipient": "server DESC, queue_id DESC",
    "trail_outcome": "id DESC",
    "trail_step": "server DESC, queue_id DESC",
    "trail_refusal": "server DESC, at DESC",
}


class TrailExtent(NamedTuple):
    """
    How much the trail holds.

    Attributes:
        size_bytes: An estimate.
        oldest_at: When the oldest message, outcome or refusal happened, in Unix seconds; ``None`` if there is none.
    """

    size_bytes: int
    oldest_at: int | None


async def measure_trail(store: Store) -> TrailExtent:
    """Return what the trail holds, by the rows that the store has counted last; raises `StoreError`."""
    size = 0.0
    for table, length in _LENGTHS.items():
        latest = f"SELECT {length} AS n FROM {table} ORDER BY {_LATEST[table]} LIMIT {SAMPLE}"  # noqa: S608 - our own SQL
        sql = f"SELECT avg(n) FROM ({latest})"  # noqa: S608 - as above
        average = next(iter(await store.read(sql)))[0]
        size += store.stats.rows.get(table, 0) * (average or 0.0) * FILL
    oldest: list[int] = []
    for server in await _servers(store):
        for table in ("trail_message", "trail_refusal"):
            sql = f"SELECT min(at) FROM {table} WHERE server = ?"  # noqa: S608 - a name from our own schema
            oldest += [row[0] for row in await store.read(sql, (server,)) if row[0] is not None]
    oldest += [row[0] for row in await store.read("SELECT at FROM trail_outcome ORDER BY id LIMIT 1")]
    return TrailExtent(int(size), min(oldest, default=None))


async def oldest_part(store: Store, rows: int) -> int | None:
    """Return the second before which the oldest *rows* or fewer of any table lie; ``None`` if nothing is kept."""
    seconds: list[int] = []
    for server in await _servers(store):
        for table in ("trail_message", "trail_refusal"):
            seconds += await _nth(store, f"SELECT at FROM {table} WHERE server = ? ORDER BY at LIMIT ?", (server, rows))  # noqa: S608 - as above
    seconds += await _nth(store, "SELECT at FROM trail_outcome ORDER BY id LIMIT ?", (rows,))
    return min(seconds) + 1 if seconds else None


async def prune_trail(store: Store, *, before: int, batch: int = PRUNE_BATCH) -> int:
    """
    Delete up to *batch* messages, outcomes and refusals each that are older than *before*, in Unix seconds.

    Returns the number of rows that were deleted, those below the messages included; 0 means that nothing is left. The
    store's row counts follow.
    """
    servers = await _servers(store)

    def prune(connection: sqlite3.Connection) -> Counter[str]:
        gone: Counter[str] = Counter()
        for server in servers:
            gone += _prune_server(connection, server, before, batch)
        cursor = connection.execute(
            "DELETE FROM trail_outcome WHERE id IN"
            " (SELECT id FROM (SELECT id, at FROM trail_outcome ORDER BY id LIMIT ?) WHERE at < ?)",
            (batch, before),
        )
        gone["trail_outcome"] += cursor.rowcount
        return gone

    gone = await store.write(prune)
    for table, rows in gone.items():
        store.stats.rows[table] = max(0, store.stats.rows.get(table, 0) - rows)
    return gone.total()


def _prune_server(connection: sqlite3.Connection, server: str, before: int, batch: int) -> Counter[str]:
    found = connection.execute(
        "SELECT server, queue_id FROM trail_message WHERE server = ? AND at < ? ORDER BY at LIMIT ?",
        (server, before, batch),
    ).fetchall()
    gone: Counter[str] = Counter()
    for table in ("trail_step", "trail_recipient", "trail_message"):
        cursor = connection.executemany(f"DELETE FROM {table} WHERE server = ? AND queue_id = ?", found)  # noqa: S608 - as above
        gone[table] += max(0, cursor.rowcount)
    cursor = connection.execute(
        "DELETE FROM trail_refusal WHERE (server, at, event, remote_ip, remote_port, recipient) IN"
        " (SELECT server, at, event, remote_ip, remote_port, recipient FROM trail_refusal"
        " WHERE server = ? AND at < ? ORDER BY at LIMIT ?)",
        (server, before, batch),
    )
    gone["trail_refusal"] += cursor.rowcount
    return gone


async def _nth(store: Store, sql: str, parameters: tuple[object, ...]) -> list[int]:
    """Return the last second of a query, in a list; an empty one if it has no rows."""
    rows = list(await store.read(sql, parameters))
    return [rows[-1][0]] if rows else []


async def _servers(store: Store) -> list[str]:
    """Return the servers that the trail has anything of."""
    found: set[str] = set()
    for table in ("trail_message", "trail_refusal"):
        last: str | None = ""
        while last is not None:
            sql = f"SELECT min(server) FROM {table} WHERE server > ?"  # noqa: S608 - as above
            last = next(iter(await store.read(sql, (last,))))[0]
            found.update([last] if last is not None else ())
    return sorted(found)
