"""Values that no server should send: nothing fails, and what is kept is bounded."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from exporter.store.trail.schema import NAME_LIMIT, RECIPIENT_LIMIT, TEXT_LIMIT
from tests.support.replays.trail import EventReader

AT = "2026-11-30T10:15:38Z"
HUGE = 2**64 - 1
LONG = "x" * 100_000
MANY = [f"u{number}@example.org" for number in range(3 * RECIPIENT_LIMIT)]


def event(type_: str, **data: Any) -> dict[str, Any]:
    return {"createdAt": AT, "type": type_, "data": data}


ROWS = [
    event("auth.success", spanId=7, listenerId=LONG, remoteIp=LONG, remotePort=HUGE, accountName=LONG),
    event("smtp.mail-from", spanId=7, **{"from": LONG}),
    *(event("smtp.rcpt-to", spanId=7, to=address) for address in MANY),
    event("smtp.message-too-large", spanId=7, size=HUGE, code=HUGE, details=LONG, remotePort=HUGE),
    event("queue.message-queued", spanId=7, queueId=HUGE, to=MANY, size=HUGE, expires=LONG, **{"from": LONG}),
    event("queue.message-queued", spanId=[], queueId={}, to=[1, None, {}], size=-1, expires=5, **{"from": []}),
    event("queue.dsn-queued", spanId=8, queueId=HUGE, to=["a@b"], size=1),
    event("delivery.attempt-start", spanId=8, queueId=HUGE, queueName=LONG, to=MANY, size=HUGE, **{"from": "<>"}),
    event("delivery.rcpt-to-rejected", spanId=8, queueId=HUGE, to=LONG, hostname=LONG, code=HUGE, details=LONG),
    event("delivery.dsn-perm-fail", queueId=HUGE, queueName=LONG, to=LONG + "@" + LONG, hostname=LONG, details=LONG),
    event("message-ingest.ham", queueId=HUGE, messageId=LONG, accountId=HUGE),
    event("queue.rescheduled", queueId=HUGE, nextRetry="9999-12-31T23:59:59-23:59"),
    event("spam.classify", spanId=9, result={"type": [1]}, queueId=HUGE),
    event("incoming-report.dmarc-report", **{"from": LONG}),
]


def test_values_out_of_bounds_are_cut(tmp_path: Path):
    """Numbers fit into the database, texts and lists are shortened, and nothing stops the counting."""
    path = tmp_path / "history.sqlite3"

    async def play() -> int:
        reader = await EventReader.start(path, at=datetime.fromisoformat(AT))
        await reader.take(ROWS)
        await reader.end(datetime.fromisoformat(AT) + timedelta(hours=1))
        await reader.store.aclose()
        return sum(reader.board.tallies.family("deliveries").values())

    counted = asyncio.run(play())

    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM trail_outcome").fetchone()[0] == counted == 2
        per_message = connection.execute(
            "SELECT max(n) FROM (SELECT count(*) n FROM trail_recipient GROUP BY queue_id)"
        )
        assert per_message.fetchone()[0] <= 2 * RECIPIENT_LIMIT
        for table in ("trail_message", "trail_recipient", "trail_outcome", "trail_step", "trail_refusal"):
            for row in connection.execute(f"SELECT * FROM {table}"):  # noqa: S608 - names above
                assert all(len(value) <= max(NAME_LIMIT, TEXT_LIMIT) for value in row if isinstance(value, str))
        (state,) = connection.execute("SELECT state FROM watermark WHERE source = 'events'").fetchone()
    assert len(state) < 50_000


def test_a_request_to_the_api_is_no_refused_mail(tmp_path: Path):
    """A missing permission on an HTTP listener has nothing to do with mail; one in an SMTP session has."""
    path = tmp_path / "history.sqlite3"
    rows = [
        event("security.unauthorized", spanId=1, listenerId="http", remoteIp="192.0.2.1", remotePort=5, details="x"),
        event("security.unauthorized", spanId=2, listenerId="smtp", remoteIp="192.0.2.2", remotePort=5, to="a@b.test"),
    ]

    async def play() -> None:
        reader = await EventReader.start(path, at=datetime.fromisoformat(AT))
        await reader.take(rows)
        await reader.store.aclose()

    asyncio.run(play())

    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT remote_ip, recipient, reason FROM trail_refusal").fetchall()
    assert found == [("192.0.2.2", "a@b.test", "permission")]
