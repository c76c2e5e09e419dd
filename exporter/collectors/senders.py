"""The families of senders; no name of any leaves the history."""

from __future__ import annotations

from collections.abc import Iterator

from exporter.collectors import mail_families as m
from exporter.collectors.exposition import Collected
from exporter.ingest.counting.trail.senders import SUBMISSIONS
from exporter.state.board import Part, ServerBoard


class SenderSource:
    """
    How many accounts send, and how many of them in an unusual way::

        stalwart_unusual_senders{server="mx1",reason="destinations"} 1
        stalwart_submissions_total{server="mx1",domain="example.org"} 8120
    """

    def __init__(self, board: ServerBoard) -> None:
        self._board = board

    def version(self) -> object:
        return self._board.tallies.version, self._board.version(Part.SENDERS)

    def collect(self) -> Iterator[Collected]:
        yield m.SUBMISSIONS, self._board.tallies.family(SUBMISSIONS)
        senders = self._board.senders
        if senders is None:
            return
        yield m.SUBMITTING_ACCOUNTS, {(): senders.submitting}
        yield m.UNUSUAL_SENDERS, {(reason.value,): count for reason, count in sorted(senders.unusual.items())}
