"""The server's counters, gauges and histograms from the live stream of metrics."""

from __future__ import annotations

from exporter.ingest.counting.sources import SourceChoice
from exporter.ingest.jobs.telemetry import LIVE, TotalsCounter
from exporter.ingest.loops.feed import Applied
from exporter.model.live import LiveBatch, StreamKind, UnreadableMessage
from exporter.model.telemetry import ServerTotals
from exporter.state.board import ServerBoard

INTERVAL_SECONDS = 5.0
"""The interval that is requested from the server."""

FRESH_SECONDS = 90.0


class LiveMetrics:
    """The `Feed` of the stream of metrics. Its messages are totals, so a gap loses nothing."""

    kind = StreamKind.METRICS
    heartbeat_seconds = INTERVAL_SECONDS

    def __init__(self, board: ServerBoard, counter: TotalsCounter, choice: SourceChoice) -> None:
        self._board = board
        self._counter = counter
        self._choice = choice

    async def connected(self) -> None:
        """Do nothing: the first message holds all totals."""

    async def lost(self) -> None:
        """Do nothing: the totals of the next stream fill the gap."""

    async def out(self, *, for_good: bool) -> None:
        """Record that the stream is unavailable, so that the next source may take over."""
        self._choice.out(LIVE)

    async def apply(self, batch: LiveBatch) -> Applied:
        """Count the increases in the totals of *batch*."""
        events, dropped = 0, batch.dropped
        for message in batch.messages:
            if isinstance(message, ServerTotals):
                events += 1
                await self._counter.apply(LIVE, message, fresh_seconds=FRESH_SECONDS)
            elif isinstance(message, UnreadableMessage):
                self._board.count_unknown({"live_metrics": 1})
                dropped += 1
        return Applied(events=events, dropped=dropped)
