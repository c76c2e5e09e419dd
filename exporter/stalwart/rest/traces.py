"""
Parsing of stored traces of delivery attempts.

Contract: Stalwart v0.10-v0.15, Enterprise: ``GET /api/telemetry/traces`` (ids, newest first) and
``GET /api/telemetry/trace/{id}[,{id}...]`` (events in order of occurrence).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec

from exporter.errors import PayloadError
from exporter.model.delivery import DeliveryEvent, Trace
from exporter.model.trail_event import TrailEvent
from exporter.stalwart.common.timestamps import utc_second
from exporter.stalwart.events.trace_events import delivery_event, is_followed
from exporter.stalwart.events.trail.values import TRAIL_TYPES, TrailDecoder
from exporter.stalwart.http.responses import decode_response, decoding_problem


class _Event(msgspec.Struct, gc=False, rename="camel"):
    created_at: Annotated[datetime, msgspec.Meta(tz=True)]
    type: str
    data: msgspec.Raw = msgspec.Raw(b"{}")


class _Ids(msgspec.Struct):
    items: list[Annotated[int, msgspec.Meta(ge=0)]]


class _IdsAnswer(msgspec.Struct):
    data: _Ids


class _FlatAnswer(msgspec.Struct):
    data: list[_Event]


class _NestedAnswer(msgspec.Struct):
    data: list[list[_Event]]


class _AnyAnswer(msgspec.Struct):
    data: list[msgspec.Raw]


_ids_decoder = msgspec.json.Decoder(_IdsAnswer)
_any_decoder = msgspec.json.Decoder(_AnyAnswer)
_flat_decoder = msgspec.json.Decoder(_FlatAnswer)
_nested_decoder = msgspec.json.Decoder(_NestedAnswer)
_data_decoder = msgspec.json.Decoder(dict[str, Any])


def parse_trace_ids(body: bytes) -> list[int]:
    """Parse ids, newest first, without duplicates. Raises `PayloadError` with the path of the faulty member."""
    return list(dict.fromkeys(decode_response(_ids_decoder, body).data.items))


def parse_traces(body: bytes, ids: Sequence[int]) -> list[Trace]:
    """
    Parse the traces requested by *ids*, in that order; one that no longer exists is left out.

    A single trace is a flat list of its events. Raises `PayloadError` with the path of the faulty member.
    """
    spans, nested = _spans(body)
    if not spans:
        return []
    if len(spans) != len(ids):
        raise PayloadError(f"data: {len(spans)} traces instead of {len(ids)}")
    return [
        _parse_span(id_, span, f"data[{index}]" if nested else "data")
        for index, (id_, span) in enumerate(zip(ids, spans, strict=True))
        if span
    ]


def _spans(body: bytes) -> tuple[list[list[_Event]], bool]:
    """Return the spans, and whether the response was a list of lists."""
    items = decode_response(_any_decoder, body).data
    if items and bytes(memoryview(items[0])[:1]) == b"[":
        return decode_response(_nested_decoder, body).data, True
    span = decode_response(_flat_decoder, body).data
    return ([span] if span else []), False


def _parse_span(id_: int, span: Sequence[_Event], path: str) -> Trace:
    events: list[DeliveryEvent] = []
    trail: list[TrailEvent] = []
    decoder = TrailDecoder()
    opening: Mapping[str, Any] = {}
    for index, event in enumerate(span):
        if not (is_followed(event.type) or event.type in TRAIL_TYPES):
            continue
        try:
            data = _data(event, f"{path}[{index}]")
        except PayloadError:
            if is_followed(event.type):
                raise
            continue
        opening = opening or (data if "queueId" in data else {})
        at = utc_second(event.created_at, f"{path}[{index}]", "createdAt")
        if (read := delivery_event(at, event.type, data, opening)) is not None:
            events.append(read)
        if (told := decoder.read(at, event.type, data, opening)) is not None:
            trail.append(told)
    return Trace(id=id_, events=events, trail=trail)


def _data(event: _Event, path: str) -> Mapping[str, Any]:
    try:
        return _data_decoder.decode(event.data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PayloadError(decoding_problem(error, f"{path}.data")) from error
