"""The stories of real servers' mail, replayed through the collectors that read them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from exporter.ingest.counting.deliveries import LIVE, OWNERS_MARK, DeliveryCounter, DeliveryOwners
from exporter.ingest.counting.ledger import Ledger
from exporter.ingest.counting.trail.recorder import TrailPolicy
from exporter.ingest.jobs.logs import LogJob
from exporter.model.delivery import LogLine, LogPage
from exporter.model.trail import MessageTrail, TrailOutcome, TrailStep
from exporter.stalwart.events.log_lines import parse_log_lines
from exporter.stalwart.events.trace_events import delivery_event
from exporter.stalwart.events.tracker import AttemptTracker, Decision
from exporter.stalwart.events.trail.values import TrailDecoder
from exporter.stalwart.http.server_clock import ServerClock
from exporter.stalwart.jmap.logs import Line
from exporter.stalwart.rest.logs import parse_log_answer
from exporter.state.board import ServerBoard
from exporter.state.tally import Increments, TallyBook
from exporter.store.reading import reading
from exporter.store.store import Store
from exporter.store.trail.filter import TrailFilter
from exporter.store.trail.masking import Addresses, AddressMask, load_secret
from exporter.store.trail.queries import list_messages, list_refusals, load_trail
from tests.support.paths import RECORDINGS
from tests.support.virtual_time import HandClock

FOLDERS = ("ops-0.15.5", "ops-0.16.18")

NOW = datetime(2026, 12, 1, tzinfo=UTC)
MOST = 500


def told(path: Path, now: datetime) -> list[str]:
    """All that the history at *path* says of messages and refused sessions, one line each, oldest first."""
    lines = []
    with reading(path) as connection:
        for message in list_messages(connection, TrailFilter(), most=MOST):
            trail = load_trail(connection, message.server, message.queue_id, now=now)
            assert trail is not None
            lines.append((message.seen_at, message.queue_id, _message_line(trail)))
        for refusal in list_refusals(connection, TrailFilter(), most=MOST):
            client = f"{refusal.account or '-'}@{refusal.remote_ip or '-'}"
            guess = " (inferred)" if refusal.is_inferred else ""
            parties = f"{refusal.sender or '-'} to {refusal.recipient or '-'}"
            lines.append((refusal.at, 0, f"refused {refusal.reason}{guess}: {client} {parties}"))
    return [line for _, _, line in sorted(lines)]


def _message_line(trail: MessageTrail) -> str:
    message = trail.message
    origin = f"cause {message.cause}" if message.cause else f"{message.account or '-'}@{message.remote_ip or '-'}"
    ends = ", ".join(
        " ".join(filter(None, (one.address, one.state, one.mailbox, one.code))) for one in trail.recipients
    )
    steps = " > ".join(_step(one) for one in trail.timeline)
    return f"{message.kind or 'seen'} {message.queue_id} {origin} {message.sender}: {ends} [{steps}]"


def _step(one: TrailStep | TrailOutcome) -> str:
    if isinstance(one, TrailOutcome):
        return " ".join(filter(None, (one.outcome.upper(), one.recipient, one.hostname, one.code)))
    return " ".join(filter(None, (one.event_id.partition(".")[2], one.recipient, one.hostname, one.code)))


def stories(folder: str) -> dict[str, Any]:
    """The recorded cases of one server, by name."""
    recorded: dict[str, Any] = json.loads((RECORDINGS / folder / "trail.json").read_text())
    return recorded


def log_lines(rows: Sequence[dict[str, Any]]) -> list[LogLine]:
    """The lines of a story, oldest first, from the response of its generation."""
    if "event_id" in rows[0]:
        body = json.dumps({"data": {"items": rows[::-1], "total": len(rows)}}).encode()
        return list(parse_log_answer(body).lines)[::-1]
    raw = [Line("x", row["timestamp"], row["details"], row["event"], row["level"]) for row in rows[::-1]]
    return parse_log_lines(raw, "x:Log/get.list")[::-1]


class LogFile:
    """A log that grows, behind the client's interface."""

    def __init__(self) -> None:
        self.lines: list[LogLine] = []

    async def fetch_newest_log_lines(self, *, limit: int) -> LogPage:
        return LogPage(lines=self.lines[::-1][:limit], ended=limit >= len(self.lines))

    async def fetch_older_log_lines(self, page: LogPage, *, limit: int) -> LogPage:
        return LogPage(lines=(), ended=True)


