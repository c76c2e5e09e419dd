"""Counters of one server process, in memory: they start at zero and are lost with the process."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from exporter.simulator.world.telemetry import catalog
from exporter.simulator.world.values import Duration, Keys

COUNTER_MODULUS = 2**32
GAUGE_MODULUS = 2**64

_SESSION_METRICS = {"manage-sieve": "sieve"}
_QUEUED_SIZES = {
    "queue.queue-message": "message.size",
    "queue.queue-message-authenticated": "message.authenticated-size",
    "queue.queue-report": "outgoing-report.size",
}
_TIMES = {
    "message-ingest.ham": "message-ingest.time",
    "message-ingest.spam": "message-ingest.time",
    "message-ingest.fts-index": "message-ingest.index-time",
    "delivery.attempt-end": "delivery.attempt-time",
    "delivery.completed": "delivery.total-time",
    "store.data-write": "store.data-write-time",
    "store.data-iterate": "store.data-read-time",
    "store.blob-read": "store.blob-read-time",
    "store.blob-write": "store.blob-write-time",
    "delivery.null-mx": "dns.lookup-time",
    "dane.tlsa-record-fetch-error": "dns.lookup-time",
}


@dataclass(slots=True)
class Histogram:
    """Observations by bucket, not cumulative; the last bucket holds everything above the bounds."""

    bounds: tuple[int, ...]
    buckets: list[int] = field(default_factory=list)
    sum: int = 0

    def __post_init__(self) -> None:
        self.buckets = [0] * (len(self.bounds) + 1)

    @property
    def count(self) -> int:
        """The number of observations."""
        return sum(self.buckets)

    def observe(self, value: int) -> None:
        """Add one observation; bounds are exclusive."""
        self.buckets[bisect_right(self.bounds, value)] += 1
        self.sum += value


class ProcessCounters:
    """Counters (32 bits, wrapping), gauges (64 bits, also wrapping below zero) and histograms of one process."""

    def __init__(self) -> None:
        self.counters: dict[str, int] = {}
        self.gauges: dict[str, int] = dict.fromkeys(catalog.GAUGES, 0)
        self.histograms: dict[str, Histogram] = {}

    def add(self, event_id: str, amount: int = 1) -> None:
        """Increment a counter, which wraps at 2^32."""
        self.counters[event_id] = (self.counters.get(event_id, 0) + amount) % COUNTER_MODULUS

    def move(self, gauge: str, amount: int) -> None:
        """Change a gauge, which wraps below zero."""
        self.gauges[gauge] = (self.gauges[gauge] + amount) % GAUGE_MODULUS

    def observe(self, metric: str, value: int) -> None:
        """Add to a histogram, which exists from its first observation on."""
        histogram = self.histograms.get(metric)
        if histogram is None:
            histogram = self.histograms[metric] = Histogram(catalog.HISTOGRAMS[metric][1])
        histogram.observe(value)

    def apply(self, event_id: str, keys: Keys) -> None:
        """Count one event, and update the gauges and histograms that depend on it."""
        if catalog.is_counted(event_id):
            self.add(event_id)
        family, _, what = event_id.partition(".")
        if what == "connection-start":
            self._session(family, 1)
        elif what == "connection-end":
            self._session(family, -1)
            self._observe_elapsed(f"{_SESSION_METRICS.get(family, family)}.request-time", keys)
        elif event_id == "delivery.attempt-start":
            self.move("delivery.active-connections", 1)
        elif event_id == "delivery.attempt-end":
            self.move("delivery.active-connections", -1)
        elif event_id == "delivery.completed":
            self.move("queue.count", -1)
        elif event_id.startswith("queue.queue-"):
            self._queued(event_id, keys)
        if event_id in _TIMES:
            self._observe_elapsed(_TIMES[event_id], keys)

    def _session(self, family: str, amount: int) -> None:
        self.move(f"{_SESSION_METRICS.get(family, family)}.active-connections", amount)

    def _queued(self, event_id: str, keys: Keys) -> None:
        self.move("queue.count", 1)
        size = keys.get("size")
        if event_id in _QUEUED_SIZES and isinstance(size, int):
            self.observe(_QUEUED_SIZES[event_id], size)

    def _observe_elapsed(self, metric: str, keys: Keys) -> None:
        elapsed = keys.get("elapsed")
        if isinstance(elapsed, Duration):
            self.observe(metric, elapsed.milliseconds)
