"""The stories of real servers' mail, replayed through the collectors that read them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from exporter.ingest.counting.deliveries import DeliveryCounter, DeliveryOwners
from exporter.ingest.counting.ledger import Ledger
from exporter.ingest.counting.trail.recorder import TrailPolicy
from exporter.ingest.jobs.logs import LogJob
from exporter.model.delivery import LogLine
from exporter.model.log import LogPage
from exporter.stalwart.events.log_lines import parse_log_lines
from exporter.stalwart.http.server_clock import ServerClock
from exporter.stalwart.jmap.logs import Line
from exporter.stalwart.rest.logs import parse_log_answer
from exporter.state.board import ServerBoard
from exporter.state.tally import TallyBook
from exporter.store.store import Store
from exporter.store.trail.masking import Addresses, AddressMask, load_secret
from tests.support.paths import RECORDINGS
from tests.support.virtual_time import HandClock

FOLDERS = ("ops-0.15.5", "ops-0.16.18")

NOW = datetime(2026, 12, 1, tzinfo=UTC)


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
        store = await Store.open(path, now=at)
        board = ServerBoard("mx1", TallyBook(), monotonic=clock.monotonic)
        ledger = await Ledger.load(store, "mx1", board.tallies, board)
        owners = DeliveryOwners(ServerClock(clock), ledger.watermark("delivery_owners"))
        policy = TrailPolicy(AddressMask(addresses, await load_secret(store)))
        deliveries = DeliveryCounter(board, owners, ServerClock(clock), max_domains=25, trail=policy)
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
