"""
Parsing of the trail's events in traces, live streams and webhooks, from their keys and values.

Contract: Stalwart v0.10-v0.16; tests/recordings/ops-*/trail.json, ``events``. An event has its own keys, and those of
the event that opened its span unless it has them itself; a stored trace and a v0.16 live stream give the latter only
once. So the ``queueId`` of a bounce that is queued is the bounce's, and the message that caused it is found by the
span. An event that was collected late has its own keys and the number of its span only. A value of an unexpected type
counts as absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from exporter.clock import whole_second
from exporter.model.trail import MessageKind
from exporter.model.trail_event import TrailEvent
from exporter.stalwart.events.names import canonical_event, spellings
from exporter.stalwart.events.outcomes import ATTEMPT_START, STRICT_EVENTS
from exporter.stalwart.events.trace_events import event_text
from exporter.stalwart.events.trail.kinds import (
    ATTEMPT_OR_SESSION,
    CHECKS,
    QUEUED_EVENTS,
    QUOTA,
    SESSION_EVENTS,
    SPAM_CLASSIFIED,
    START_TLS,
    TRAIL_EVENTS,
)

MAX_SPANS = 8192
"""The most attempts whose message is remembered by the number of their span."""

_SAME = {id_: id_ for id_ in TRAIL_EVENTS}
TRAIL_TYPES = {type_: _SAME[canonical_event(type_) or type_] for type_ in spellings(TRAIL_EVENTS)}
"""The current name of each event of the trail, by any release's name; other events can be skipped."""

_NOTHING: Mapping[str, Any] = {}


class TrailDecoder:
    """The decoder of one source; it remembers the messages of the attempts in progress."""

    def __init__(self) -> None:
        self._attempts: dict[int, tuple[int, str]] = {}

    def read(
        self, at: datetime, type_: str, data: Mapping[str, Any], opening: Mapping[str, Any] = _NOTHING
    ) -> TrailEvent | None:
        """
        Return the event of a type with its *data*; ``None`` if it says nothing about a message or a session.

        *opening* is the data of the event that opened the span, where it is known and not part of *data*.
        """
        event_id = TRAIL_TYPES.get(type_)
        if event_id is None or (event_id in STRICT_EVENTS and data.get("strict") is not True):
            return None
        span = _number(data.get("spanId"))
        if event_id in QUEUED_EVENTS:
            return self._queued(event_id, at, data, opening, span)
        known = self._attempts.get(span) if span else None
        queue_id = _number(data.get("queueId")) or _number(opening.get("queueId")) or (known[0] if known else 0)
        if event_id in SESSION_EVENTS and not (event_id in ATTEMPT_OR_SESSION and queue_id):
            return _of_session(event_id, at, data, span)
        if event_id == ATTEMPT_START and span:
            self._remember(span, queue_id, _string(data.get("queueName")))
        name = data.get("queueName") or opening.get("queueName") or (known[1] if known else "")
        return _of_attempt(event_id, at, data, queue_id, _string(name))

    def _queued(
        self, event_id: str, at: datetime, data: Mapping[str, Any], opening: Mapping[str, Any], span: int
    ) -> TrailEvent:
        queue_id, cause = _number(data.get("queueId")), _number(opening.get("queueId"))
        known = self._attempts.get(span) if span else None
        cause = cause or (known[0] if known else 0)
        event = TrailEvent(event_id, at, queue_id=cause if cause != queue_id else 0, new_queue_id=queue_id)
        if QUEUED_EVENTS[event_id] in (MessageKind.INCOMING, MessageKind.SUBMITTED):
            _add_session(event, data, span)
        event.sender, event.size = _string(data.get("from")), _number(data.get("size"))
        recipients = data.get("to")
        event.recipients = _strings(recipients) if isinstance(recipients, list) else ()
        event.expires = _moment(data.get("expires"))
        return event

    def _remember(self, span: int, queue_id: int, queue_name: str) -> None:
        self._attempts[span] = (queue_id, queue_name)
        if len(self._attempts) > MAX_SPANS:
            del self._attempts[next(iter(self._attempts))]


def _of_session(event_id: str, at: datetime, data: Mapping[str, Any], span: int) -> TrailEvent:
    event = TrailEvent(event_id, at)
    _add_session(event, data, span)
    event.account = _string(data.get("accountName"))
    event.sender, event.size = _string(data.get("from")), _number(data.get("size"))
    event.recipient = _string(data.get("to"))
    event.is_strict = data.get("strict") is True
    if event_id == SPAM_CLASSIFIED or event_id in CHECKS:
        result = data.get("result")
        event.text = _string(result.get("type") if isinstance(result, dict) else result)
    else:
        event.text, event.code = event_text(data.get("causedBy"), data.get("reason"), data.get("details"))
        event.code = _number(data.get("code")) or event.code
    return event


def _add_session(event: TrailEvent, data: Mapping[str, Any], span: int) -> None:
    """Add the session's keys: its span, or without one (live streams up to v0.15) listener, address and port."""
    event.listener, event.remote_ip = _string(data.get("listenerId")), _string(data.get("remoteIp"))
    event.remote_port = _number(data.get("remotePort"))
    if span:
        event.session = str(span)
    elif "spanId" not in data and event.listener and event.remote_port:
        event.session = f"{event.listener}|{event.remote_ip}|{event.remote_port}"


def _of_attempt(event_id: str, at: datetime, data: Mapping[str, Any], queue_id: int, queue_name: str) -> TrailEvent:
    event = TrailEvent(event_id, at, queue_id=queue_id, queue_name=queue_name)
    recipient = data.get("to")
    if event_id == ATTEMPT_START:
        event.sender, event.size = _string(data.get("from")), _number(data.get("size"))
        event.recipients = _strings(recipient) if isinstance(recipient, list) else ()
        return event
    event.recipient = _string(recipient)
    event.hostname, event.domain = _string(data.get("hostname")), _string(data.get("domain"))
    event.message_id = _string(data.get("messageId"))
    event.next_retry = _moment(data.get("nextRetry"))
    account = data.get("accountId")
    event.account = str(account) if type(account) is int else ""
    if event_id == QUOTA:
        return event  # The cause is a place in the server's source.
    if event_id == START_TLS:
        event.text = " ".join(filter(None, (_string(data.get("version")), _string(data.get("details")))))
        return event
    event.text, event.code = event_text(data.get("causedBy"), data.get("reason"), data.get("details"))
    event.code = _number(data.get("code")) or event.code
    return event


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, str) or not 19 <= len(value) <= 40:
        return None
    try:
        moment = datetime.fromisoformat(value)
        return whole_second(moment.astimezone(UTC)) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _strings(values: list[Any]) -> tuple[str, ...]:
    return tuple(item for item in values if isinstance(item, str))


def _number(value: Any) -> int:
    return value if type(value) is int and value >= 0 else 0
