"""
The source networks of each domain, and which of them are new.

A network is new if no report about the domain has had it before. Nothing is new while the server's reports are first
read, nor in a later domain's first day of reports: those show which sources are usual.
"""

from __future__ import annotations

import ipaddress
import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from exporter.clock import unix_second
from exporter.model.incoming_reports import IncomingReport
from exporter.model.reports import DmarcReport
from exporter.store.inserts import Insert
from exporter.store.reports.sums import DAY_SECONDS
from exporter.store.store import Store

IPV4_BITS, IPV6_BITS = 24, 48
"""Senders use neighbouring addresses."""

LEARN_REPORTS = 500
"""Reports of an older history that are read at once."""

_DOMAINS = Insert(
    "dmarc_domain",
    4,
    "ON CONFLICT (server, domain) DO UPDATE SET last_at = excluded.last_at"
    f" WHERE excluded.last_at >= dmarc_domain.last_at + {DAY_SECONDS}",
)
_SOURCES = Insert(
    "dmarc_source",
    4,
    "ON CONFLICT (server, domain, network) DO UPDATE SET last_at = excluded.last_at"
    f" WHERE excluded.last_at >= dmarc_source.last_at + {DAY_SECONDS}",
)
_KNOWN_DOMAINS = (
    "SELECT domain, learns_until FROM dmarc_domain WHERE server = ? AND domain IN (SELECT value FROM json_each(?))"
)
_KNOWN_NETWORKS = """
    SELECT s.domain, s.network FROM json_each(?2) AS asked
    JOIN dmarc_source AS s ON s.server = ?1
        AND s.domain = json_extract(asked.value, '$[0]') AND s.network = json_extract(asked.value, '$[1]')
"""
_OLDER = """
    SELECT report.domain, r.source_ip, max(report.received_at)
    FROM report JOIN dmarc_record AS r ON r.report = report.id
    WHERE report.id > ?2 AND report.id <= ?3 AND report.server = ?1 AND report.kind = 'dmarc' AND r.messages > 0
    GROUP BY 1, 2
"""
_NEWEST = "SELECT coalesce(max(id), 0) FROM report"

_FORGET = (
    "DELETE FROM dmarc_source WHERE (server, domain, network) IN"
    " (SELECT server, domain, network FROM dmarc_source WHERE last_at < ? LIMIT ?)",
    "DELETE FROM dmarc_domain WHERE (server, domain) IN"
    " (SELECT server, domain FROM dmarc_domain WHERE last_at < ? LIMIT ?)",
)
"""Delete what no report has had since a time (Unix seconds), up to a number of rows."""


class _Pair(NamedTuple):
    domain: str
    network: str


@lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """Return the network of an IP address: ``192.0.2.0/24``, ``2001:db8::/48``; empty if it is not an address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    bits = IPV4_BITS if parsed.version == 4 else IPV6_BITS
    return str(ipaddress.ip_network((parsed, bits), strict=False))


@dataclass(slots=True)
class SourceUpdate:
    """
    What some reports add to the known sources.

    Attributes:
        new: New networks by domain; zero for a domain without any.
    """

    new: dict[str, int] = field(default_factory=dict)
    _learns_until: dict[str, int] = field(default_factory=dict)
    _domains: dict[str, int] = field(default_factory=dict)
    _networks: dict[_Pair, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self._domains)

    def write(self, connection: sqlite3.Connection, server: str) -> None:
        """Write the rows; requires an open transaction."""
        _DOMAINS.write(
            connection,
            [
                value
                for domain, at in self._domains.items()
                for value in (server, domain, self._learns_until.get(domain, 0), at)
            ],
        )
        _SOURCES.write(connection, [value for pair, at in self._networks.items() for value in (server, *pair, at)])

    def note(self, domain: str, network: str, at: int) -> None:
        """Add a network that was seen at *at* (Unix seconds)."""
        self._domains[domain] = max(at, self._domains.get(domain, 0))
        pair = _Pair(domain, network)
        self._networks[pair] = max(at, self._networks.get(pair, 0))

    def learn_domain(self, domain: str, until: int, at: int) -> None:
        """Add a domain that learns from reports that end *until* then."""
        self._learns_until[domain] = until
        self._domains[domain] = max(at, self._domains.get(domain, 0))


async def find_new(store: Store, server: str, reports: Iterable[IncomingReport], *, learning: bool) -> SourceUpdate:
    """
    Return what *reports*, none of which is stored, add to the sources of *server*.

    While *learning*, none of them is new. Raises `StoreError`.
    """
    read = [(report, report.content) for report in reports if isinstance(report.content, DmarcReport)]
    pairs = {pair: None for _, content in read for pair in _pairs(content)}
    domains = list({content.domain: None for _, content in read})
    rows = await store.read(_KNOWN_DOMAINS, (server, json.dumps(domains)))
    until: dict[str, int] = {row[0]: row[1] for row in rows}
    known = {_Pair(*row) for row in await store.read(_KNOWN_NETWORKS, (server, json.dumps(list(pairs))))}
    update = SourceUpdate()
    for report, content in read:
        ends_at, at = unix_second(content.ends_at), unix_second(report.received_at)
        if content.domain not in until:
            until[content.domain] = 0 if learning else ends_at + DAY_SECONDS
            update.learn_domain(content.domain, until[content.domain], at)
        counts = not learning and ends_at > until[content.domain]
        found = set(_pairs(content))
        new = len(found - known) if counts else 0
        update.new[content.domain] = update.new.get(content.domain, 0) + new
        for pair in found:
            update.note(pair.domain, pair.network, at)
        known |= found
    return update


def _pairs(report: DmarcReport) -> Iterator[_Pair]:
    for source, messages, _ in report.records:
        network = network_of(source) if messages else ""
        if network:
            yield _Pair(report.domain, network)


async def learn_older(store: Store, server: str, after: int) -> tuple[SourceUpdate, int | None]:
    """
    Return the sources of the `LEARN_REPORTS` stored reports whose row ids follow *after*.

    The second value is where to go on, ``None`` after the last report. Raises `StoreError`.
    """
    newest = next(iter(await store.read(_NEWEST)))[0]
    update, end = SourceUpdate(), after + LEARN_REPORTS
    for domain, address, at in await store.read(_OLDER, (server, after, end)):
        network = network_of(address)
        if network:
            update.note(domain, network, at)
    return update, None if end >= newest else end


def forget_sources(connection: sqlite3.Connection, before: int, most: int) -> int:
    """Delete up to *most* networks and domains not seen since *before* (Unix seconds); return the larger number."""
    return max(connection.execute(statement, (before, most)).rowcount for statement in _FORGET)
