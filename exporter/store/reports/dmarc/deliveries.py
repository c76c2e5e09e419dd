"""What receivers report to have got from the server's own addresses, beside what was delivered to them, by day."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from exporter.store.posture.known_reporters import REPORTERS, Reporter
from exporter.store.reports.sums import DAY_SECONDS

DAYS = 14
"""As long as the trail is kept by default."""

_OWN = "SELECT DISTINCT address FROM own_address WHERE :server IS NULL OR server = :server"
_OLDEST = "SELECT min(at) FROM trail_message WHERE :server IS NULL OR server = :server"
_SENDERS = """
    SELECT DISTINCT sender_domain FROM trail_message
    WHERE (:server IS NULL OR server = :server) AND sender_domain <> ''
"""
# Reports cover about a day; the middle of one is on the day that it is about, whatever the reporter's time zone.
_REPORTED = """
    SELECT (report.begins_at + report.ends_at) / 2 / 86400 AS day, report.reporter,
        CAST(total(CASE WHEN r.source_ip IN (SELECT value FROM json_each(:own)) THEN r.messages END) AS INTEGER),
        CAST(total(r.messages) AS INTEGER)
    FROM report JOIN dmarc_record AS r ON r.report = report.id
    WHERE report.kind = 'dmarc' AND report.domain = :domain AND (:server IS NULL OR report.server = :server)
        AND report.ends_at > :begin AND report.ends_at <= :now
    GROUP BY 1, 2
"""
_DELIVERED = """
    SELECT o.at / 86400 AS day, o.domain, o.hostname, count(*)
    FROM trail_message AS m JOIN trail_outcome AS o ON o.server = m.server AND o.queue_id = m.queue_id
    WHERE (:server IS NULL OR m.server = :server) AND m.sender_domain IN (SELECT value FROM json_each(:senders))
        AND m.sender_domain <> '' AND o.outcome = 'delivered' AND o.at >= :begin AND o.at <= :now
    GROUP BY 1, 2, 3
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayOfReporter:
    """
    One day (UTC) of one receiver, in messages.

    Attributes:
        day_at: The beginning of the day, in Unix seconds.
        delivered: Recipients to whom the trail says that it delivered; ``None`` if the trail does not reach back.
        from_ours: Reported as from the server's own addresses.
        from_others: Reported as from any other address.
    """

    day_at: int
    reporter: str
    delivered: int | None
    from_ours: int
    from_others: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """
    Reports about a domain against its deliveries.

    Attributes:
        own_addresses: Empty: they are not known, so that every source is another.
        days: The newest first.
    """

    domain: str
    own_addresses: Sequence[str]
    days: Sequence[DayOfReporter]


class _Key(NamedTuple):
    day: int
    reporter: str


def compare(
    connection: sqlite3.Connection, domain: str, *, now: datetime, days: int = DAYS, server: str | None = None
) -> Comparison:
    """Compare the last *days* of *domain*; receivers that are not known to report are left out."""
    end = int(now.timestamp())
    begin = (end // DAY_SECONDS - days + 1) * DAY_SECONDS
    own = [row[0] for row in connection.execute(_OWN, {"server": server})]
    values = {"domain": domain, "server": server, "begin": begin, "now": end, "own": json.dumps(own)}
    reported: dict[_Key, tuple[int, int]] = {}
    for day, name, ours, whole in connection.execute(_REPORTED, values):
        reporter = _by_name(name)
        if reporter is not None and day * DAY_SECONDS >= begin:
            known = reported.get(_Key(day, reporter.name), (0, 0))
            reported[_Key(day, reporter.name)] = (known[0] + ours, known[1] + whole - ours)
    delivered: dict[_Key, int] = {}
    values["senders"] = json.dumps(list(_senders(connection, domain, server)))
    for day, recipient, host, count in connection.execute(_DELIVERED, values):
        reporter = _by_receiver(recipient, host)
        if reporter is not None:
            key = _Key(day, reporter.name)
            delivered[key] = delivered.get(key, 0) + count
    oldest = connection.execute(_OLDEST, {"server": server}).fetchone()[0]
    found = [
        DayOfReporter(
            day_at=key.day * DAY_SECONDS,
            reporter=key.reporter,
            delivered=delivered.get(key, 0) if oldest is not None and oldest <= key.day * DAY_SECONDS else None,
            from_ours=reported.get(key, (0, 0))[0],
            from_others=reported.get(key, (0, 0))[1],
        )
        for key in sorted(reported.keys() | delivered.keys(), key=lambda key: (-key.day, key.reporter))
    ]
    return Comparison(domain=domain, own_addresses=own, days=found)


def _senders(connection: sqlite3.Connection, domain: str, server: str | None) -> Iterator[str]:
    """Yield the senders' domains that are *domain* or below it."""
    for (sender,) in connection.execute(_SENDERS, {"server": server}):
        if sender == domain or sender.endswith(f".{domain}"):
            yield sender


def _by_name(name: str) -> Reporter | None:
    lowered = name.lower()
    return next((one for one in REPORTERS if any(word in lowered for word in one.words)), None)


def _by_receiver(recipient: str, host: str) -> Reporter | None:
    """Return whose a recipient's domain is, or the host that accepted its mail: business customers have own domains."""
    host = host.lower().removesuffix(".")
    for one in REPORTERS:
        if recipient in one.domains or any(host == end or host.endswith(f".{end}") for end in one.hosts):
            return one
    return None
