"""What was delivered to receivers that send DMARC reports, and whether they have reported since."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from exporter.store.posture.known_reporters import REPORTERS
from exporter.store.store import Store

_DELIVERED = """
    SELECT message.sender_domain, outcome.domain, count(*)
    FROM json_each(:domains) AS receiver
    JOIN trail_outcome AS outcome
        ON outcome.server = :server AND outcome.domain = receiver.value AND outcome.at BETWEEN :since AND :until
    JOIN trail_message AS message ON message.server = outcome.server AND message.queue_id = outcome.queue_id
    WHERE outcome.outcome = 'delivered' AND message.sender_domain <> ''
    GROUP BY 1, 2
"""
_HEARD = """
    SELECT domain, reporter, max(last_received_at) FROM dmarc_reporter
    WHERE server = :server AND last_received_at >= :since GROUP BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Expected:
    """
    A receiver from which a report about a domain is due.

    Attributes:
        delivered: Messages of the domain that it accepted.
        heard: Whether it has reported since.
    """

    reporter: str
    delivered: int
    heard: bool


async def expected_reports(
    store: Store, server: str, *, since: int, until: int, at_least: int
) -> Mapping[str, list[Expected]]:
    """
    Return who should have reported about each domain of *server*: it accepted *at_least* messages of the domain.

    They are counted from *since* to *until* (Unix seconds), reports from *since* on. Raises `StoreError`.
    """
    receivers = {domain: reporter for reporter in REPORTERS for domain in reporter.domains}
    times = {"server": server, "since": since}
    rows = await store.read(_DELIVERED, {**times, "until": until, "domains": json.dumps(list(receivers))})
    delivered: dict[tuple[str, str], int] = {}
    for sender, receiver, count in rows:
        key = sender, receivers[receiver].name
        delivered[key] = delivered.get(key, 0) + count
    heard: dict[str, list[str]] = {}
    for domain, reporter, _ in await store.read(_HEARD, times):
        heard.setdefault(domain, []).append(reporter.lower())
    words = {reporter.name: reporter.words for reporter in REPORTERS}
    expected: dict[str, list[Expected]] = {}
    for (sender, name), count in sorted(delivered.items()):
        if count >= at_least:
            wrote = any(word in reporter for reporter in heard.get(sender, ()) for word in words[name])
            expected.setdefault(sender, []).append(Expected(name, count, wrote))
    return expected
