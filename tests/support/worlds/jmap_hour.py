"""The same hour as a server of v0.16 tells and stores it: each message repeats all since the stream was opened."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from exporter.model.delivery import Trace
from exporter.simulator.jmap.live import live_event
from exporter.simulator.jmap.objects.telemetry import trace_to_json
from exporter.simulator.world.telemetry.events import Event
from exporter.simulator.world.world import World
from exporter.stalwart.common.ids import encode_id
from exporter.stalwart.jmap.live.client import trace_decoder
from exporter.stalwart.jmap.live.repeating_stream import Repetition
from exporter.stalwart.jmap.live.spans import Spans
from exporter.stalwart.jmap.traces import parse_trace_list, traces_decoder
from tests.support.rigs.counting import LiveSide
from tests.support.worlds.hour import Hour, StoredTrace, lived_through

VERSION = "0.16.18"


@dataclass
class JmapHour(Hour):
    """An hour in the words of v0.16."""

    def tell(self, event: Event) -> None:
        self.told.setdefault(self.second_of(event), []).append(
            json.dumps(live_event(event), separators=(",", ":")).encode()
        )

    def keep(self, world: World, id_: int) -> None:
        span = world.traces.span(id_)
        assert span is not None
        body = {"list": [{"id": encode_id(id_), **trace_to_json(span)}]}
        self.stored.append(StoredTrace(id_, world.now() - self.set_by, json.dumps(body).encode()))

    def read(self, ids: Sequence[int]) -> list[Trace]:
        by_id = {trace.id: trace for trace in self.stored}
        return [
            trace
            for id_ in ids
            for trace in parse_trace_list(traces_decoder.decode(by_id[id_].body), {encode_id(id_): id_})
        ]


class JmapSide(LiveSide):
    """A stream that repeats itself."""

    def __init__(self) -> None:
        self._spans = Spans()
        super().__init__()

    def opened(self) -> None:
        self._since: list[bytes] = []
        self._repetition = Repetition()
        self._decoder = trace_decoder(self._spans)

    def message(self, hour: Hour, second: int) -> bytes:
        told = hour.told.get(second, [])
        self._since += told
        return self._repetition.take(frame(self._since), "test") if told else b""


def frame(events: Sequence[bytes]) -> bytes:
    """A message that tells of *events*."""
    return b"[" + b",".join(events) + b"]"


@cache
def jmap_scripted(seconds: int, *, seed: int = 7) -> Hour:
    """So long of a stand-in's life, with the same mail as in the other generation."""
    return lived_through(JmapHour(seconds), version=VERSION, seed=seed)
