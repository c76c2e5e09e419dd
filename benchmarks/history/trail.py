"""
The trail: log lines to rows on disk through the collector, the size of the file, and finding among many messages.

Half of the mail goes to a remote host and half to a local mailbox, with the lines that a v0.15 server logs of it. The
time is that of the process, SQLite's thread included; decoding the response is part of it.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.history.why import BUSY_DOMAIN, fill
from benchmarks.rows import Row
from exporter.clock import SystemClock
from exporter.ingest.counting.deliveries import OWNERS_MARK, DeliveryCounter, DeliveryOwners
from exporter.ingest.counting.ledger import Ledger
from exporter.ingest.counting.trail.recorder import TrailPolicy
from exporter.ingest.jobs.logs import LogJob
from exporter.model.delivery import LogPage
from exporter.stalwart.rest.logs import parse_log_answer
from exporter.state.board import ServerBoard
from exporter.state.tally import TallyBook
from exporter.store.reading import reading
from exporter.store.store import Store
from exporter.store.trail.filter import TrailFilter
from exporter.store.trail.masking import Addresses, AddressMask, load_secret
from exporter.store.trail.queries import list_messages, list_outcomes, list_refusals, load_trail

OUTCOMES_A_SECOND = 5000.0
LOOKUP_SECONDS = 0.1
BYTES_A_MESSAGE = 1024.0
MESSAGES_A_POLL, POLLS, ROUNDS = 1500, 8, 3
SEEN_LINES = 1600
"""Lines of the previous poll that a response begins with, since a server's log goes on."""

BEGIN = 1_796_000_000

_SESSION = 'listenerId = "submission", localPort = 587, remoteIp = 192.0.2.30, remotePort = {port}, '
_SPAN = 'queueId = {id}, queueName = "{queue}", from = "{sender}", to = ["{to}"], size = 1043, total = 1'
_IN = (
    ("smtp.ehlo", 'domain = "client.example.org"'),
    ("auth.success", 'accountName = "{account}", accountId = 2'),
    ("smtp.mail-from", 'from = "{sender}"'),
    ("smtp.rcpt-to", 'to = "{to}"'),
    ("queue.queue-message-authenticated", 'queueId = {id}, from = "{sender}", to = ["{to}"], size = 1043, {times}'),
)
_TIMES = "nextRetry = 2026-11-30T10:15:38Z, nextDsn = 2026-12-01T10:15:38Z, expires = 2026-12-03T10:15:38Z"
_REMOTE = (
    ("delivery.attempt-start", ""),
    ("delivery.domain-delivery-start", ', domain = "{domain}"'),
    ("tls-rpt.record-not-found", ', domain = "{domain}", elapsed = 1ms'),
    ("delivery.connect", ', domain = "{domain}", hostname = "mx.{domain}", remoteIp = 192.0.2.11, elapsed = 0ms'),
    ("delivery.start-tls", ', domain = "{domain}", hostname = "mx.{domain}", version = "TLSv1_3", elapsed = 9ms'),
    (
        "delivery.delivered",
        ', hostname = "mx.{domain}", to = "{to}", code = 250, details = "Ok: queued as 4C9F2{id}", elapsed = 43ms',
    ),
    ("delivery.dsn-success", ', to = "{to}", hostname = "mx.{domain}", code = 250, details = "OK"'),
    ("delivery.completed", ", elapsed = 1000ms"),
    ("delivery.attempt-end", ", elapsed = 66ms"),
)
_LOCAL = (
    ("delivery.attempt-start", ""),
    (
        "message-ingest.ham",
        ', accountId = 3, documentId = 5, mailboxId = [0], blobId = "3c79a6aa48ccc553", changeId = 5, '
        'messageId = "a267aec8-f496-4949-8fa8-{id}@example.org", size = 1076, elapsed = 1ms',
    ),
    ("delivery.dsn-success", ', to = "{to}", hostname = "localhost", code = 250, details = "OK"'),
    ("delivery.completed", ", elapsed = 0ms"),
    ("delivery.attempt-end", ", elapsed = 3ms"),
)


class Answers:
    """A server whose log grows by a page per poll."""

    def __init__(self) -> None:
        self.body = page([])

    async def fetch_newest_log_lines(self, *, limit: int) -> LogPage:
        return LogPage(lines=parse_log_answer(self.body).lines, ended=True)

    async def fetch_older_log_lines(self, page: LogPage, *, limit: int) -> LogPage:
        return LogPage(lines=(), ended=True)


def run() -> list[Row]:
    """Store, weigh and find; the number of messages to find among may be set with TRAIL_MESSAGES."""
    messages = int(os.environ.get("TRAIL_MESSAGES", "1000000"))
    seconds, size = in_turns()
    outcomes = MESSAGES_A_POLL * POLLS
    kept = seconds[True] - seconds[False]
    rows = [
        Row(
            name="log lines of a message to its outcome and its trail on disk",
            ours=seconds[True] / outcomes * 1e6,
            peer=seconds[False] / outcomes * 1e6,
            unit="us",
            peer_name="without the trail",
        ),
        Row(
            name=f"the trail's part of it ({outcomes / kept:,.0f} outcomes a second of a core)",
            ours=kept / outcomes * 1e6,
            peer=1e6 / OUTCOMES_A_SECOND,
            unit="us",
            peer_name="stated limit",
            limit=1.0,
        ),
        Row(
            name="file per delivered message",
            ours=size / outcomes,
            peer=BYTES_A_MESSAGE,
            unit="bytes",
            peer_name="stated limit",
            limit=1.0,
        ),
    ]
    return [*rows, *lookups(messages)]


