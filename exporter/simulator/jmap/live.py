"""The live streams of the JMAP generation: its names of metrics, and traces that repeat all earlier events."""

from __future__ import annotations

from typing import Any

from exporter.simulator.common import responses as answers
from exporter.simulator.common.live_hub import (
    PING_SECONDS,
    Channel,
    LiveHub,
    Message,
    MetricsChannel,
    SseBody,
    TracesChannel,
)
from exporter.simulator.common.parameters import Parameters
from exporter.simulator.common.responses import Answer
from exporter.simulator.jmap.objects.telemetry import event_to_json, typed
from exporter.simulator.jmap.wire import Json
from exporter.simulator.world.telemetry.counters import ProcessCounters
from exporter.simulator.world.telemetry.events import Event
from exporter.simulator.world.telemetry.names import printed_name
from exporter.simulator.world.values import Value, to_json


class JmapMetricsChannel(MetricsChannel):
    """The requested metrics, immediately and then at an interval."""

    def __init__(self, hub: LiveHub, interval_seconds: float, wanted: frozenset[str]) -> None:
        super().__init__(hub, interval_seconds)
        self._wanted = wanted

    async def _next(self) -> Message | None:
        message = await super()._next()
        world = self._hub.world
        frame = metrics_to_json(world.journal.counters, misnamed=world.profile.misnamed_counters)
        return Message(message.name, answers.encode(_filtered(frame, self._wanted))) if message is not None else None


class JmapTracesChannel(TracesChannel):
    """
    Events in real time, each message with all events since the stream was opened.

    The stream begins with a ping; after the first match, all events are sent again instead of pings.
    """

    def __init__(self, hub: LiveHub, conditions: dict[str, str]) -> None:
        self._since_opened: list[Event] = []
        self._matched_spans: set[int] = set()
        self._conditions = conditions
        self._greeted = False
        super().__init__(hub)

    def hear(self, event: Event) -> None:
        """Receive an event."""
        if self._hub.produces(event) and self._wants(event):
            self._since_opened.append(event)
            super().hear(event)

    def _wants(self, event: Event) -> bool:
        """Return whether the event is sent: after one event of a span has matched, all later ones of the span are."""
        if event.span_id in self._matched_spans:
            return True
        if not all(_matches(event, key, text) for key, text in self._conditions.items()):
            return False
        if event.span_id is not None:
            self._matched_spans.add(event.span_id)
        return True

    async def _next(self) -> Message | None:
        if not self._greeted:
            self._greeted = True
            return Message("ping", answers.encode({"interval": int(PING_SECONDS * 1000)}))
        message = await super()._next()
        if message is None or not self._since_opened:
            return message
        return Message("trace", answers.encode([live_event(event) for event in self._since_opened]))


def open_metrics(hub: LiveHub, parameters: Parameters) -> Answer:
    """Open a stream of metrics; an interval of 0 means one second."""
    wanted = frozenset(name for name in parameters.text("metrics").split(",") if name)
    return _opened(hub, JmapMetricsChannel(hub, max(1, parameters.number("interval", 30)), wanted))


def open_traces(hub: LiveHub, parameters: Parameters) -> Answer:
    """Open a stream of events."""
    return _opened(hub, JmapTracesChannel(hub, parameters.all_but("token")))


def _opened(hub: LiveHub, channel: Channel) -> Answer:
    hub.channels.add(channel)
    return Answer(200, b"", "text/event-stream", (("cache-control", "no-store"),), stream=SseBody(channel))


def live_event(event: Event) -> Json:
    """Return an event as the stream shows it: its own keys, and the number of its span."""
    shown = event_to_json(event)
    if event.span_id is not None:
        pairs = shown["keyValues"]
        pairs[str(len(pairs))] = {"key": "spanId", "value": typed(event.span_id)}
    return shown


def _matches(event: Event, key: str, text: str) -> bool:
    """
    Return whether an event meets one condition, `filter` or a key.

    Keys are lower-cased before the lookup, so keys of several words are never found and do not filter at all.
    """
    if key == "filter":
        return any(text in words for value in event.keys.values() for words in _texts(value))
    if key != key.lower():
        return True
    return any(text in words for words in _texts(event.keys.get(key)))


def _texts(value: Value) -> list[str]:
    if isinstance(value, tuple):
        return [text for item in value for text in _texts(item)]
    shown: Any = to_json(value)
    if isinstance(shown, bool):
        return [str(shown).lower()]
    return [shown] if isinstance(shown, str) else []


def metrics_to_json(counters: ProcessCounters, *, misnamed: bool) -> list[Json]:
    """Return all metrics of the process; counters at zero and empty histograms are left out."""
    told: dict[str, int] = {}
    for event_id, value in counters.counters.items():
        if value:
            name = printed_name(event_id, misnamed=misnamed)
            told[name] = told.get(name, 0) + value
    return [
        *({"metric": name, "@type": "Counter", "count": value} for name, value in told.items()),
        *({"metric": name, "@type": "Gauge", "count": value} for name, value in counters.gauges.items()),
        *(
            {"metric": name, "@type": "Histogram", "count": histogram.count, "sum": histogram.sum}
            for name, histogram in counters.histograms.items()
            if histogram.count
        ),
    ]


def _filtered(frame: list[Json], wanted: frozenset[str]) -> list[Json]:
    """Filter counters only if a counter was named, gauges and histograms only if one of them was."""
    counters = {metric["metric"] for metric in frame if metric["@type"] == "Counter"} & wanted
    others = {metric["metric"] for metric in frame if metric["@type"] != "Counter"} & wanted
    return [
        metric
        for metric in frame
        if not (named := counters if metric["@type"] == "Counter" else others) or metric["metric"] in named
    ]
