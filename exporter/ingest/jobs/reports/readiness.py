"""The collector of readiness for a stricter DMARC policy; it makes no request to the server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from exporter.clock import Clock
from exporter.errors import HistoryUnavailable, StoreError
from exporter.ingest.counting.report_counter import REPORTS
from exporter.model.report_words import ReportKind
from exporter.stalwart.client import StalwartClient
from exporter.state.board import Part, ServerBoard
from exporter.state.report_gauges import PolicyReadiness
from exporter.store.reader import HistoryReader
from exporter.store.reading import History
from exporter.store.reports.dmarc.loading import load_readiness, reported_domains
from exporter.store.reports.dmarc.readiness import Readiness, Verdict

AGAIN_SECONDS = 3600.0
"""Without new reports, readiness changes with time only."""

SHARE = 50
"""Judging takes at most one in so many seconds."""


class ReadinessJob:
    """Judges the busiest domains of one server after new reports, but rarely if the history is large."""

    def __init__(
        self, board: ServerBoard, reader: HistoryReader, *, clock: Clock, fresh_seconds: float, max_domains: int
    ) -> None:
        self._board = board
        self._reader = reader
        self._clock = clock
        self._fresh_seconds = fresh_seconds
        self._max_domains = max_domains
        self._judged: PolicyReadiness | None = None
        self._reports = -1
        self._next = float("-inf")
        self._latest = float("-inf")

    async def __call__(self, client: StalwartClient) -> None:
        """Run once; makes no request. Raises `HistoryUnavailable`."""
        reports, now = self._board.tallies.value((REPORTS, (ReportKind.DMARC.value,))), self._clock.monotonic()
        if now >= self._latest or (reports != self._reports and now >= self._next):
            try:
                self._judged = _gauges(await self._judge())
            except StoreError as error:
                raise HistoryUnavailable(f"the history cannot be read now: {error}") from error
            took = self._clock.monotonic() - now
            self._reports, self._next, self._latest = (
                reports,
                now + SHARE * took,
                now + max(AGAIN_SECONDS, SHARE * took),
            )
        if self._judged is not None:
            self._board.publish(Part.READINESS, self._judged, fresh_seconds=self._fresh_seconds)

    async def _judge(self) -> Sequence[Readiness]:
        now = self._clock.now()
        domains = await self._reader.read(
            lambda connection: reported_domains(connection, now=now, server=self._board.name, most=self._max_domains)
        )
        found = [await self._reader.read(_work(self._board.name, domain, now)) for domain in domains]
        return [readiness for readiness in found if readiness is not None]


def _work(server: str, domain: str, now: datetime) -> Callable[[History], Readiness | None]:
    return lambda connection: load_readiness(connection, domain, now=now, server=server, most=0)


def _gauges(found: Sequence[Readiness]) -> PolicyReadiness:
    """Return the gauges: of domains whose data is not thin, and that have a stricter policy before them."""
    judged = [one for one in found if one.verdict in (Verdict.READY, Verdict.NOT_READY)]
    return PolicyReadiness(
        ready={(one.domain, one.next_policy): int(one.verdict is Verdict.READY) for one in judged},
        hurt={(one.domain, one.next_policy): one.hurt for one in judged},
    )
