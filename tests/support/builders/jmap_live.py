"""Messages of the live streams of v0.16."""

from __future__ import annotations

from typing import Any

from exporter.simulator.jmap.objects.telemetry import typed

SPAN, QUEUE_ID = 342_000_000_000_000_513, 342_000_000_000_000_001


def event(name: str, at: str = "2026-11-22T12:00:05Z", *, span: int = SPAN, **keys: Any) -> dict[str, Any]:
    """An event as the stream writes it."""
    pairs = {**keys, "spanId": span}
    listed = {str(n): {"key": key, "value": typed(value)} for n, (key, value) in enumerate(pairs.items())}
    return {"event": name, "timestamp": at, "keyValues": listed}


def opening(span: int = SPAN) -> dict[str, Any]:
    """The event that opens a delivery attempt."""
    keys = {"queueId": QUEUE_ID, "queueName": "remote", "from": "a@example.test", "to": ("c@ok.test", "d@ok.test")}
    return event("delivery.attempt-start", span=span, **keys, size=7, total=2)
