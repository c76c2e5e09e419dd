"""
Parsing of live stream messages.

Contract: Stalwart v0.16, Enterprise: ``GET /api/live/metrics`` (an array of every metric's current value) and
``GET /api/live/tracing`` (an array of events in the form of stored traces, each with its own keys and its span's
number). An object with an ``interval`` is a heartbeat. Before v0.16.12 counters have wrong names, as on the server's
own page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import msgspec

from exporter.errors import PayloadError
from exporter.model.delivery import DeliveryEvent
from exporter.model.live import Heartbeat, LiveEvents
from exporter.model.telemetry import HistogramTotals, ServerTotals
from exporter.model.trail_event import TrailEvent
from exporter.stalwart.common.native_page import UNDERFLOW
from exporter.stalwart.common.timestamps import utc_second
from exporter.stalwart.events.names import GAUGES, HISTOGRAMS, canonical_event, native_name
from exporter.stalwart.events.trace_events import FOLLOWED_TYPES
from exporter.stalwart.events.trail.values import TRAIL_TYPES
from exporter.stalwart.jmap.live.spans import Spans
from exporter.stalwart.jmap.native import WITHHELD, names_are_wrong
from exporter.stalwart.jmap.schema import CounterNames
from exporter.stalwart.jmap.traces import Event, event_values, event_values_or_none
from exporter.stalwart.streams.decoder import decode_frame

_Number = Annotated[int, msgspec.Meta(ge=0)]

EVENT_KEY = b'"keyValues":'
"""Occurs once per event of the trace stream; inside a string its quotes would be escaped."""


class _Metric(msgspec.Struct, gc=False):
    metric: str
    type: str = msgspec.field(name="@type")
    count: _Number | None = None
    sum: _Number | None = None


_metrics_decoder = msgspec.json.Decoder(list[_Metric])
_events_decoder = msgspec.json.Decoder(list[Event])


def parse_metrics(message: bytes, names: CounterNames) -> ServerTotals | Heartbeat:
    """
    Parse a message of the metrics stream; without counters if *names* or the message shows that they are wrong.

    Raises `PayloadError` with the path of the faulty member.
    """
    read = decode_frame(_metrics_decoder, message)
    if isinstance(read, Heartbeat):
        return read
    wrong = names_are_wrong([native_name(metric.metric) for metric in read if metric.type == "Counter"], names)
    counters: dict[str, int] = {}
    gauges: dict[str, int] = {}
    histograms: dict[str, HistogramTotals] = {}
    unknown = 0
    for index, metric in enumerate(read):
        if metric.type == "Counter":
            if wrong:
                continue
            name = canonical_event(metric.metric)
            if name in counters:
                raise PayloadError(f"[{index}]: a second value of {name}")
            if name is not None:
                counters[name] = _present(metric.count, index, "count")
            unknown += name is None
        elif metric.type == "Gauge" and metric.metric in GAUGES:
            if (value := _present(metric.count, index, "count")) < UNDERFLOW:
                gauges[metric.metric] = value
        elif metric.type == "Histogram" and metric.metric in HISTOGRAMS:
            total, count = _present(metric.sum, index, "sum"), _present(metric.count, index, "count")
            histograms[metric.metric] = HistogramTotals(sum=total, count=count)
        else:
            unknown += 1
    return ServerTotals(
        counters=counters,
        gauges=gauges,
        histograms=histograms,
        unknown={"live_metric": unknown} if unknown else {},
        counters_withheld=WITHHELD if wrong else "",
    )


def parse_traces(message: bytes, spans: Spans) -> LiveEvents | Heartbeat:
    """
    Parse a message of the trace stream, in order of arrival, since *spans* tracks the attempts.

    Raises `PayloadError` with the path of the faulty member. Events that do not affect an outcome are not parsed beyond
    their name: a stream carries whole sessions, including message contents and passwords.
    """
    read = decode_frame(_events_decoder, message)
    if isinstance(read, Heartbeat):
        return read
    if not read:
        return LiveEvents((), 0, 0, 0)
    found: list[DeliveryEvent] = []
    known: dict[int, Mapping[str, Any]] = {}
    followed = FOLLOWED_TYPES
    for index, raw in enumerate(read):
        if raw.event in followed:
            path = f"[{index}]"
            values = known[index] = event_values(raw, path)
            event = spans.read(utc_second(raw.timestamp, path, "timestamp"), raw.event, values)
            if event is not None:
                found.append(event)
    oldest, newest = (
        int(utc_second(read[at].timestamp, f"[{at}]", "timestamp").timestamp()) for at in (0, len(read) - 1)
    )
    return LiveEvents(found, len(read), oldest, newest, _trail_events(read, known, spans))


def _trail_events(read: Sequence[Event], known: Mapping[int, Mapping[str, Any]], spans: Spans) -> Iterator[TrailEvent]:
    """Yield the events of the trail; *known* are the values that are already decoded."""
    for index, raw in enumerate(read):
        if raw.event in TRAIL_TYPES:
            path = f"[{index}]"
            values = known[index] if index in known else event_values_or_none(raw, path)
            try:
                event = spans.trail.read(utc_second(raw.timestamp, path, "timestamp"), raw.event, values)
            except PayloadError:
                continue
            if event is not None:
                yield event


def _present(number: int | None, index: int, name: str) -> int:
    if number is None:
        raise PayloadError(f"[{index}].{name}: missing")
    return number
