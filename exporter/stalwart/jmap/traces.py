"""
Parsing of stored traces of delivery attempts.

Contract: Stalwart v0.16, Enterprise, ``x:Trace``: an attempt's events in order of occurrence, as an object keyed by
number. Each value is wrapped in an object with its type; durations are milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec

from exporter.errors import PayloadError
from exporter.model.delivery import DeliveryEvent, Trace
from exporter.model.trail_event import TrailEvent
from exporter.stalwart.common.timestamps import utc_second
from exporter.stalwart.events.trace_events import delivery_event, is_followed
from exporter.stalwart.events.trail.values import TRAIL_TYPES, TrailDecoder
from exporter.stalwart.http.responses import decoding_problem
from exporter.stalwart.jmap.protocol.wire import in_order


class Event(msgspec.Struct, gc=False, rename="camel"):
    """One event, stored or live, with only its own keys."""

    event: str
    timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    key_values: msgspec.Raw = msgspec.Raw(b"{}")


class _Trace(msgspec.Struct):
    id: str
    events: dict[str, Event]


class Traces(msgspec.Struct):
    """The result of ``x:Trace/get``."""

    items: list[_Trace] = msgspec.field(name="list")


class KeyValue(msgspec.Struct):
    """One key of an event, and its typed value."""

    key: str
    value: Any


traces_decoder = msgspec.json.Decoder(Traces)
_key_values = msgspec.json.Decoder(dict[str, KeyValue])


def parse_trace_list(traces: Traces, ids: Mapping[str, int]) -> list[Trace]:
    """Parse the traces of *ids* (numbers by JMAP id), in that order; one that no longer exists is left out."""
    parsed = {trace.id: _parse_events(trace, index, ids.get(trace.id, 0)) for index, trace in enumerate(traces.items)}
    return [parsed[id_] for id_ in ids if id_ in parsed]


def plain_values(key_values: Mapping[str, KeyValue]) -> dict[str, Any]:
    """Return an event's values by key, unwrapped; of a repeated key, the first."""
    values: dict[str, Any] = {}
    for pair in in_order(key_values):
        values.setdefault(pair.key, _plain(pair.value))
    return values


def _parse_events(trace: _Trace, index: int, id_: int) -> Trace:
    events: list[DeliveryEvent] = []
    trail: list[TrailEvent] = []
    decoder = TrailDecoder()
    opening: Mapping[str, Any] = {}
    for number, event in enumerate(in_order(trace.events)):
        if not (is_followed(event.event) or event.event in TRAIL_TYPES):
            continue
        path = f"x:Trace/get.list[{index}].events[{number}]"
        data = event_values(event, path) if is_followed(event.event) else event_values_or_none(event, path)
        opening = opening or (data if "queueId" in data else {})
        at = utc_second(event.timestamp, path, "timestamp")
        if (read := delivery_event(at, event.event, data, opening)) is not None:
            events.append(read)
        if (told := decoder.read(at, event.event, data, opening)) is not None:
            trail.append(told)
    return Trace(id=id_, events=events, trail=trail)


def event_values(event: Event, path: str) -> Mapping[str, Any]:
    """Return an event's values by key, unwrapped. Raises `PayloadError` below *path*."""
    try:
        return plain_values(_key_values.decode(event.key_values))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PayloadError(decoding_problem(error, f"{path}.keyValues")) from error


def event_values_or_none(event: Event, path: str) -> Mapping[str, Any]:
    """Return the same, or nothing if it cannot be read, for an event that no outcome depends on."""
    try:
        return event_values(event, path)
    except PayloadError:
        return {}


def _plain(value: Any) -> Any:
    """Return a value in the form of the REST API; ``None`` for an unknown type."""
    if not isinstance(value, dict):
        return None
    kind, held = value.get("@type"), value.get("value")
    if kind == "List":
        return [_plain(one) for one in in_order(held)] if isinstance(held, dict) else None
    if kind == "Event":
        pairs = in_order(held) if isinstance(held, dict) else ()
        data: dict[str, Any] = {}
        for pair in pairs:
            if isinstance(pair, dict) and isinstance(pair.get("key"), str):
                data.setdefault(pair["key"], _plain(pair.get("value")))
        return {"type": value.get("event"), "data": data}
    return held if isinstance(held, str | int | float | bool) else None
