"""The live streams, independent of their transport."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal

from exporter.simulator.common import responses as answers
from exporter.simulator.common.parameters import Parameters
from exporter.simulator.common.responses import Answer
from exporter.simulator.world.telemetry import catalog
from exporter.simulator.world.telemetry.counters import ProcessCounters
from exporter.simulator.world.telemetry.events import Event
from exporter.simulator.world.telemetry.traces import KEPT_FAMILIES
from exporter.simulator.world.values import keys_to_json, rfc3339
from exporter.simulator.world.world import World

DEFAULT_INTERVAL_SECONDS = 30
PING_SECONDS = 30.0
FRAME_SECONDS = 1.0
"""Minimum time between two messages with events."""

SPAN_ENDS = ("-start", "-end")

Ending = Literal["end", "cut"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message: the event name for Server-Sent Events, and its JSON."""

    name: str
    data: bytes


class StreamCut(Exception):
    """The connection must break now, in the middle of a message."""


class Channel:
    """
    One open stream, as an iterator over its messages; `close` unsubscribes it from events.

    Attributes:
        ending: How it will end, once that is decided.
    """

    def __init__(self, hub: LiveHub) -> None:
        self._hub = hub
        self._woken = asyncio.Event()
        self.ending: Ending | None = None

    def __aiter__(self) -> AsyncIterator[Message]:
        return self

    async def __anext__(self) -> Message:
        message = await self._next()
        if self.ending == "cut":
            raise StreamCut
        if self.ending == "end" or message is None:
            raise StopAsyncIteration
        return message

    async def _next(self) -> Message | None:
        raise NotImplementedError

    def finish(self, ending: Ending) -> None:
        """End the stream."""
        self.ending = ending
        self._woken.set()

    def close(self) -> None:
        """Release the stream, after the client has disconnected or the stream has ended."""
        self._hub.channels.discard(self)

    async def wait(self, seconds: float) -> bool:
        """Wait for something to happen; return whether it did within *seconds*."""
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return False
        return True


class MetricsChannel(Channel):
    """All metrics, immediately and then at an interval."""

    def __init__(self, hub: LiveHub, interval_seconds: float) -> None:
        super().__init__(hub)
        self._interval_seconds = interval_seconds
        self._begun = False

    async def _next(self) -> Message | None:
        if self._begun:
            await self.wait(self._interval_seconds / self._hub.pace)
        self._begun = True
        return Message("metrics", answers.encode(metrics_to_json(self._hub.world.journal.counters)))


class TracesChannel(Channel):
    """Events in real time, and a ping after an interval without events."""

    def __init__(self, hub: LiveHub) -> None:
        super().__init__(hub)
        self._events: list[Event] = []
        self._sent_at = float("-inf")
        hub.world.journal.listeners.append(self.hear)

    def hear(self, event: Event) -> None:
        """Receive an event."""
        if self._hub.produces(event):
            self._events.append(event)
            self._woken.set()

    def close(self) -> None:
        super().close()
        if self.hear in self._hub.world.journal.listeners:
            self._hub.world.journal.listeners.remove(self.hear)

    async def _next(self) -> Message | None:
        if not await self.wait(PING_SECONDS / self._hub.pace):
            return Message("ping", answers.encode({"interval": int(PING_SECONDS * 1000 / self._hub.pace)}))
        loop = asyncio.get_running_loop()
        early = self._sent_at + FRAME_SECONDS / self._hub.pace - loop.time()
        if early > 0 and self.ending is None:
            await asyncio.sleep(early)
        self._sent_at = loop.time()
        events, self._events = self._events, []
        self._woken.clear()
        return Message("trace", answers.encode([live_event_to_json(event) for event in events]))


class LiveHub:
    """
    Opens and ends streams.

    Attributes:
        channels: The open streams.
        pace: Speed of messages and pings relative to real time.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.channels: set[Channel] = set()
        self.pace = 1.0

    def metrics(self, world: World, parameters: Parameters) -> Answer:
        """Open a stream of metrics."""
        interval = max(1, parameters.number("interval", DEFAULT_INTERVAL_SECONDS))
        return self._answer(MetricsChannel(self, interval))

    def traces(self, world: World, parameters: Parameters) -> Answer:
        """Open a stream of events."""
        return self._answer(TracesChannel(self))

    def end(self, ending: Ending = "end") -> int:
        """End all streams of events, as a reload of the settings does, or cut every stream; return their number."""
        ended = [c for c in self.channels if ending == "cut" or isinstance(c, TracesChannel)]
        for channel in ended:
            channel.finish(ending)
        return len(ended)

    def produces(self, event: Event) -> bool:
        """Return whether the log or the stored traces record the event; otherwise it is not produced at all."""
        profile = self.world.profile
        if event.event_id.endswith(SPAN_ENDS):
            return True
        if profile.keeps_traces and event.event_id.partition(".")[0] in KEPT_FAMILIES:
            return True
        levels = catalog.LEVELS
        return profile.log_files and levels.index(catalog.level(event.event_id)) >= levels.index(profile.log_level)

    def _answer(self, channel: Channel) -> Answer:
        self.channels.add(channel)
        headers = (("cache-control", "no-store"),)
        return Answer(200, b"", "text/event-stream", headers, stream=SseBody(channel))


class SseBody:
    """A channel's messages in the framing of Server-Sent Events."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        return sse_frame(await anext(self.channel))


def sse_frame(message: Message) -> bytes:
    """Return one message as the server writes it."""
    return b"event: %s\ndata: %s\n\n" % (message.name.encode(), message.data)


def live_event_to_json(event: Event) -> dict[str, Any]:
    """Return an event as the live stream shows it: with the keys of its span, which its own keys override."""
    return {
        **catalog.describe(event.event_id),
        "createdAt": rfc3339(event.time),
        "type": event.event_id,
        "data": {**keys_to_json(event.span), **keys_to_json(event.keys)},
    }


def metrics_to_json(counters: ProcessCounters) -> list[dict[str, Any]]:
    """Return all metrics of the process; counters at zero and empty histograms are left out."""
    return [
        *({"id": id_, "type": "counter", "value": value} for id_, value in counters.counters.items() if value),
        *({"id": id_, "type": "gauge", "value": value} for id_, value in counters.gauges.items()),
        *(
            {"id": id_, "type": "histogram", "count": histogram.count, "sum": histogram.sum}
            for id_, histogram in counters.histograms.items()
        ),
    ]