class LogReader:
    """The collector of a log and what it has kept, over one history file."""

    def __init__(self, store: Store, job: LogJob, board: ServerBoard, clock: HandClock) -> None:
        self.store = store
        self.board = board
        self.clock = clock
        self.file = LogFile()
        self._job = job

    @classmethod
    async def start(
        cls, path: Path, *, addresses: Addresses = Addresses.FULL, file: LogFile | None = None, at: datetime = NOW
    ) -> LogReader:
        clock = HandClock(at)
        store, board, ledger, owners, deliveries = await _counting(path, clock, addresses)
        reader = cls(
            store, LogJob(board, ledger, owners, deliveries, own=None, monotonic=clock.monotonic), board, clock
        )
        reader.file = file or reader.file
        return reader

    async def poll(self, at: datetime | None = None) -> None:
        """Poll once, at that time of the server's clock."""
        if at is not None:
            self.clock.seconds += max(0.0, (at - self.clock.now()).total_seconds())
        client: Any = self.file
        await self._job(client)


class EventReader:
    """A source that delivers events one by one, as a webhook does, and what is kept of them."""

    def __init__(self, store: Store, board: ServerBoard, ledger: Ledger, deliveries: DeliveryCounter, clock: HandClock):
        self.store = store
        self.board = board
        self.clock = clock
        self._ledger = ledger
        self._deliveries = deliveries
        self._recorder = deliveries.recorder(LIVE)
        self._decoder = TrailDecoder()
        self._tracker = AttemptTracker(clock.monotonic)

    @classmethod
    async def start(cls, path: Path, *, at: datetime, addresses: Addresses = Addresses.FULL) -> EventReader:
        clock = HandClock(at)
        store, board, ledger, owners, deliveries = await _counting(path, clock, addresses)
        owners.take_over(LIVE)
        return cls(store, board, ledger, deliveries, clock)

    async def take(self, rows: Sequence[dict[str, Any]]) -> None:
        """Count and keep events in order of arrival."""
        increments: Increments = {}
        for row in rows:
            at = datetime.fromisoformat(row["createdAt"])
            self._move_to(at)
            told = self._decoder.read(at, row["type"], row["data"])
            if told is not None:
                self._recorder.feed(told)
            event = delivery_event(at, row["type"], row["data"], row["data"])
            if event is not None:
                self._count(self._tracker.feed(event), increments)
        await self._save(increments)

    async def end(self, at: datetime) -> None:
        """Let time pass until *at*."""
        self._move_to(at)
        increments: Increments = {}
        self._count(self._tracker.finish(), increments)
        self._deliveries.end_sessions(self._recorder)
        await self._save(increments)

    def _count(self, decisions: Sequence[Decision], increments: Increments) -> None:
        self._deliveries.count(LIVE, [one.outcome for one in decisions], increments, self._recorder)

    async def _save(self, increments: Increments) -> None:
        await self._ledger.record(increments, {"events": self._recorder.to_state()}, trail=self._recorder.take())

    def _move_to(self, at: datetime) -> None:
        self.clock.seconds += max(0.0, (at - self.clock.now()).total_seconds())


async def _counting(
    path: Path, clock: HandClock, addresses: Addresses
) -> tuple[Store, ServerBoard, Ledger, DeliveryOwners, DeliveryCounter]:
    store = await Store.open(path, now=clock.now())
    board = ServerBoard("mx1", TallyBook(), monotonic=clock.monotonic)
    ledger = await Ledger.load(store, "mx1", board.tallies, board)
    server_clock = ServerClock(clock)
    owners = DeliveryOwners(server_clock, ledger.watermark(OWNERS_MARK))
    policy = TrailPolicy(AddressMask(addresses, await load_secret(store)))
    deliveries = DeliveryCounter(board, owners, server_clock, max_domains=25, trail=policy)
    return store, board, ledger, owners, deliveries
