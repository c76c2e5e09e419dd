"""A busy server's live stream of traces, second by second."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import msgspec

from exporter.simulator import ManualClock, Profile, World
from exporter.simulator.common.live_hub import LiveHub, Message, live_event_to_json, sse_frame
from exporter.simulator.world.telemetry.events import Event

SECONDS = 600
_STAMP = re.compile(rb'"createdAt":"([^"]+)"')


@dataclass(frozen=True)
class Told:
    """What a server told in one second."""

    second: int
    body: bytes
    events: int

    @property
    def frame(self) -> bytes:
        """As it goes over the wire."""
        return sse_frame(Message("trace", self.body))

    def later(self, seconds: int) -> Told:
        """The same, so many seconds later."""
        body = self.body
        for stamp in set(_STAMP.findall(body)):
            moved = datetime.fromisoformat(stamp.decode()).timestamp() + seconds
            text = datetime.fromtimestamp(moved, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
            body = body.replace(b'"createdAt":"' + stamp, b'"createdAt":"' + text)
        return replace(self, second=self.second + seconds, body=body)


def life(*, sessions: bool = True) -> list[Told]:
    """Ten minutes of a busy server, second by second; without *sessions*, of its outbound queue alone."""
    rng = random.Random(7)  # noqa: S311 - the same life in every run
    clock = ManualClock()
    world = World(Profile(edition="enterprise", trace_store=True), clock=clock, seed=7)
    hub = LiveHub(world)
    seconds: dict[int, list[dict[str, object]]] = {}

    def hear(event: Event) -> None:
        if hub.produces(event):
            seconds.setdefault(int(event.time), []).append(live_event_to_json(event))

    world.journal.listeners.append(hear)
    for _ in range(SECONDS):
        for _ in range(rng.randrange(6) if sessions else 0):
            world.receive(["bob@example.test"])
        for _ in range(rng.randrange(20) if sessions else 0):
            world.log_in("alice", succeeds=True)
        if rng.random() < 0.8:
            world.submit([f"a@{rng.choice(('ok', 'ok', 'ok', 'reject', 'defer'))}.test"])
        world.tick()
        world.advance(1)
    encode = msgspec.json.encode
    return [Told(second, encode(events), len(events)) for second, events in sorted(seconds.items())]