def in_turns() -> tuple[dict[bool, float], int]:
    """Return the shortest time with and without the trail, measured in turns, and the size of the file with it."""
    best, size = {True: float("inf"), False: float("inf")}, 0
    for _ in range(ROUNDS):
        for is_kept in (True, False):
            with tempfile.TemporaryDirectory() as folder:
                seconds, written = asyncio.run(stored(Path(folder) / "history.sqlite3", is_kept=is_kept))
            best[is_kept] = min(best[is_kept], seconds)
            size = written if is_kept else size
    return best, size


async def stored(path: Path, *, is_kept: bool) -> tuple[float, int]:
    """Read the log of all messages; return the time of the process and the size of the file."""
    clock, answers = SystemClock(), Answers()
    store = await Store.open(path, now=clock.now())
    board = ServerBoard("mx1", TallyBook(), monotonic=clock.monotonic)
    ledger = await Ledger.load(store, "mx1", board.tallies, board)
    owners = DeliveryOwners(clock, ledger.watermark(OWNERS_MARK))
    policy = TrailPolicy(AddressMask(Addresses.FULL, await load_secret(store))) if is_kept else None
    deliveries = DeliveryCounter(board, owners, clock, max_domains=25, trail=policy)
    job, client = LogJob(board, ledger, owners, deliveries, own=None), answers_as_client(answers)
    await job(client)
    told = [lines(number) for number in range(POLLS)]
    bodies = [page([*told[at - 1][-SEEN_LINES:], *told[at]] if at else told[at]) for at in range(POLLS)]
    spent = 0.0
    for body in bodies:
        answers.body = body
        began = time.process_time()
        await job(client)
        spent += time.process_time() - began
    await store.aclose()
    counted = sum(board.tallies.family("deliveries").values())
    if counted != MESSAGES_A_POLL * POLLS:
        raise RuntimeError(f"{counted} outcomes counted")
    return spent, path.stat().st_size


def answers_as_client(answers: Answers) -> Any:
    """Return the part of a client that the collector uses."""
    return answers


def lines(poll: int) -> list[tuple[int, str, str]]:
    """Return second, event and details of each line of a poll, oldest first."""
    found = []
    for number in range(poll * MESSAGES_A_POLL, (poll + 1) * MESSAGES_A_POLL):
        is_local = number % 2 == 1
        domain = "example.org" if is_local else f"d{number % 977}.example"
        words = {
            "port": str(20_000 + number % 40_000),
            "account": f"account{number % 300}",
            "sender": f"account{number % 300}@example.org",
            "to": f"recipient{number % 20_011}@{domain}",
            "domain": domain,
            "queue": "local" if is_local else "remote",
            "id": str((number + 1) << 21 | 1),
            "times": _TIMES,
        }
        second = BEGIN + number // 30
        found += [(second, event, (_SESSION + details).format(**words)) for event, details in _IN]
        attempt = _LOCAL if is_local else _REMOTE
        found += [(second, event, (_SPAN + details).format(**words)) for event, details in attempt]
    return found


def page(told: list[tuple[int, str, str]]) -> bytes:
    """Return a response with these lines, newest first."""
    items = [
        {
            "timestamp": f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%SZ}",
            "level": "INFO",
            "event": "An event's title",
            "event_id": event,
            "details": details,
        }
        for second, event, details in reversed(told)
    ]
    return json.dumps({"data": {"items": items, "total": len(items)}}).encode()


def lookups(messages: int) -> list[Row]:
    """Measure the queries of the command line, each once on a file that was just opened."""
    middle = (messages // 2 + 1) << 21 | 1
    now = datetime.now(UTC)
    asked: dict[str, Callable[[Any], object]] = {
        "by id": lambda history: load_trail(history, "mx1", middle, now=now),
        "by address": lambda history: list_messages(
            history, TrailFilter(address=f"user{messages // 2}@{BUSY_DOMAIN}"), most=50
        ),
        "by domain": lambda history: list_messages(history, TrailFilter(domain=BUSY_DOMAIN), most=50),
        "refusals by domain": lambda history: list_refusals(history, TrailFilter(domain=BUSY_DOMAIN), most=50),
        "replies of a destination": lambda history: list_outcomes(history, BUSY_DOMAIN, most=50),
    }
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.sqlite3"
        fill(path, messages)
        for name, ask in asked.items():
            with reading(path) as history:
                began = time.perf_counter()
                ask(history)
                took = time.perf_counter() - began
            rows.append(
                Row(
                    name=f"found {name} among {messages:,} messages",
                    ours=took * 1e3,
                    peer=LOOKUP_SECONDS * 1e3,
                    unit="ms",
                    peer_name="stated limit",
                    limit=1.0,
                )
            )
    return rows


if __name__ == "__main__":
    from benchmarks.rows import show

    show(run())
