"""
A webhook post of 18 000 events, as a server posts it after the receiver was away for half a minute: stored, then
counted into tallies and trail. It must be answered within a second, or the server holds back what happens meanwhile,
and it must not hold up scrapes while it is counted. Times of the latter two are those of the processor.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.rows import Row
from tests.support.rigs.webhooks import Webhook, webhook_on
from tests.support.virtual_time import HandClock

EVENTS = 18_000
ANSWER_SECONDS = 1.0
BLOCK_SECONDS = 0.05
EVENTS_A_SECOND = 5000

BEGIN = datetime(2026, 11, 30, 10, tzinfo=UTC)
PER_MESSAGE = 9


def run() -> Iterable[Row]:
    """Yield the rows."""
    with tempfile.TemporaryDirectory() as directory:
        answered, counted, blocked = asyncio.run(_measure(Path(directory)))
    name = f"webhook post of {EVENTS} events"
    yield Row(name=f"{name}: stored", ours=answered, peer=ANSWER_SECONDS, unit="s", peer_name="the throttle", limit=1.0)
    yield Row(
        name=f"{name}: counted and kept",
        ours=counted,
        peer=EVENTS / EVENTS_A_SECOND,
        unit="s",
        peer_name=f"{EVENTS_A_SECOND} events a second of one core",
        limit=1.0,
    )
    yield Row(
        name=f"{name}: longest block of the loop",
        ours=blocked,
        peer=BLOCK_SECONDS,
        unit="s",
        peer_name="what a scrape may wait",
        limit=1.0,
    )


async def _measure(directory: Path) -> tuple[float, float, float]:
    body = _body(EVENTS)
    async with webhook_on(directory / "history.sqlite3", HandClock(BEGIN)) as hook:
        began = time.perf_counter()
        await hook.post(body)
        answered = time.perf_counter() - began
        blocks: list[float] = []
        watch = asyncio.create_task(_watch(blocks))
        began = time.process_time()
        await hook.job.run_once()
        counted = time.process_time() - began
        watch.cancel()
        _check(hook)
        return answered, counted, max(blocks)


async def _watch(blocks: list[float]) -> None:
    """Note how much of the processor the loop's thread has used between two looks: other programs do not count."""
    while True:
        began = time.thread_time()
        await asyncio.sleep(0)
        blocks.append(time.thread_time() - began)


def _check(hook: Webhook) -> None:
    counted = sum(hook.deliveries().values())
    if counted != EVENTS // PER_MESSAGE:
        raise RuntimeError(f"{counted} outcomes were counted instead of {EVENTS // PER_MESSAGE}")


def _body(events: int) -> bytes:
    """The body of a post about messages that were submitted and delivered at once, `PER_MESSAGE` events each."""
    posted = [event for number in range(events // PER_MESSAGE) for event in _message(number)]
    return json.dumps({"events": posted}, separators=(",", ":")).encode()


def _message(number: int) -> Iterable[dict[str, Any]]:
    at = (BEGIN + timedelta(seconds=number // 60)).strftime("%Y-%m-%dT%H:%M:%SZ")
    first, queue_id = 343_409_659_838_728_124 + number * 1024, 343_409_659_838_729_000 + number * 1024
    session = {"spanId": first, "listenerId": "submissions", "localPort": 465, "remoteIp": "192.0.2.7"}
    session["remotePort"] = 1024 + number % 60_000
    sender, to = "alice@example.test", f"user{number}@partner.test"
    attempt: dict[str, Any] = {"spanId": first + 512, "queueId": queue_id, "queueName": "remote", "from": sender}
    attempt |= {"to": [to], "size": 2345, "total": 1}
    reply = {"hostname": "mx.partner.test", "code": 250, "details": "2.0.0 Ok: queued as 4ZxYk1", "elapsed": 12}
    queued = {"queueId": queue_id, "from": sender, "to": [to], "size": 2345, "nextRetry": at, "expires": at}
    rows: Iterable[tuple[str, dict[str, Any]]] = (
        ("auth.success", {"accountName": sender, "accountId": 5, **session}),
        ("smtp.mail-from", {**session, "from": sender}),
        ("smtp.rcpt-to", {**session, "to": to}),
        ("queue.authenticated-message-queued", {**session, **queued}),
        ("smtp.connection-end", {**session, "elapsed": 40}),
        ("delivery.attempt-start", attempt),
        ("delivery.delivered", {**attempt, **reply, "to": to}),
        ("delivery.dsn-success", {**attempt, **reply, "to": to}),
        ("delivery.attempt-end", {**attempt, "elapsed": 50}),
    )
    return [{"id": f"1796{number}", "createdAt": at, "type": type_, "data": data} for type_, data in rows]
