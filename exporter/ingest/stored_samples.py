"""Which of the server's stored samples are new, by the server's clock, which may be set while we watch."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

import structlog

from exporter.ingest.ledger import Ledger
from exporter.ingest.recent import NEAR_SECONDS, Item, RecentMultiset
from exporter.model.telemetry import StoredSample
from exporter.stalwart.client import StalwartClient
from exporter.stalwart.server_clock import STEP_SECONDS, ServerClock

log = structlog.get_logger("exporter.telemetry")

STORED_MARK = "stored"
STORED_WINDOW_SECONDS = 600
"""Cluster nodes write their samples at slightly different times."""

FIRST_LOOK_SECONDS = 4 * 86_400
"""How far back the newest sample is looked for at first contact, where there is none nearby."""

LOOKS = 3


class StoredReading:
    """Reads the samples near the watermark, which is the newest sample that the server has shown."""

    def __init__(self, ledger: Ledger, *, clock: ServerClock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._read_at: float | None = None

    async def read(
        self, client: StalwartClient
    ) -> tuple[RecentMultiset, Sequence[StoredSample], Sequence[StoredSample]]:
        """The watermark moved on, the samples near it, and the new ones among them."""
        state = self._ledger.watermark(STORED_MARK)
        if state is None:
            return await self._first_look(client)
        recent = RecentMultiset.from_state(STORED_WINDOW_SECONDS, state)
        for _ in range(LOOKS):
            after = self._after(recent)
            samples = await client.fetch_stored_metrics(after=datetime.fromtimestamp(after, UTC))
            if self._after(recent) >= after - STEP_SECONDS:
                break
        since, latest = self._set_back_since(recent), self._latest()
        if since is None:
            indexes = recent.take_new(_items(samples), latest=latest)
        else:
            indexes = recent.take_set_back(_items(samples), since=since, latest=latest or 0)
            if recent.ambiguous:
                log.warning("samples.ambiguous", samples=recent.ambiguous)
        self._read_at = self._clock.monotonic()
        return recent, samples, [samples[index] for index in indexes]

    async def _first_look(
        self, client: StalwartClient
    ) -> tuple[RecentMultiset, Sequence[StoredSample], Sequence[StoredSample]]:
        """What is there at first contact is history; the newest shows where reading begins, whatever the clocks say."""
        now = int(self._clock.now().timestamp())
        for back in (NEAR_SECONDS, FIRST_LOOK_SECONDS):
            samples = await client.fetch_stored_metrics(after=datetime.fromtimestamp(now - back, UTC))
            if samples:
                break
        recent = RecentMultiset(STORED_WINDOW_SECONDS)
        recent.take_new(_items(samples), latest=self._latest())
        if recent.horizon is None:
            recent = RecentMultiset(STORED_WINDOW_SECONDS, now - back)
        self._read_at = self._clock.monotonic()
        return recent, samples, []

    def _after(self, recent: RecentMultiset) -> int:
        """From when on samples are read, in Unix seconds."""
        horizon, since = recent.horizon or 0, self._set_back_since(recent)
        return horizon if since is None else min(horizon, since - NEAR_SECONDS)

    def _latest(self) -> int | None:
        """What is stamped later was stamped before the server's clock was set back."""
        now = self._clock.known_second()
        return None if now is None else now + STEP_SECONDS

    def _set_back_since(self, recent: RecentMultiset) -> int | None:
        """From when on samples may be of the time since the server's clock was set back; ``None`` if it was not."""
        latest = self._latest()
        if latest is None or not recent.is_ahead_of(latest):
            return None
        if self._read_at is None:
            state = self._ledger.watermark(STORED_MARK) or {}
            gap = max(0.0, self._clock.ours().timestamp() - state.get("at", 0))
        else:
            gap = self._clock.monotonic() - self._read_at
        return latest - 2 * STEP_SECONDS - min(int(gap), NEAR_SECONDS)

    def to_state(self, recent: RecentMultiset) -> dict[str, Any]:
        """The JSON-able form of the watermark *recent*."""
        return {**recent.to_state(), "at": int(self._clock.ours().timestamp())}


def _items(samples: Sequence[StoredSample]) -> list[Item]:
    return [(int(sample.taken_at.timestamp()), _fingerprint(sample)) for sample in samples]


def _fingerprint(sample: StoredSample) -> int:
    return crc32(f"{sample.kind}|{sample.id}|{sample.value}|{sample.count}".encode())
