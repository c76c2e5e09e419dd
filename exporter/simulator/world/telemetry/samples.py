"""The metrics history that an Enterprise server with a metrics store keeps."""

from __future__ import annotations

from bisect import insort
from typing import Any

from exporter.simulator.world.telemetry import catalog
from exporter.simulator.world.telemetry.counters import ProcessCounters
from exporter.simulator.world.telemetry.snowflake import Snowflakes
from exporter.simulator.world.values import rfc3339

RETENTION_SECONDS = 90 * 86_400


class SampleStore:
    """
    Samples in order of time: increases of counters, values of gauges; zeros are left out.

    Histograms are increases up to v0.15 and running totals from v0.16 on.
    """

    def __init__(self, ids: Snowflakes) -> None:
        self._ids = ids
        self._rows: list[tuple[float, int, dict[str, Any]]] = []
        self._before: dict[str, int] = {}
        self._histograms_before: dict[str, tuple[int, int]] = {}

    def restart(self) -> None:
        """Forget the last reading; increases since then are lost, as on the real server."""
        self._before.clear()
        self._histograms_before.clear()

    def collect(self, now: float, counters: ProcessCounters, *, cumulative: bool = False) -> None:
        """Take one sample; `cumulative` as from v0.16 on."""
        for event_id in catalog.STORED_COUNTERS:
            value = counters.counters.get(event_id, 0)
            increase = value - self._before.get(event_id, 0)
            self._before[event_id] = value
            self._keep(now, "counter", event_id, value=increase)
        for gauge in catalog.STORED_GAUGES:
            self._keep(now, "gauge", gauge, value=counters.gauges[gauge])
        more = catalog.STORED_HISTOGRAMS_SINCE_JMAP if cumulative else ()
        for metric in (*catalog.STORED_HISTOGRAMS, *more):
            self._collect_histogram(now, metric, counters, cumulative=cumulative)
        while self._rows and self._rows[0][0] < now - RETENTION_SECONDS:
            del self._rows[0]

    def _collect_histogram(self, now: float, metric: str, counters: ProcessCounters, *, cumulative: bool) -> None:
        histogram = counters.histograms.get(metric)
        if histogram is None:
            return
        count, total = self._histograms_before.get(metric, (0, 0))
        self._histograms_before[metric] = histogram.count, histogram.sum
        if not cumulative:
            self._keep(now, "histogram", metric, count=histogram.count - count, sum=histogram.sum - total)
        elif (count, total) != (histogram.count, histogram.sum):
            self._keep(now, "histogram", metric, count=histogram.count, sum=histogram.sum)

    def _keep(self, now: float, kind: str, metric: str, **values: int) -> None:
        if any(values.values()):
            number = self._ids.next(now)
            row = {"type": kind, "id": metric, "timestamp": rfc3339(now), **values}
            insort(self._rows, (now, number, row), key=lambda kept: kept[:2])

    def rows(self) -> list[tuple[float, int, dict[str, Any]]]:
        """Return every sample with its time and id, ascending."""
        return list(self._rows)

    def between(self, after: float | None, before: float | None) -> list[dict[str, Any]]:
        """Return samples from `after` on (inclusive) and up to `before` (exclusive), ascending."""
        return [
            row
            for taken_at, _, row in self._rows
            if (after is None or int(taken_at) >= after) and (before is None or int(taken_at) < before)
        ]
