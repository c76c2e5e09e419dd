"""
Do the events of deliveries come?

A server produces only those events that one of its tracers, a webhook or the trace history asks for. Its counters move
regardless: where they do and no event comes, nobody there asks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from exporter.model.live import Heartbeat, StreamKind
from exporter.stalwart.events.outcomes import OUTCOME_EVENTS
from exporter.stalwart.live import LiveClient
from exporter.stalwart.streams.stream import EventStream

PATIENCE_SECONDS = 10.0
"""Beyond the time listened for: for the next message of metrics, which is five seconds after the one before it."""


@dataclass(frozen=True, slots=True)
class Heard:
    """
    What two streams told over the same while.

    Attributes:
        happened: By how much the server's counters of deliveries rose.
        events: How many of the events came that those counters count.
    """

    happened: int
    events: int

    def words(self) -> str:
        """One sentence for people; empty where all is well, or nothing happened that could tell."""
        if not self.happened or self.events:
            return ""
        return (
            f"the server counted {self.happened} deliveries while we listened, and none of their events came: no "
            "tracer of the server asks for them. "
            "A log tracer of level info, or the trace history, makes it produce them."
        )


async def listen(live: LiveClient, *, seconds: float) -> Heard:
    """Listens to both streams for so long; raises a `TargetError` if one of them cannot be had."""
    traces = await live.open(StreamKind.TRACES)
    try:
        metrics = await live.open(StreamKind.METRICS)
        try:
            return await _compare(live, traces, metrics, seconds)
        finally:
            await metrics.aclose()
    finally:
        await traces.aclose()


async def _compare(live: LiveClient, traces: EventStream, metrics: EventStream, seconds: float) -> Heard:
    heard = _Events()
    counting = asyncio.create_task(heard.count(live, traces))
    loop = asyncio.get_running_loop()
    over = loop.time() + seconds
    first: Mapping[str, int] = {}
    last: Mapping[str, int] = {}
    try:
        async with asyncio.timeout(seconds + PATIENCE_SECONDS):
            first = last = await _counters(live, metrics)
            while loop.time() < over:
                last = await _counters(live, metrics)
    except TimeoutError:
        pass  # What came until now is what there is.
    finally:
        counting.cancel()
        await asyncio.gather(counting, return_exceptions=True)
    happened = sum(max(0, last.get(event, 0) - first.get(event, 0)) for event in OUTCOME_EVENTS)
    return Heard(happened, heard.events)


async def _counters(live: LiveClient, stream: EventStream) -> Mapping[str, int]:
    """The counters of the next message."""
    while True:
        for message in await stream.receive():
            totals = live.read_metrics(message)
            if not isinstance(totals, Heartbeat):
                return totals.counters


class _Events:
    """Counts outcomes as they come, for as long as the stream lasts."""

    def __init__(self) -> None:
        self.events = 0

    async def count(self, live: LiveClient, stream: EventStream) -> None:
        while True:
            for message in await stream.receive():
                read = live.read_traces(message)
                if not isinstance(read, Heartbeat):
                    self.events += sum(event.event_id in OUTCOME_EVENTS for event in read.events)
