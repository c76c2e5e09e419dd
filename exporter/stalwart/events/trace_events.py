"""
Parsing of the events of a trace, from either management API.

Contract: Stalwart v0.10-v0.16, key and value pairs of an event in a stored trace or a live stream. The type of a key's
value differs between events; a value of an unexpected type counts as absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from exporter.model.delivery import DeliveryEvent
from exporter.stalwart.events.failures import cause_text
from exporter.stalwart.events.log_details import DEFAULT_QUEUE, TEXT_LIMIT
from exporter.stalwart.events.names import canonical_event, spellings
from exporter.stalwart.events.outcomes import FOLLOWED_EVENTS, STRICT_EVENTS

SESSION_CAUSE = "smtp.error"

_SAME = {id_: id_ for id_ in FOLLOWED_EVENTS}
FOLLOWED_TYPES = {type_: _SAME[canonical_event(type_) or type_] for type_ in spellings(FOLLOWED_EVENTS)}
"""The current name of each event that may affect an outcome, by any release's name; other events can be skipped."""


def is_followed(event_id: str) -> bool:
    """Whether an event, under any release's name, may affect an outcome."""
    return event_id in FOLLOWED_TYPES


def delivery_event(
    at: datetime, type_: str, data: Mapping[str, Any], opening: Mapping[str, Any]
) -> DeliveryEvent | None:
    """
    Parse one event; ``None`` if it does not affect an outcome.

    *opening* is the data of the event that opened the span and names the message; live events repeat it.
    """
    event_id = FOLLOWED_TYPES.get(type_)
    if event_id is None:
        return None
    if event_id in STRICT_EVENTS and data.get("strict") is not True:
        return None
    span = data if "queueId" in data else opening
    text, code = event_text(data.get("causedBy"), data.get("reason"), data.get("details"))
    recipient, span_recipients = data.get("to"), span.get("to")
    return DeliveryEvent(
        event_id=event_id,
        at=at,
        queue_id=_number(span.get("queueId")),
        queue_name=_string(span.get("queueName")) or DEFAULT_QUEUE,
        recipient=recipient if isinstance(recipient, str) else "",
        span_recipients=_strings(span_recipients) if isinstance(span_recipients, list) else (),
        domain=_string(data.get("domain")),
        hostname=_string(data.get("hostname")),
        code=_number(data.get("code")) or code,
        text=text,
    )


def event_text(*parts: Any) -> tuple[str, int]:
    """Return an event's text and its reply code (or 0), from the first of *parts* that is a text or a cause."""
    for part in parts:
        if isinstance(part, str):
            return part[:TEXT_LIMIT], 0
        if isinstance(part, dict):
            cause = part.get("data")
            if part.get("type") != SESSION_CAUSE or not isinstance(cause, dict):
                return "", 0
            code = _number(cause.get("code"))
            return cause_text(_string(cause.get("details")), code, _string(cause.get("reason")))[:TEXT_LIMIT], code
    return "", 0


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _strings(values: list[Any]) -> tuple[str, ...]:
    return tuple(item for item in values if isinstance(item, str))


def _number(value: Any) -> int:
    return value if type(value) is int and value >= 0 else 0
