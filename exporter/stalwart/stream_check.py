"""
Checks that a server sends the events of its deliveries.

A server produces an event only if a tracer, a webhook or the trace history requests it, but its counters rise in any
case. If they rise and no event arrives, no tracer requests the events.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from exporter.errors import PayloadError
from exporter.model.live import LiveEvents, StreamKind, UnreadableMessage
from exporter.model.telemetry import ServerTotals
from exporter.stalwart.events.outcomes import OUTCOME_EVENTS
from exporter.stalwart.live import LiveClient
from exporter.stalwart.streams.live_stream import LiveStream

PATIENCE_SECONDS = 10.0
"""Extra time for the next metrics message; they arrive every five seconds."""


@dataclass(frozen=True, slots=True)
class StreamCounts:
    """
    The counts of the metrics and the trace stream over the same time.

    Attributes:
        counted: The increase of the server's delivery counters.
        events: The events received that those counters count.
    """

    counted: int
    events: int

    def words(self) -> str:
        """Return one sentence about a problem; empty if there is none, or if nothing was delivered."""
        if not self.counted or self.events:
            return ""
        return (
            f"the server counted {self.counted} deliveries while doctor listened, but sent none of their events: no "
            "tracer on the server requests them. Enable a log tracer at level info, or the trace history."
        )


async def listen(live: LiveClient, *, seconds: float) -> StreamCounts:
    """Listen to both streams for *seconds*; raises a `TargetError` if one of them cannot be opened."""
    traces = await live.open(StreamKind.TRACES)
    async with traces.reading():
        metrics = await live.open(StreamKind.METRICS)
        async with metrics.reading():
            return await _compare(traces, metrics, seconds)


async def _compare(traces: LiveStream, metrics: LiveStream, seconds: float) -> StreamCounts:
    received = _EventCount()
    counting = asyncio.create_task(received.count(traces))
    loop = asyncio.get_running_loop()
    over = loop.time() + seconds
    first: Mapping[str, int] = {}
    last: Mapping[str, int] = {}
    try:
        async with asyncio.timeout(seconds + PATIENCE_SECONDS):
            first = last = await _counters(metrics)
            while loop.time() < over:
                last = await _counters(metrics)
    except TimeoutError:
        pass  # Compare what has arrived.
    finally:
        counting.cancel()
        await asyncio.gather(counting, return_exceptions=True)
    counted = sum(max(0, last.get(event, 0) - first.get(event, 0)) for event in OUTCOME_EVENTS)
    return StreamCounts(counted, received.events)


async def _counters(stream: LiveStream) -> Mapping[str, int]:
    """Return the counters of the next metrics message."""
    while True:
        for message in (await stream.receive()).messages:
            if isinstance(message, UnreadableMessage):
                raise PayloadError(message.error)
            if isinstance(message, ServerTotals):
                return message.counters


class _EventCount:
    """A count of outcome events, for as long as the stream lasts."""

    def __init__(self) -> None:
        self.events = 0

    async def count(self, stream: LiveStream) -> None:
        while True:
            for message in (await stream.receive()).messages:
                if isinstance(message, LiveEvents):
                    self.events += sum(event.event_id in OUTCOME_EVENTS for event in message.events)
