"""What the events of delivery attempts come to."""

from __future__ import annotations

from collections.abc import Iterable

from exporter.model.delivery import DeliveryEvent, DeliveryOutcome
from exporter.stalwart.events.tracker import AttemptTracker


def outcomes_of(events: Iterable[DeliveryEvent | None], folder: AttemptTracker | None = None) -> list[DeliveryOutcome]:
    """The outcomes of *events*, after which nothing more comes; a line of the log without an event has ``None``."""
    folder = folder or AttemptTracker()
    decisions = [decision for event in events if event is not None for decision in folder.feed(event)]
    return [decision.outcome for decision in (*decisions, *folder.finish())]
