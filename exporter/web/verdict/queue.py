"""Conditions of the outbound queue."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from exporter.web.interfaces import QueueFacts, Recent, ServerStatus
from exporter.web.verdict.condition import Condition
from exporter.web.verdict.deliveries import OUTCOMES, sees_deliveries
from exporter.web.verdict.thresholds import Threshold, Thresholds
from exporter.web.words import are, count, duration

MESSAGES = "messages"
"""The name in the history of the number of queued messages."""


def queue_conditions(server: ServerStatus, limits: Thresholds, now: datetime) -> Iterator[Condition]:
    """Yield the conditions of a known queue."""
    queue = server.queue
    if queue is None:
        return
    paused = list(_paused(server, queue, limits.get("StalwartQueuePaused")))
    yield from paused
    if not paused:
        yield from _stuck(queue, limits.get("StalwartQueueStuck"))
    yield from _held(queue, limits.get("StalwartLocalMailHeld"))
    yield from _large(queue, limits.get("StalwartQueueBacklog"))
    yield from _growing(queue, server.recent, limits.get("StalwartQueueGrowing"))
    yield from _deferring(queue, limits.get("StalwartDestinationDeferring"))
    yield from _old(queue, limits.get("StalwartQueueOldestMessage"), now)
    yield from _expired(queue, limits.get("StalwartQueueExpired"))


def _paused(server: ServerStatus, queue: QueueFacts, limit: Threshold | None) -> Iterator[Condition]:
    if limit is None:
        return
    if queue.running is False:
        yield Condition(
            alert="StalwartQueuePaused",
            what="deliveries are paused: no mail is delivered",
            do="Find out who paused them and why, then resume them.",
            at_once=True,
        )
    elif queue.running is None and _nothing_is_attempted(server, queue, limit):
        yield Condition(
            alert="StalwartQueuePaused",
            about="inferred",
            what=f"nothing has been attempted for {duration(limit['window'])} although "
            f"{count(queue.overdue, 'recipient')} are due: deliveries are paused, or the scheduler is stuck",
            do="Resume deliveries; if there are still no attempts, restart the server.",
            at_once=True,
        )


def _nothing_is_attempted(server: ServerStatus, queue: QueueFacts, limit: Threshold) -> bool:
    recent, window = server.recent, limit["window"]
    if recent is None or queue.overdue < limit["recipients"] or not sees_deliveries(server):
        return False
    if recent.covered_seconds(OUTCOMES[0]) < window:
        return False
    attempted = any(recent.increase(outcome, window) for outcome in OUTCOMES)
    return not attempted and (recent.slope(MESSAGES, window) or 0.0) > 0


def _stuck(queue: QueueFacts, limit: Threshold | None) -> Iterator[Condition]:
    if limit is not None and queue.overdue > limit["recipients"]:
        known = "" if queue.running is None else " although the queue is not paused"
        yield Condition(
            alert="StalwartQueueStuck",
            what=f"{count(queue.overdue, 'recipient')} are more than five minutes past their retry time{known}",
            do="Check whether there are any attempts; if not, restart the server.",
        )


def _held(queue: QueueFacts, limit: Threshold | None) -> Iterator[Condition]:
    if limit is not None and queue.held_local > limit["recipients"]:
        yield Condition(
            alert="StalwartLocalMailHeld",
            what=f"an outbound limit of the server itself holds back {count(queue.held_local, 'local recipient')}",
            do="Exclude your own domains from the outbound limits.",
        )


def _large(queue: QueueFacts, limit: Threshold | None) -> Iterator[Condition]:
    if limit is not None and queue.messages > limit["messages"]:
        yield Condition(
            alert="StalwartQueueBacklog",
            what=f"{count(queue.messages, 'message')} wait in the queue (limit {limit['messages']:.0f})",
            do="Check whether one destination, error or sender is the cause.",
        )


def _growing(queue: QueueFacts, recent: Recent | None, limit: Threshold | None) -> Iterator[Condition]:
    if limit is None or recent is None or queue.messages <= limit["messages"]:
        return
    slope = recent.slope(MESSAGES, limit["window"])
    if slope is not None and slope * 3600 > limit["messages_per_hour"]:
        yield Condition(
            alert="StalwartQueueGrowing",
            what=f"the queue grows by {slope * 3600:.0f} messages per hour and holds {queue.messages}",
            do="Check incoming mail and failing deliveries.",
        )


def _deferring(queue: QueueFacts, limit: Threshold | None) -> Iterator[Condition]:
    if limit is None:
        return
    for domain, recipients in queue.deferring.items():
        if recipients > limit["recipients"]:
            yield Condition(
                alert="StalwartDestinationDeferring",
                about=domain,
                what=f"{domain} defers {count(recipients, 'recipient')}",
                do="Check the destination's replies.",
            )


def _old(queue: QueueFacts, limit: Threshold | None, now: datetime) -> Iterator[Condition]:
    if limit is None or queue.oldest_created_at is None:
        return
    age = (now - queue.oldest_created_at).total_seconds()
    if age > limit["age"]:
        yield Condition(
            alert="StalwartQueueOldestMessage",
            what=f"the oldest message has waited for {duration(age)}",
            do="Check its last error; cancel it if it cannot be delivered.",
        )


def _expired(queue: QueueFacts, limit: Threshold | None) -> Iterator[Condition]:
    if limit is not None and queue.expired > limit["recipients"]:
        yield Condition(
            alert="StalwartQueueExpired",
            what=f"{count(queue.expired, 'recipient')} {are(queue.expired)} past expiry but still queued",
            do="Retry the message: the attempt expires it.",
        )
