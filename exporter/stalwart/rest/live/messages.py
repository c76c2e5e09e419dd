"""
Parsing of live stream messages, from any transport.

Contract: Stalwart v0.10-v0.15, Enterprise: ``GET /api/telemetry/metrics/live`` (an array of every metric's current
value) and ``GET /api/telemetry/traces/live`` (an array of events, each with the keys of the event that opened its
span). An object with an ``interval`` is a heartbeat.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any

import msgspec

from exporter.clock import whole_second
from exporter.errors import PayloadError
from exporter.model.delivery import DeliveryEvent
from exporter.model.live import Heartbeat, LiveEvents
from exporter.model.telemetry import HistogramTotals, ServerTotals
from exporter.model.trail_event import TrailEvent
from exporter.stalwart.common.native_page import UNDERFLOW
from exporter.stalwart.events.log_details import DEFAULT_QUEUE, TEXT_LIMIT
from exporter.stalwart.events.names import GAUGES, HISTOGRAMS, canonical_event
from exporter.stalwart.events.outcomes import DOMAIN_START, PLAIN_EVENTS, STRICT_EVENTS
from exporter.stalwart.events.trace_events import FOLLOWED_TYPES, delivery_event, event_text
from exporter.stalwart.events.trail.values import TRAIL_TYPES, TrailDecoder
from exporter.stalwart.http.responses import decoding_problem
from exporter.stalwart.streams.decoder import decode_frame

_Number = Annotated[int, msgspec.Meta(ge=0)]

EVENT_KEY = b'"createdAt":'
"""Occurs once per event of the trace stream; inside a string its quotes would be escaped."""

EPOCH = datetime.fromtimestamp(0, UTC)

_TREATMENTS = {type_: (id_, id_ in PLAIN_EVENTS, id_ in STRICT_EVENTS) for type_, id_ in FOLLOWED_TYPES.items()}
"""The current name of each event that may affect an outcome, and which of its data matters."""


class _Metric(msgspec.Struct, gc=False):
    id: str
    type: str
    value: _Number = 0
    count: _Number = 0
    sum: _Number = 0


class _Event(msgspec.Struct, gc=False, rename="camel"):
    created_at: str
    type: str
    data: msgspec.Raw = msgspec.Raw(b"{}")


class _UsualData(msgspec.Struct, gc=False, rename="camel"):
    """The data of an event that affects an outcome, with the usual types."""

    queue_id: _Number = 0
    queue_name: str = DEFAULT_QUEUE
    to: str | list[str] = ""
    domain: str = ""
    hostname: str = ""
    code: _Number = 0
    strict: bool = False
    caused_by: Any = None
    reason: Any = None
    details: Any = None


_metrics_decoder = msgspec.json.Decoder(list[_Metric])
_events_decoder = msgspec.json.Decoder(list[_Event])
_usual_decoder = msgspec.json.Decoder(list[_UsualData])
_data_decoder = msgspec.json.Decoder(dict[str, Any])
_values_decoder = msgspec.json.Decoder(list[dict[str, Any]])


def parse_metrics(message: bytes) -> ServerTotals | Heartbeat:
    """Parse a message of the metrics stream. Raises `PayloadError` with the path of the faulty member."""
    read = decode_frame(_metrics_decoder, message)
    if isinstance(read, Heartbeat):
        return read
    totals = _Totals()
    for metric in read:
        totals.add(metric)
    return ServerTotals(
        counters=totals.counters,
        gauges=totals.gauges,
        histograms=totals.histograms,
        unknown={"live_metric": totals.unknown} if totals.unknown else {},
    )


def parse_traces(message: bytes) -> LiveEvents | Heartbeat:
    """
    Parse a message of the trace stream. Raises `PayloadError` with the path of the faulty member.

    Of events that do not affect an outcome only the type is parsed, and the first and last time of the message.
    """
    read = decode_frame(_events_decoder, message)
    if isinstance(read, Heartbeat):
        return read
    events = _delivery_events(read)
    if not read:
        return LiveEvents(events, 0, 0, 0)
    oldest, newest = (int(_second(read[index].created_at, index).timestamp()) for index in (0, len(read) - 1))
    return LiveEvents(events, len(read), oldest, newest, _trail_events(read))


class _Totals:
    """The metrics of a message by kind."""

    def __init__(self) -> None:
        self.counters: dict[str, int] = {}
        self.gauges: dict[str, int] = {}
        self.histograms: dict[str, HistogramTotals] = {}
        self.unknown = 0

    def add(self, metric: _Metric) -> None:
        if metric.type == "counter" and (name := canonical_event(metric.id)) is not None:
            if name in self.counters:
                raise PayloadError(f"a second value of {name}")
            self.counters[name] = metric.value
        elif metric.type == "gauge" and metric.id in GAUGES:
            if metric.value < UNDERFLOW:
                self.gauges[metric.id] = metric.value
        elif metric.type == "histogram" and metric.id in HISTOGRAMS:
            self.histograms[metric.id] = HistogramTotals(sum=metric.sum, count=metric.count)
        else:
            self.unknown += 1


def _delivery_events(read: Sequence[_Event]) -> Sequence[DeliveryEvent]:
    followed = [event for event in read if event.type in FOLLOWED_TYPES]
    try:
        return _usual_events(followed) if followed else []
    except (msgspec.DecodeError, RecursionError, ValueError, OverflowError):
        # Decode one by one: a value of an unexpected type counts as absent, and invalid data is reported by its path.
        return [event for index, raw in enumerate(read) if (event := _delivery_event(raw, index)) is not None]


def _trail_events(read: Sequence[_Event]) -> Iterator[TrailEvent]:
    """Yield the events of the trail; an event of this stream has its span's keys, so that no state is needed."""
    told = [(index, event) for index, event in enumerate(read) if event.type in TRAIL_TYPES]
    if not told:
        return
    try:
        values = _values_decoder.decode(b"[" + b",".join([event.data for _, event in told]) + b"]")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        values = [_values_or_none(event, index) for index, event in told]
    decoder = TrailDecoder()
    for (index, event), data in zip(told, values, strict=True):
        try:
            kept = decoder.read(_second(event.created_at, index), event.type, data)
        except PayloadError:
            continue
        if kept is not None:
            yield kept


