"""An hour of a mail server: what it told live, second by second, and which traces it stored, and when."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from exporter.model.delivery import Trace
from exporter.simulator import ManualClock, Profile, World
from exporter.simulator.common.live_hub import live_event_to_json
from exporter.simulator.world.telemetry.events import Event
from exporter.stalwart.rest.traces import parse_traces

START = 1_795_358_400
HOUR = 3600
QUIET_SECONDS = 3
"""Nothing but our own connection happens in these, so that everything after them is ours to count."""

TAIL_SECONDS = 400
"""Attempts that began within the time end in here."""

HOSTS = ("ok", "defer", "busy", "hang", "grey", "refused", "expire", "reject", "nullmx", "nowhere", "full", "example")
"""Of every temper, our own server's local mail among them."""


@dataclass(frozen=True)
class StoredTrace:
    """A trace as the management API gives it, and when it was there (seconds since the beginning, plus `START`)."""

    id: int
    at: float
    body: bytes


@dataclass
class Hour:
    """
    What happened.

    Attributes:
        seconds: How long mail was written.
        steps: When (seconds since the beginning) and by how much the server's clock was set, in order.
        told: JSON of the live events of each second since the beginning (plus `START`), in order.
        stored: In the order in which they were stored.
        deliveries: The truth by outcome, reason and code.
        by_domain: The truth by domain and outcome.
    """

    seconds: int
    steps: tuple[tuple[int, int], ...] = ()
    set_by: int = 0
    told: dict[int, list[bytes]] = field(default_factory=dict)
    stored: list[StoredTrace] = field(default_factory=list)
    deliveries: Counter[tuple[str, ...]] = field(default_factory=Counter)
    by_domain: Counter[tuple[str, ...]] = field(default_factory=Counter)

    @property
    def end(self) -> int:
        """When the last attempt has ended, as time passed since `START`."""
        return START + self.seconds + TAIL_SECONDS

    def message(self, second: int) -> bytes:
        """The message of the stream about one second; empty if nothing happened in it."""
        events = self.told.get(second)
        return b"[" + b",".join(events) + b"]" if events else b""

    def visible(self, after: float, now: float) -> list[int]:
        """Ids of the traces that are there at *now* and began after *after* by the server's clock, newest first."""
        return sorted((t.id for t in self.stored if t.at <= now and began(t.id) > after), reverse=True)

    def tell(self, event: Event) -> None:
        """Takes down what the stream says of *event*."""
        told: dict[str, Any] = live_event_to_json(event)
        self.told.setdefault(self.second_of(event), []).append(json.dumps(told, separators=(",", ":")).encode())

    def second_of(self, event: Event) -> int:
        """The second in which *event* happened, as time passed since `START`."""
        return int(event.time - self.set_by)

    def keep(self, world: World, id_: int) -> None:
        """Takes down the trace that has just been stored."""
        self.stored.append(
            StoredTrace(id_, world.now() - self.set_by, json.dumps({"data": world.traces.get(id_)}).encode())
        )

    def read(self, ids: Sequence[int]) -> list[Trace]:
        """Those traces, through the decoder."""
        by_id = {trace.id: trace for trace in self.stored}
        return [trace for id_ in ids for trace in parse_traces(by_id[id_].body, [id_])]


def began(id_: int) -> float:
    """When the span of an id began, in Unix seconds."""
    return (id_ >> 21) / 1000 + 1_632_280_000


@cache
def scripted(seconds: int = HOUR, *, version: str = "0.15.5", seed: int = 7) -> Hour:
    """So long of a stand-in's life, with mail for hosts of every temper, slow ones among them."""
    return lived_through(Hour(seconds), version=version, seed=seed)


def lived_through(hour: Hour, *, version: str, seed: int) -> Hour:
    """*hour*, filled with what such a stand-in told, stored and did."""
    seconds, rng = hour.seconds, random.Random(seed)  # noqa: S311 - the same mail in every run
    profile = Profile(version=version, edition="enterprise", trace_store=True, greeting_timeout_seconds=290.0)
    world = World(profile, clock=ManualClock(float(START)), seed=seed)
    for number, domain in enumerate(HOSTS[:-1]):
        destination = world._context.destinations[f"{domain}.test"]
        destination.round_trip_ms = (0, 40, 900, 7000)[number % 4]
    world.journal.listeners.append(hour.tell)
    known: set[int] = set()
    for now in range(START, hour.end):
        step = sum(by for at, by in hour.steps if START + at == now)
        if step:
            hour.set_by += step
            world.set_clock(step)
        if now == START + 1:
            world.raise_event("http.connection-start")
        if START + QUIET_SECONDS <= now < START + seconds and rng.random() < 0.15:
            count = 1 if rng.random() < 0.7 else rng.randint(2, 4)
            domains = rng.choices(HOSTS, k=count)
            world.submit(list(dict.fromkeys(f"u{rng.randrange(9)}@{domain}.test" for domain in domains)))
            world.tick()
        elif now >= START + seconds:
            world.pause_queue()
        world.advance(1)
        for id_ in world.traces._spans.keys() - known:
            known.add(id_)
            if world.traces._spans[id_].events[0].event_id == "delivery.attempt-start":
                hour.keep(world, id_)
    for key, count in world.ledger.deliveries.items():
        hour.deliveries[key.outcome, key.reason, key.code] += count
        hour.by_domain[key.domain or "unknown", key.outcome] += count
    return hour
