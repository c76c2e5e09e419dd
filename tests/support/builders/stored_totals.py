"""Histograms that a server stores as running totals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from exporter.ingest.counting.stored_totals import (
    increases,
)
from exporter.model.telemetry import StoredSample

METRICS = ("delivery.total-time", "delivery.attempt-time")
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def total(hour: int, count: int, *, metric: str = METRICS[0], node: int = 0) -> StoredSample:
    """A running total of an hour."""
    at = NOON + timedelta(hours=hour)
    return StoredSample(taken_at=at, kind="histogram", id=metric, value=10 * count, count=count, node=node)


def added(*totals: StoredSample) -> list[int]:
    """What each of *totals* adds, except the first of each series."""
    _, samples = increases({}, totals)
    return [sample.count for sample in samples]
