"""How much processor time ``why`` takes in a trail of a million messages, for each kind of question."""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.rows import Row
from exporter.answers.asked import parse_asked
from exporter.answers.nothing import Coverage
from exporter.history.why import NoQueues, answer_to
from exporter.model.trail import MessageKind, RefusalReason
from exporter.store.reading import reading, writing
from exporter.store.store import Store
from exporter.store.trail.filter import TrailFilter
from exporter.store.trail.rows import MessageRow, OutcomeRow, RefusalRow, StepRow, TrailRows

LIMIT_MILLISECONDS = 100.0
BATCH = 20_000
BEGIN = 1_796_000_000
BUSY_DOMAIN, BUSY_SENDER = "big.example", "news@own.example"
REPEATS = 5
DEFERRED_EVERY, REFUSED_EVERY = 20, 10


def run() -> list[Row]:
    """Fill a history and measure; the number of messages may be set with WHY_MESSAGES."""
    messages = int(os.environ.get("WHY_MESSAGES", "1000000"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.sqlite3"
        fill(path, messages)
        rows = [_row(path, kind, what, messages) for kind, what in questions(messages)]
        return [*rows, _start(path, messages)]


def questions(messages: int) -> Iterator[tuple[str, str]]:
    """What is asked: names with few and with very many matches, and names that are not there."""
    middle = _id(messages // 2)
    yield "queue id, decimal", str(middle)
    yield "queue id, hexadecimal", f"{middle:x}"
    yield "queue id, unknown", str(middle + 1)
    yield "message id", f"<m{messages // 2}@own.example>"
    yield "address, few matches", f"user{messages // 2}@{BUSY_DOMAIN}"
    yield "address, many matches", BUSY_SENDER
    yield "address, unknown", f"nobody@{BUSY_DOMAIN}"
    yield "domain, many matches", BUSY_DOMAIN
    yield "domain, unknown", "bug.example"


def fill(path: Path, messages: int) -> None:
    """Write a trail of so many messages over two weeks, most of them to one large destination."""

    async def create() -> None:
        await (await Store.open(path, now=datetime.now(UTC))).aclose()

    asyncio.run(create())
    with writing(path) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        for start in range(0, messages, BATCH):
            rows = TrailRows()
            for number in range(start, min(start + BATCH, messages)):
                _add(rows, number, messages)
            connection.execute("BEGIN")
            rows.write(connection, "mx1")
            connection.execute("COMMIT")


def _id(number: int) -> int:
    return (number + 1) << 21 | 1


def _add(rows: TrailRows, number: int, messages: int) -> None:
    at = BEGIN + number * 14 * 86_400 // messages
    id_, domain = _id(number), BUSY_DOMAIN if number % 3 else f"d{number % 5000}.example"
    recipient = f"user{number}@{domain if number != messages // 2 else BUSY_DOMAIN}"
    rows.messages[id_] = MessageRow(
        queue_id=id_,
        at=at,
        accepted_at=at,
        kind=MessageKind.SUBMITTED,
        listener="submissions",
        remote_ip="192.0.2.1",
        account="news",
        sender=BUSY_SENDER if number % 2 else f"sender{number % 20_000}@own.example",
        size=2048,
        recipients=1,
        expires_at=at + 3 * 86_400,
        message_id=f"m{number}@own.example",
    )
    rows.recipients[id_, recipient] = ("remote", at)
    text = "queued as 4XyZ0a1b2c3d"
    rows.steps.append(
        StepRow(id_, at, "delivery.start-tls", "remote", "", "mx.big.example", domain, "", "TLSv1.3", None, 1)
    )
    rows.steps.append(
        StepRow(id_, at, "delivery.delivered", "remote", recipient, "mx.big.example", "", "250", text, None, 2)
    )
    if number % DEFERRED_EVERY == 0:
        deferral = ("temporary_failure", "unexpected_response", "451", domain, "remote", "", "", "")
        rows.outcomes.append(OutcomeRow(id_, at, *deferral, "log", 3))
    outcome = ("delivered", "", "250", domain, "remote", recipient, "mx.big.example", "OK")
    rows.outcomes.append(OutcomeRow(id_, at + 1, *outcome, "log", 4))
    if number % REFUSED_EVERY == 0:
        rows.refusals.append(
            RefusalRow(
                at=at,
                event="smtp.mailbox-does-not-exist",
                remote_ip="198.51.100.7",
                remote_port=number % 60_000,
                recipient=f"user{number % 100}@own.example",
                reason=RefusalReason.UNKNOWN_RECIPIENT,
                listener="smtp",
                account="",
                sender=f"spam{number}@{BUSY_DOMAIN}",
                size=0,
                code="",
                text="",
                inferred=False,
            )
        )


def _row(path: Path, kind: str, what: str, messages: int) -> Row:
    """Measure the slowest of a few answers, each with a connection of its own; other programs do not count."""
    now = datetime.fromtimestamp(BEGIN + 14 * 86_400, UTC)
    slowest = 0.0
    for _ in range(REPEATS):
        started = time.process_time()
        with reading(path) as connection:
            answer_to(
                parse_asked(what),
                TrailFilter(),
                connection=connection,
                queues=NoQueues(),
                coverage=Coverage(),
                now=now,
            )
        slowest = max(slowest, 1000 * (time.process_time() - started))
    return Row(
        name=f"why, {kind}, {messages:,} messages".replace(",", " "),
        ours=slowest,
        peer=LIMIT_MILLISECONDS,
        unit="ms",
        peer_name="limit",
        limit=1.0,
    )


def _start(path: Path, messages: int) -> Row:
    """Measure the processor time of the whole command, with the start of the interpreter; for information."""
    command = [sys.executable, "-m", "exporter", "why", str(_id(messages // 2)), "--offline", "--store", str(path)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, capture_output=True, check=False, timeout=300)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Row(
        name="why, the whole command with its start",
        ours=1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime),
        peer=LIMIT_MILLISECONDS,
        unit="ms",
        peer_name="limit",
    )
