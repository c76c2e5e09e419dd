"""One attempt on one message: its results so far, and its events and counts."""

from __future__ import annotations

from dataclasses import dataclass, field

from exporter.simulator.world.mail.failures import Failure
from exporter.simulator.world.mail.queue import Message
from exporter.simulator.world.telemetry.events import Span
from exporter.simulator.world.telemetry.ledger import DeliveryKey
from exporter.simulator.world.values import Keys, Value


@dataclass(slots=True)
class Attempt:
    """
    One attempt on one message.

    Attributes:
        queue: The virtual queue it serves; None up to v0.12, where one attempt serves all recipients.
        domains: Domains of its recipients.
        told: The last failure of a pending recipient that an event reported, with its domain.
        noticed: The last failure that a delay notice reported, unless mail was delivered since.
        late: Events that are raised a moment later than they happened.
    """

    message: Message
    queue: str | None
    span: Span
    domains: frozenset[str]
    told: tuple[Failure, str] | None = None
    noticed: tuple[Failure, str] | None = None
    late: list[tuple[str, Keys]] = field(default_factory=list)


def put_off(attempt: Attempt) -> DeliveryKey:
    """Return how a deferral of this attempt is counted."""
    why = attempt.told or attempt.noticed
    if why is not None:
        failure, domain = why
        return DeliveryKey("temporary_failure", failure.reason, failure.code, domain)
    # Another virtual queue may hold the message back: then nothing of this attempt was deferred.
    is_open = any(attempt.message.pending(attempt.queue))
    domain = next(iter(attempt.domains)) if is_open and len(attempt.domains) == 1 else ""
    return DeliveryKey("temporary_failure", "unknown", "", domain)


def opening(message: Message, queue: str | None) -> Keys:
    """Return the keys of `delivery.attempt-start`."""
    named: dict[str, Value] = {"queueName": queue} if queue is not None else {}
    return {
        "queueId": message.queue_id,
        **named,
        "from": message.return_path or "<>",
        "to": tuple(r.address for r in message.pending(queue)),
        "size": message.size,
        "total": len(message.recipients),
    }
