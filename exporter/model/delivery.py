"""What happened to a recipient, and the events that tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Outcome(StrEnum):
    """How a delivery attempt ended for a recipient, or that the attempt was put off."""

    DELIVERED = "delivered"
    PERMANENT_FAILURE = "permanent_failure"
    TEMPORARY_FAILURE = "temporary_failure"


@dataclass(unsafe_hash=True, slots=True)
class DeliveryEvent:
    """
    One event of a delivery attempt, as far as outcomes need it: from the log, a stored trace or the live stream.

    Never changed once made. Not frozen, because that makes it three times as dear, and not by keyword only, which makes
    it twice as dear: a busy stream brings thousands.

    Attributes:
        event_id: ``delivery.dsn-success`` and so on.
        at: When, to the second, aware and in UTC.
        queue_id: The queued message. 0 or negative if it is not known; then equal for the events of one attempt.
        queue_name: The virtual queue, ``default`` where a generation has none.
        recipient: The one address that the event is about, or empty.
        span_recipients: The addresses of the whole attempt, or empty.
        domain: The destination domain that the event names, or empty.
        hostname: The remote host that the event names, or empty.
        code: The SMTP reply code that the event carries, or 0.
        text: The event's own text (reply or error), cut short; hostile.
    """

    event_id: str
    at: datetime
    queue_id: int
    queue_name: str
    recipient: str = ""
    span_recipients: Sequence[str] = ()
    domain: str = ""
    hostname: str = ""
    code: int = 0
    text: str = ""


@dataclass(unsafe_hash=True, slots=True)
class DeliveryOutcome:
    """
    One outcome: a recipient delivered or given up, or an attempt put off; never changed either.

    Attributes:
        at: When, to the second, aware and in UTC.
        domain: Destination domain in lower case, or empty if unknown.
        reason: A `FailureReason` value; empty for a delivery.
        code: SMTP reply code of three digits, or empty.
    """

    at: datetime
    outcome: Outcome
    domain: str
    reason: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """
    One line of the server's log.

    Attributes:
        at: Whole seconds, aware and in UTC.
        level: ``error``, ``warn``, ``info``, ``debug`` or ``trace``.
        event_id: As the newest release spells it.
        fingerprint: Equal for equal lines and, for all practical purposes, only for them.
        account: The account that the line names, or empty.
        listener: The listener that the line names, or empty.
        local_port: The listener's port, or 0.
        delivery: The same as a delivery event, where it is one.
        version: The server's version, where the line tells it (start of the server), else empty.
        quotes_response: It holds the body of an HTTP response, perhaps one of those to us.
        is_bare: Its event always has details and it has none: each stands on a line of its own in the log's file.
    """

    at: datetime
    level: str
    event_id: str
    fingerprint: int
    account: str = ""
    listener: str = ""
    local_port: int = 0
    delivery: DeliveryEvent | None = None
    version: str = ""
    quotes_response: bool = False
    is_bare: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One finished delivery attempt: its id and its events in order of occurrence."""

    id: int
    events: Sequence[DeliveryEvent]
