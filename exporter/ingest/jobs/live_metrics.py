"""The server's counters, gauges and histograms as they move, from the live stream of metrics."""

from __future__ import annotations

from collections.abc import Sequence

from exporter.errors import PayloadError
from exporter.ingest.counting.sources import SourceChoice
from exporter.ingest.jobs.telemetry import LIVE, TotalsCounter
from exporter.ingest.loops.feed import Applied
from exporter.model.live import Heartbeat, StreamKind
from exporter.stalwart.live import LiveClient
from exporter.state.board import ServerBoard

INTERVAL_SECONDS = 5.0
"""How often the server is asked to send them."""

FRESH_SECONDS = 90.0


class LiveMetrics:
    """The `Feed` of the stream of metrics. Its messages are totals, so a gap in it loses nothing."""

    kind = StreamKind.METRICS
    heartbeat_seconds = INTERVAL_SECONDS

    def __init__(self, board: ServerBoard, counter: TotalsCounter, choice: SourceChoice) -> None:
        self._board = board
        self._counter = counter
        self._choice = choice

    async def connected(self) -> None:
        """The stream is open."""

    async def lost(self) -> None:
        """The stream has ended."""

    async def out(self, *, for_good: bool) -> None:
        """The stream cannot be had: the next source may take over."""
        self._choice.out(LIVE)

    async def apply(self, client: LiveClient, messages: Sequence[bytes], dropped: int) -> Applied:
        """Counts what is new in *messages*."""
        events = 0
        for message in messages:
            try:
                totals = client.read_metrics(message)
            except PayloadError:
                self._board.count_unknown({"live_metrics": 1})
                dropped += 1
                continue
            if isinstance(totals, Heartbeat):
                continue
            events += 1
            await self._counter.apply(LIVE, totals, fresh_seconds=FRESH_SECONDS)
        return Applied(events=events, dropped=dropped)
