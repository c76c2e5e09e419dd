"""
The server's log, counted line by line.

Lines have a time to the second and no id, so the newest lines are read in one answer, as many as it takes to reach
what is counted already, and compared as multisets near the watermark.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import structlog

from exporter.ingest.deliveries import LOG, OWNERS_MARK, DeliveryCounter, DeliveryOwners
from exporter.ingest.ledger import Ledger
from exporter.ingest.recent import RecentMultiset
from exporter.model.delivery import LogLine
from exporter.stalwart.client import StalwartClient
from exporter.stalwart.delivery import AttemptFolder
from exporter.state.board import Part, ServerBoard
from exporter.state.tally import Increments, add

log = structlog.get_logger("exporter.logs")

LOG_MARK = "log"
WINDOW_SECONDS = 2
"""The server's threads may write their lines slightly out of order."""

FIRST_LINES = 100
MOST_LINES = 20_000
GROWTH = 4

EVENT_ID = re.compile(r"[a-z][a-z0-9-]{0,31}\.[a-z0-9-]{1,48}")
MOST_EVENT_IDS = 700
"""The server has some 640 event types; beyond that somebody is inventing them."""


class OwnLines:
    """
    Which lines our own requests wrote: those of our account on an HTTP listener.

    The account is known from the credentials, or from what the server calls us (v0.16 on); its log may name us by the
    part before the ``@``.
    """

    def __init__(self, board: ServerBoard, account: str, port: int) -> None:
        self._board = board
        self._account = account
        self._port = port

    def wrote(self, line: LogLine) -> bool:
        """Whether *line* tells of us."""
        if not line.account or not (line.listener.startswith("http") or line.local_port == self._port):
            return False
        told = self._board.identity.account if self._board.identity is not None else ""
        names = {name for full in (self._account, told) for name in (full, full.partition("@")[0])}
        return line.account.lower() in {name.lower() for name in names}


class LogJob:
    """Reads the newest log lines, counts them, and on servers without traces the deliveries they tell of."""

    def __init__(
        self,
        board: ServerBoard,
        ledger: Ledger,
        owners: DeliveryOwners,
        deliveries: DeliveryCounter,
        *,
        own: OwnLines | None,
    ) -> None:
        self._board = board
        self._ledger = ledger
        self._owners = owners
        self._deliveries = deliveries
        self._own = own
        self._likely_lines = FIRST_LINES

    async def __call__(self, client: StalwartClient) -> None:
        """One poll."""
        state = self._ledger.watermark(LOG_MARK)
        if state is None:
            await self._first_contact(client)
            return
        recent = RecentMultiset.from_state(WINDOW_SECONDS, state["recent"])
        folder = AttemptFolder.from_state(state["attempts"])
        lines = await self._read_back_to(client, recent.horizon)
        items = [_item(line) for line in lines]
        if items and recent.horizon is not None and items[-1][0] >= recent.horizon and not recent.has_any(items):
            self._gap(len(lines))
        new = [lines[index] for index in recent.take_new(items)]
        new.reverse()
        self._likely_lines = min(MOST_LINES, max(FIRST_LINES, 2 * len(new)))
        if self._owners.vacant:
            self._owners.take_over(LOG)
        increments = self._count(new, folder)
        marks = {
            LOG_MARK: {"recent": recent.to_state(), "attempts": folder.to_state()},
            OWNERS_MARK: self._owners.to_state(),
        }
        await self._ledger.record(increments, marks)

    async def _first_contact(self, client: StalwartClient) -> None:
        """What is in the log already is history; only its end is remembered."""
        lines = await client.fetch_newest_log_lines(limit=FIRST_LINES)
        recent = RecentMultiset(WINDOW_SECONDS)
        recent.take_new([_item(line) for line in lines])
        folder = AttemptFolder()
        for line in reversed(lines):
            if line.delivery is not None:
                folder.feed(line.delivery)
        await self._ledger.record({}, {LOG_MARK: {"recent": recent.to_state(), "attempts": folder.to_state()}})

    async def _read_back_to(self, client: StalwartClient, horizon: int | None) -> Sequence[LogLine]:
        """
        Everything from *horizon* on, newest first, in one answer; longer answers are asked for until it fits.

        A short answer need not be the whole log: lines that the server cannot parse are left out of it. Two in a row
        are taken for it.
        """
        limit = self._likely_lines
        was_short = horizon is None
        while True:
            lines = await client.fetch_newest_log_lines(limit=limit)
            short = len(lines) < limit
            reached = horizon is not None and bool(lines) and lines[-1].at.timestamp() < horizon
            if reached or (short and was_short) or (limit >= MOST_LINES and not short):
                return lines
            was_short = short
            limit = min(MOST_LINES, limit * GROWTH)

    def _gap(self, lines: int) -> None:
        """None of the lines is one that was counted last: what stood between them was not read, or is gone."""
        log.warning("log.gap", server=self._board.name, lines_read=lines)
        self._board.log_gaps += 1
        self._board.touch(Part.HEALTH)

    def _count(self, lines: Sequence[LogLine], folder: AttemptFolder) -> Increments:
        increments: Increments = {}
        for line in lines:
            if line.version:
                self._board.learn_version(line.version)
            if self._own is None or not self._own.wrote(line):
                add(increments, "log_entries", (line.level, self._event(line.event_id, increments)), 1)
            if line.delivery is not None:
                self._deliveries.count(LOG, folder.feed(line.delivery), increments)
        return increments

    def _event(self, event_id: str, increments: Increments) -> str:
        """The label for an event id: any of the server's own, which newer releases add to."""
        known = self._board.tallies.family("log_entries")
        if EVENT_ID.fullmatch(event_id) and (len(known) < MOST_EVENT_IDS or any(e == event_id for _, e in known)):
            return event_id
        self._board.count_unknown({"log_event": 1})
        return "unknown"


def _item(line: LogLine) -> tuple[int, int]:
    return int(line.at.timestamp()), line.fingerprint
