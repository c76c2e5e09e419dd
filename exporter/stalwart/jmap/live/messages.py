"""
The messages of the live streams.

Contract: Stalwart v0.16, Enterprise: ``GET /api/live/metrics`` (an array of every metric's present value) and
``GET /api/live/tracing`` (an array of events in the form of stored traces, each with its own keys and the number of
its span). An object with an ``interval`` says that nothing happened. Counters stand under wrong names before v0.16.12,
as on the server's own page.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from exporter.errors import PayloadError
from exporter.model.delivery import DeliveryEvent
from exporter.model.live import Heartbeat, LiveEvents
from exporter.model.telemetry import HistogramTotals, ServerTotals
from exporter.stalwart.common.native_page import UNDERFLOW
from exporter.stalwart.common.timestamps import utc_second
from exporter.stalwart.events.names import GAUGES, HISTOGRAMS, canonical_event, native_name
from exporter.stalwart.events.trace_events import FOLLOWED_TYPES
from exporter.stalwart.jmap.live.spans import Spans
from exporter.stalwart.jmap.native import WITHHELD, names_are_wrong
from exporter.stalwart.jmap.schema import CounterNames
from exporter.stalwart.jmap.traces import Event, event_values
from exporter.stalwart.streams.decoder import decode_frame

_Number = Annotated[int, msgspec.Meta(ge=0)]

EVENT_KEY = b'"keyValues":'
"""Written once per event of the stream of traces; inside a string its quotes would be escaped."""


class _Metric(msgspec.Struct, gc=False):
    metric: str
    type: str = msgspec.field(name="@type")
    count: _Number | None = None
    sum: _Number | None = None


_metrics_decoder = msgspec.json.Decoder(list[_Metric])
_events_decoder = msgspec.json.Decoder(list[Event])


def parse_metrics(message: bytes, names: CounterNames) -> ServerTotals | Heartbeat:
    """
    One message of the stream of metrics, without counters where their *names* or the message itself give them away.

    Raises `PayloadError` with the path of what cannot be read.
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
    One message of the stream of traces, whose events are told after those that *spans* has been told.

    Raises `PayloadError` with the path of what cannot be read. Of events that do not bear on deliveries no more than
    their name is looked at: a stream carries whole sessions, letters and passwords included.
    """
    read = decode_frame(_events_decoder, message)
    if isinstance(read, Heartbeat):
        return read
    followed = FOLLOWED_TYPES
    found = [
        event
        for index, told in enumerate(read)
        if told.event in followed and (event := _delivery_event(told, index, spans)) is not None
    ]
    if not read:
        return LiveEvents(found, 0, 0, 0)
    oldest, newest = (
        int(utc_second(read[at].timestamp, f"[{at}]", "timestamp").timestamp()) for at in (0, len(read) - 1)
    )
    return LiveEvents(found, len(read), oldest, newest)


def _delivery_event(told: Event, index: int, spans: Spans) -> DeliveryEvent | None:
    path = f"[{index}]"
    return spans.read(utc_second(told.timestamp, path, "timestamp"), told.event, event_values(told, path))


def _present(number: int | None, index: int, name: str) -> int:
    if number is None:
        raise PayloadError(f"[{index}].{name}: missing")
    return number
