"""One attempt on one message: what it has met with so far, and how it is announced and counted."""

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
        domains: Those of the recipients that it is for.
        told: The last failure of a recipient still to be delivered that an event told of, and the domain it met.
        noticed: The last one that a notice of delay told of, unless mail was delivered since.
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
    """What a deferral of this attempt counts as."""
    why = attempt.told or attempt.noticed
    if why is not None:
        failure, domain = why
        return DeliveryKey("temporary_failure", failure.reason, failure.code, domain)
    # Another virtual queue may hold the message back: then nothing of this attempt was put off.
    is_open = any(attempt.message.pending(attempt.queue))
    domain = next(iter(attempt.domains)) if is_open and len(attempt.domains) == 1 else ""
    return DeliveryKey("temporary_failure", "unknown", "", domain)


def opening(message: Message, queue: str | None) -> Keys:
    """The keys of `delivery.attempt-start`."""
    named: dict[str, Value] = {"queueName": queue} if queue is not None else {}
    return {
        "queueId": message.queue_id,
        **named,
        "from": message.return_path or "<>",
        "to": tuple(r.address for r in message.pending(queue)),
        "size": message.size,
        "total": len(message.recipients),
    }