def _values_or_none(event: _Event, index: int) -> dict[str, Any]:
    """Return an event's values; none if they cannot be read, since no outcome depends on them."""
    try:
        return _values(event, index)
    except PayloadError:
        return {}


def _usual_events(followed: Sequence[_Event]) -> Sequence[DeliveryEvent]:
    # All data at once: a busy stream has thousands of events, and a call for each would double the cost.
    usual = _usual_decoder.decode(b"[" + b",".join([event.data for event in followed]) + b"]")
    events: list[DeliveryEvent] = []
    stamp, at = "", EPOCH
    for event, data in zip(followed, usual, strict=True):
        if event.created_at != stamp:
            stamp = event.created_at
            at = _second_of(stamp)
        event_id, is_plain, is_strict = _TREATMENTS[event.type]
        if is_plain:
            # If the attempt has one recipient, it has one destination, and all its events name it.
            if event_id != DOMAIN_START or type(data.to) is str or len(data.to) != 1:
                queue = data.queue_name or DEFAULT_QUEUE
                events.append(DeliveryEvent(event_id, at, data.queue_id, queue, "", (), data.domain))
        elif data.strict or not is_strict:
            events.append(_full_event(event_id, at, data))
    return events


def _full_event(event_id: str, at: datetime, data: _UsualData) -> DeliveryEvent:
    details = data.details
    if type(details) is str and data.caused_by is None and data.reason is None:
        text, code = details[:TEXT_LIMIT], 0
    else:
        text, code = event_text(data.caused_by, data.reason, details)
    recipient, span_recipients = (data.to, ()) if isinstance(data.to, str) else ("", tuple(data.to))
    return DeliveryEvent(
        event_id,
        at,
        data.queue_id,
        data.queue_name or DEFAULT_QUEUE,
        recipient,
        span_recipients,
        data.domain,
        data.hostname,
        data.code or code,
        text,
    )


def _delivery_event(raw: _Event, index: int) -> DeliveryEvent | None:
    if raw.type not in FOLLOWED_TYPES:
        return None
    data = _values(raw, index)
    return delivery_event(_second(raw.created_at, index), raw.type, data, data)


def _values(raw: _Event, index: int) -> dict[str, Any]:
    try:
        return _data_decoder.decode(raw.data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PayloadError(decoding_problem(error, f"[{index}].data")) from error


def _second(stamp: str, index: int) -> datetime:
    try:
        return _second_of(stamp)
    except (ValueError, OverflowError) as error:
        raise PayloadError(f"[{index}].createdAt: not a time") from error


@lru_cache(maxsize=256)
def _second_of(stamp: str) -> datetime:
    moment = datetime.fromisoformat(stamp)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return whole_second(moment)
