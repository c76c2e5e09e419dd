"""The names of source addresses in the history: which are due, and what was found out."""

from __future__ import annotations

import json
from collections.abc import Sequence

from exporter.model.reports import NamedSource
from exporter.store.reading import History
from exporter.store.store import RowWriter

WINDOW_SECONDS = 30 * 86_400
MOST_NAMED = 1000
"""The busiest sources of a server in the window have names."""

AGAIN_SECONDS = 7 * 86_400
"""A name is looked up again after this time,"""

UNKNOWN_AGAIN_SECONDS = 3600
"""and one that could not be found out after this time."""

KEEP_SECONDS = 60 * 86_400
"""Names of sources that are no longer among the busiest are kept for this time."""

_DUE = """
    WITH busiest AS (
        SELECT r.source_ip AS address,
            total(CASE WHEN r.dkim = 'pass' OR r.spf = 'pass' THEN 0 ELSE r.messages END) AS failing,
            total(r.messages) AS messages
        FROM report INDEXED BY report_dmarc_ends JOIN dmarc_record AS r ON r.report = report.id
        WHERE report.kind = 'dmarc' AND report.server = :server AND report.ends_at > :since AND r.source_ip <> ''
        GROUP BY r.source_ip ORDER BY failing DESC, messages DESC, address LIMIT :named
    )
    SELECT busiest.address FROM busiest LEFT JOIN source_name AS n ON n.server = :server AND n.address = busiest.address
    WHERE n.checked_at IS NULL OR n.checked_at <= CASE n.result WHEN 'unknown' THEN :unknown_until ELSE :until END
    ORDER BY failing DESC, messages DESC, busiest.address LIMIT :most
"""
_SAVE = """
    INSERT INTO source_name (server, address, result, name, as_number, as_name, checked_at)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (server, address) DO UPDATE SET
        result = CASE excluded.result WHEN 'unknown' THEN result ELSE excluded.result END,
        name = CASE excluded.result WHEN 'unknown' THEN name ELSE excluded.name END,
        as_number = coalesce(excluded.as_number, as_number),
        as_name = CASE WHEN excluded.as_number IS NULL THEN as_name ELSE excluded.as_name END,
        checked_at = CASE WHEN excluded.result = 'unknown' AND result <> 'unknown'
            THEN excluded.checked_at - ? ELSE excluded.checked_at END
"""
_FORGET_NAMES = "DELETE FROM source_name WHERE server = ? AND checked_at < ?"
_SAVE_OWN = (
    "INSERT INTO own_address (server, address, seen_at) VALUES (?, ?, ?)"
    " ON CONFLICT (server, address) DO UPDATE SET seen_at = excluded.seen_at"
)
_FORGET_OWN = "DELETE FROM own_address WHERE server = ? AND address NOT IN (SELECT value FROM json_each(?))"
_HOSTS = "SELECT DISTINCT domain FROM posture WHERE server = ? AND check_name = 'fcrdns'"


def due_addresses(connection: History, server: str, *, now: int, most: int) -> Sequence[str]:
    """Return up to *most* source addresses whose names are to be looked up, those with most failing mail first."""
    values = {
        "server": server,
        "since": now - WINDOW_SECONDS,
        "named": MOST_NAMED,
        "until": now - AGAIN_SECONDS,
        "unknown_until": now - UNKNOWN_AGAIN_SECONDS,
        "most": most,
    }
    return [row[0] for row in connection.execute(_DUE, values)]


def mail_hosts(connection: History, server: str) -> Sequence[str]:
    """Return the host names of *server*, as the checks have learned them."""
    return [row[0] for row in connection.execute(_HOSTS, (server,))]


def name_writer(server: str, named: Sequence[NamedSource], *, now: int) -> RowWriter:
    """
    Return a function that saves what was found out, and forgets names that were not looked up for `KEEP_SECONDS`.

    A name that could not be found out this time leaves what was known before, and is due again soon.
    """
    soon = AGAIN_SECONDS - UNKNOWN_AGAIN_SECONDS
    rows = [(server, one.address, one.result.value, one.name, one.as_number, one.as_name, now, soon) for one in named]

    def write(connection: History) -> None:
        connection.executemany(_SAVE, rows)
        connection.execute(_FORGET_NAMES, (server, now - KEEP_SECONDS))

    return write


def own_address_writer(server: str, addresses: Sequence[str], *, now: int) -> RowWriter:
    """Return a function that replaces the server's own addresses."""

    def write(connection: History) -> None:
        connection.executemany(_SAVE_OWN, [(server, address, now) for address in addresses])
        connection.execute(_FORGET_OWN, (server, json.dumps(list(addresses))))

    return write
