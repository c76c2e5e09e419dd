"""Watches the sources in DMARC reports: what is usual is learned first, then each new network counts once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from exporter.ingest.counting.ledger import Ledger
from exporter.store.reports.dmarc.networks import SourceUpdate
from exporter.store.reports.store import Judged, ReportHistory

SOURCES_MARK = "dmarc_sources"
"""The watermark."""


class SourceWatch:
    """
    The watch over one server's sources; its state is saved in the transactions of the reports.

    *has_read_all* says whether all reports of the server have been read once.
    """

    def __init__(self, history: ReportHistory, ledger: Ledger, *, has_read_all: bool) -> None:
        self._history = history
        self._ledger = ledger
        state = ledger.restore(SOURCES_MARK, _state)
        self._ready = has_read_all if state is None else state[0]
        self._learned: int | None = 0 if state is None else state[1]

    async def learn(self) -> None:
        """Learn the sources of the reports that an older release stored, once. Raises `StoreError`."""
        while self._learned is not None:
            update, after = await self._history.older_sources(self._learned)
            if update or after is not None:
                mark = {SOURCES_MARK: _saved(self._ready, after)}
                await self._ledger.record({}, mark, rows=self._history.source_writer(update))
            self._learned = after
            await asyncio.sleep(0)

    async def look(self, judged: Judged) -> SourceUpdate:
        """Return what reports that are to be stored add. Raises `StoreError`."""
        return await self._history.new_sources(judged, learning=not self._ready)

    def mark(self, *, has_read_all: bool) -> Mapping[str, Any]:
        """Return the watermark to save if all reports of the server have now been read for the first time."""
        return {SOURCES_MARK: _saved(True, self._learned)} if has_read_all and not self._ready else {}

    def saved(self, mark: Mapping[str, Any]) -> None:
        """Count new networks from now on, if *mark* says so; it has been saved."""
        self._ready = self._ready or bool(mark)


def _saved(ready: bool, learned: int | None) -> Mapping[str, Any]:
    return {"ready": ready, "learned": learned}


def _state(saved: Any) -> tuple[bool, int | None]:
    """Return a saved state; raises ``LookupError``, ``TypeError`` or ``ValueError`` if it is damaged."""
    learned = saved["learned"]
    return bool(saved["ready"]), None if learned is None else int(learned)
