"""What is known of source addresses: their confirmed names, who is behind them, and which are the server's own."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from exporter.store.reports.dmarc.known_senders import KnownSender, known_sender

_NAMES = """
    SELECT address, result, name, as_number, as_name FROM source_name
    WHERE address IN (SELECT value FROM json_each(:addresses)) AND (:server IS NULL OR server = :server)
    ORDER BY checked_at
"""
_OWN_ADDRESSES = "SELECT DISTINCT address FROM own_address WHERE :server IS NULL OR server = :server"
_OWN_DOMAINS = "SELECT DISTINCT domain FROM posture WHERE :server IS NULL OR server = :server"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceName:
    """
    What is known of one address.

    Attributes:
        result: ``good`` if the name leads back to the address, ``bad`` if there is no such name, else ``unknown``.
        name: The confirmed host name in lower case; empty unless the result is good.
        as_number: The number of the autonomous system; ``None`` if it is not known.
        as_name: Its organisation; empty if it is not known.
    """

    result: str = "unknown"
    name: str = ""
    as_number: int | None = None
    as_name: str = ""

    @property
    def known(self) -> KnownSender | None:
        """The known organisation behind the name."""
        return known_sender(self.name) if self.name else None

    @property
    def sender(self) -> str:
        """Who is behind the address: the known organisation, or that of the network; empty if unknown."""
        known = self.known
        if known is not None or self.as_number is None:
            return known.name if known is not None else ""
        return f"AS{self.as_number} {self.as_name}".rstrip()


UNNAMED = SourceName()


@dataclass(frozen=True, slots=True)
class OwnSide:
    """The server's own addresses, and its domains."""

    addresses: Collection[str]
    domains: Collection[str]

    def has(self, address: str, name: str) -> bool:
        """Return whether a source is ours: by its *address*, or by its confirmed *name*."""
        return address in self.addresses or any(parent in self.domains for parent in _parents(name))


def _parents(name: str) -> Iterator[str]:
    """Yield *name* and the names above it."""
    while name:
        yield name
        name = name.partition(".")[2]


def load_names(
    connection: sqlite3.Connection, addresses: Collection[str], *, server: str | None
) -> Mapping[str, SourceName]:
    """Return what is known of *addresses*; those that nothing is known of are absent."""
    rows = connection.execute(_NAMES, {"addresses": json.dumps(list(addresses)), "server": server})
    return {row[0]: SourceName(result=row[1], name=row[2], as_number=row[3], as_name=row[4]) for row in rows}


def with_names(
    connection: sqlite3.Connection, rows: Sequence[Mapping[str, Any]], *, server: str | None
) -> list[dict[str, Any]]:
    """Return *rows*, each with a ``source``, with what is known of it as ``name`` and ``sender``; empty if unknown."""
    names = load_names(connection, [row["source"] for row in rows], server=server)
    known = ((row, names.get(row["source"], UNNAMED)) for row in rows)
    return [{**row, "name": name.name, "sender": name.sender} for row, name in known]


def load_own_side(connection: sqlite3.Connection, domain: str, *, server: str | None) -> OwnSide:
    """Return what belongs to the server, and with it *domain*."""
    values = {"server": server}
    addresses = {row[0] for row in connection.execute(_OWN_ADDRESSES, values)}
    return OwnSide(addresses, {row[0] for row in connection.execute(_OWN_DOMAINS, values)} | {domain})
