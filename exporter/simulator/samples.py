"""The metrics history: what an Enterprise server with a metrics store keeps of its counters."""

from __future__ import annotations

from typing import Any

from . import catalog
from .counters import ProcessCounters
from .values import rfc3339

RETENTION_SECONDS = 90 * 86_400


class SampleStore:
    """Samples in order of time: increases of counters and histograms, readings of gauges; zeros are left out."""

    def __init__(self) -> None:
        self._rows: list[tuple[float, dict[str, Any]]] = []
        self._before: dict[str, int] = {}
        self._histograms_before: dict[str, tuple[int, int]] = {}

    def restart(self) -> None:
        """Forget what was last read; what happened since is lost, as on the real server."""
        self._before.clear()
        self._histograms_before.clear()

    def collect(self, now: float, counters: ProcessCounters) -> None:
        """Take one sample."""
        for event_id in catalog.STORED_COUNTERS:
            value = counters.counters.get(event_id, 0)
            increase = value - self._before.get(event_id, 0)
            self._before[event_id] = value
            self._keep(now, "counter", event_id, value=increase)
        for gauge in catalog.STORED_GAUGES:
            self._keep(now, "gauge", gauge, value=counters.gauges[gauge])
        for metric in catalog.STORED_HISTOGRAMS:
            self._collect_histogram(now, metric, counters)
        while self._rows and self._rows[0][0] < now - RETENTION_SECONDS:
            del self._rows[0]

    def _collect_histogram(self, now: float, metric: str, counters: ProcessCounters) -> None:
        histogram = counters.histograms.get(metric)
        if histogram is None:
            return
        count, total = self._histograms_before.get(metric, (0, 0))
        self._histograms_before[metric] = histogram.count, histogram.sum
        self._keep(now, "histogram", metric, count=histogram.count - count, sum=histogram.sum - total)

    def _keep(self, now: float, kind: str, metric: str, **values: int) -> None:
        if any(values.values()):
            self._rows.append((now, {"type": kind, "id": metric, "timestamp": rfc3339(now), **values}))

    def between(self, after: float | None, before: float | None) -> list[dict[str, Any]]:
        """Samples from `after` on (inclusive) and up to `before` (exclusive), ascending."""
        return [
            row
            for taken_at, row in self._rows
            if (after is None or int(taken_at) >= after) and (before is None or int(taken_at) < before)
        ]
