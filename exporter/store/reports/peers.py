"""
Peers that exchange nothing but reports with the server: each report is answered by a report about it, for ever.

The history has the reports that came from them, the trail everything else. A peer is the domain of the reporter's
address.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta

from exporter.domains import domain_name
from exporter.store.store import Store

WINDOW = timedelta(days=7)
LEAST_REPORTS = 3
"""The fewest reports in each direction within the window: a loop has one per day."""

MOST_PEERS = 1000

_OLDEST = "SELECT min(at) FROM trail_message WHERE server = ?"
_REPORTERS = """
    SELECT substr(p.email, instr(p.email, '@') + 1), count(*)
    FROM report AS r INDEXED BY report_received JOIN dmarc_policy AS p ON p.report = r.id
    WHERE r.received_at >= :since AND r.server = :server AND r.kind = 'dmarc' AND p.email LIKE '%@%'
    GROUP BY 1 HAVING count(*) >= :least ORDER BY 2 DESC LIMIT :most
"""
_MAIL_TO = """
    trail_recipient AS x CROSS JOIN trail_message AS m ON m.server = x.server AND m.queue_id = x.queue_id
    WHERE x.server = :server AND x.domain = c.value AND x.at >= :since
"""
_IS_REPORT = "(m.kind = 'report' OR x.queue_name = 'report')"
_ONLY_REPORTS = f"""
    SELECT c.value, (SELECT count(*) FROM {_MAIL_TO} AND {_IS_REPORT}) AS sent
    FROM json_each(:peers) AS c
    WHERE NOT EXISTS (SELECT 1 FROM {_MAIL_TO} AND NOT {_IS_REPORT})
        AND NOT EXISTS (
            SELECT 1 FROM trail_message AS m
            WHERE m.server = :server AND m.sender_domain <> '' AND m.sender_domain = c.value AND m.at >= :since
        )
"""  # noqa: S608 - nothing but our own words


async def report_only_peers(store: Store, server: str, now: datetime) -> Mapping[str, int] | None:
    """
    Return the reports exchanged within `WINDOW`, in both directions, by peer that exchanged nothing else.

    ``None`` if the trail does not reach back that far. Raises `StoreError`.
    """
    since = int((now - WINDOW).timestamp())
    oldest = next(iter(await store.read(_OLDEST, (server,))))[0]
    if oldest is None or oldest > since:
        return None
    limits = {"server": server, "since": since, "least": LEAST_REPORTS, "most": MOST_PEERS}
    received: dict[str, int] = {}
    for written, count in await store.read(_REPORTERS, limits):
        domain = domain_name(written)
        if domain is not None:
            received[domain] = received.get(domain, 0) + count
    parameters = {"server": server, "since": since, "peers": json.dumps(sorted(received))}
    rows = await store.read(_ONLY_REPORTS, parameters)
    return {domain: received[domain] + sent for domain, sent in rows if sent >= LEAST_REPORTS}
