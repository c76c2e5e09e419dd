"""Delivery outcomes, the events behind them, log lines and traces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import overload

from exporter.model.trail_event import TrailEvent


class Outcome(StrEnum):
    """The outcome of a delivery attempt: for a recipient, or ``temporary_failure`` of a deferred attempt."""

    DELIVERED = "delivered"
    PERMANENT_FAILURE = "permanent_failure"
    TEMPORARY_FAILURE = "temporary_failure"


@dataclass(unsafe_hash=True, slots=True)
class DeliveryEvent:
    """
    One event of a delivery attempt, with the fields that outcomes need: from the log, a stored trace or a live stream.

    Instances are never modified. The class is not frozen, which would triple the cost of creating one, and not
    keyword-only, which would double it: a busy stream has thousands.

    Attributes:
        event_id: ``delivery.dsn-success`` and so on.
        at: When it occurred, to the second, aware and in UTC.
        queue_id: The queued message. 0 or negative if unknown; the same for all events of an attempt.
        queue_name: The virtual queue; ``default`` if the generation has none.
        recipient: The address that the event concerns, or empty.
        span_recipients: The addresses of the whole attempt, or empty.
        domain: The destination domain in the event, or empty.
        hostname: The remote host in the event, or empty.
        code: The SMTP reply code in the event, or 0.
        text: The event's text (reply or error), shortened; untrusted.
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
    One outcome: a recipient delivered or permanently failed, or an attempt deferred. Never modified.

    Attributes:
        at: When it occurred, to the second, aware and in UTC.
        domain: Destination domain in lower case; empty if unknown.
        reason: A `FailureReason` value; empty for a delivery.
        code: SMTP reply code of three digits, or empty.
        event: The event that is the outcome; that of a deferral without addresses. Not part of the value.
    """

    at: datetime
    outcome: Outcome
    domain: str
    reason: str
    code: str
    event: DeliveryEvent | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """
    One line of the server's log.

    Attributes:
        at: Whole seconds, aware and in UTC.
        level: ``error``, ``warn``, ``info``, ``debug`` or ``trace``.
        event_id: As the newest release spells it.
        fingerprint: A hash; equal for equal lines and, for all practical purposes, only for these.
        account: The account named in the line, or empty.
        listener: The listener named in the line, or empty.
        local_port: The listener's port, or 0.
        delivery: The line as a delivery event; ``None`` if it is not one.
        details: Those of an event of the trail, if `delivery` does not contain all that is kept of it; else empty.
        version: The server's version, from a line about its start; else empty.
        quotes_response: It contains an HTTP response, possibly one to the exporter.
        is_bare: It lacks the details that its event always has: in the log file each is on a line of its own.
    """

    at: datetime
    level: str
    event_id: str
    fingerprint: int
    account: str = ""
    listener: str = ""
    local_port: int = 0
    delivery: DeliveryEvent | None = None
    details: str = ""
    version: str = ""
    quotes_response: bool = False
    is_bare: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One finished delivery attempt: its id and its events in order of occurrence, also as events of the trail."""

    id: int
    events: Sequence[DeliveryEvent]
    trail: Sequence[TrailEvent] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage(Sequence[LogLine]):
    """
    A sequence of log lines, newest first, as part of reading a log backwards from its newest line.

    Attributes:
        ended: The log has no older lines, as far as the response shows.
        unreadable: The number of lines that the server skipped because it could not parse them; 0 if it does not
            report them.
        newer_elsewhere: The time of a line that is newer than all of these but in a file that the server reads after
            them; ``None`` if none is known.
        place: Where the page ends, for the client that read it.
    """

    lines: Sequence[LogLine]
    ended: bool
    unreadable: int = 0
    newer_elsewhere: datetime | None = None
    place: object = None

    def __len__(self) -> int:
        return len(self.lines)

    @overload
    def __getitem__(self, index: int) -> LogLine: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[LogLine]: ...

    def __getitem__(self, index: int | slice) -> LogLine | Sequence[LogLine]:
        return self.lines[index]
