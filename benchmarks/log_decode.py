"""
Pages of the server's log: decoded into lines, against msgspec decoding the same bytes into bare typed rows and no more.

What is beyond the peer is one line object each and its fingerprint, and for lines that tell of a delivery the reading
of their details. Pages are made like those of a real v0.15 server, a thousand lines each.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from benchmarks.rows import Row
from exporter.stalwart.rest.logs import parse_log_answer

LINES = 1000
ROUNDS = 15

PLAIN_LIMIT, ATTEMPT_LIMIT = 25.0, 50.0
"""How many times the peer's time a line may take, without and with details that are read."""

SPAN = (
    'queueId = {id}, queueName = "remote", from = "alice@example.test", to = ["u{n}@defer.test"], size = 261, total = 1'
)
ATTEMPT = (
    ("delivery.attempt-end", ", elapsed = 8ms"),
    (
        "queue.rescheduled",
        ", nextRetry = 2026-11-22T14:46:53Z, nextDsn = 2026-11-23T14:34:18Z, expires = 2026-11-25T14:34:18Z",
    ),
    (
        "delivery.rcpt-to-rejected",
        ', hostname = "mx.defer.test", to = "u{n}@defer.test", code = 451, details = "Try again later", elapsed = 0ms',
    ),
    (
        "delivery.start-tls-unavailable",
        ', domain = "defer.test", hostname = "mx.defer.test", code = (null), details = "STARTTLS was not advertised by '
        'host", elapsed = 0ms',
    ),
    (
        "delivery.connect",
        ', domain = "defer.test", hostname = "mx.defer.test", localIp = 192.0.2.1, remoteIp = 192.0.2.12, '
        "remotePort = 25, elapsed = 0ms",
    ),
    ("tls-rpt.record-not-found", ', domain = "defer.test", elapsed = 2ms'),
    ("delivery.domain-delivery-start", ', domain = "defer.test"'),
    ("delivery.attempt-start", ""),
)
SESSION = 'listenerId = "smtp", localPort = 25, remoteIp = 192.0.2.30, remotePort = {n}, from = "someone@partner.test"'


class BareLine(msgspec.Struct, gc=False):
    """A row as the peer has it."""

    timestamp: str
    level: str
    event_id: str
    details: str


class BareLines(msgspec.Struct):
    """The rows of a page."""

    items: list[BareLine]


class BarePage(msgspec.Struct):
    """A page."""

    data: BareLines


def run() -> list[Row]:
    """Times a line of each kind of page, the best of several rounds."""
    peer = msgspec.json.Decoder(BarePage)
    rows = []
    for name, body, limit in (
        ("log line without details that matter", page_of_sessions(), PLAIN_LIMIT),
        ("log line of delivery attempts", page_of_attempts(), ATTEMPT_LIMIT),
    ):
        ours, bare = best_in_turns([partial(parse_log_answer, body), partial(peer.decode, body)])
        rows.append(
            Row(
                name=name,
                ours=ours / LINES * 1e6,
                peer=bare / LINES * 1e6,
                unit="us",
                peer_name="bare msgspec decode",
                limit=limit,
            )
        )
    return rows


def page_of_attempts() -> bytes:
    """Eight lines an attempt, newest first, as it is after a busy minute."""
    lines = []
    for n in range(LINES // len(ATTEMPT)):
        span = SPAN.format(id=341999477321638556 + n, n=n)
        lines += [(event_id, span + own.format(n=n)) for event_id, own in ATTEMPT]
    return page(lines)


def page_of_sessions() -> bytes:
    """Inbound sessions, of which nothing but level and event is counted."""
    return page([("smtp.mail-from", SESSION.format(n=n)) for n in range(LINES)])


def page(lines: Sequence[tuple[str, str]]) -> bytes:
    """A page of the log."""
    items = [
        {
            "timestamp": f"2026-11-22T14:36:{59 - n // 20:02}Z",
            "level": "INFO",
            "event": "An event's title",
            "event_id": event_id,
            "details": details,
        }
        for n, (event_id, details) in enumerate(lines)
    ]
    return json.dumps({"data": {"items": items, "total": 2 * LINES}}).encode()


def best_in_turns(tasks: Sequence[Callable[[], object]]) -> list[float]:
    """The shortest time of each, measured in turns so that a busy machine is busy for all of them."""
    best = [float("inf")] * len(tasks)
    for _ in range(ROUNDS):
        for index, task in enumerate(tasks):
            started = time.perf_counter()
            task()
            best[index] = min(best[index], time.perf_counter() - started)
    return best


if __name__ == "__main__":
    from benchmarks.rows import show

    show(run())
