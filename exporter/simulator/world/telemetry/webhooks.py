"""
Webhooks of the server: what is posted and when, without I/O.

Both generations send alike. A batch that was not accepted is posted again after the rest of the throttle, with newer
events in front or behind, until its events are too old. What arrives while a post takes longer than the throttle waits
for a further event. Everything not yet accepted is lost when the process ends.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from exporter.simulator.world.profile import Profile
from exporter.simulator.world.telemetry.events import Event
from exporter.simulator.world.values import keys_to_json, rfc3339

STARTUP, SHUTDOWN = "server.startup", "server.shutdown"
FRESH_IDS = (0, 16, 11)
"""From this release on, each serialisation of an event has another id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """
    The settings of one webhook, and how it misbehaves.

    Attributes:
        key: Key of the signature; None posts without a signature.
        events: Names of the posted events, as this release spells them; None: all.
        throttle, timeout, discard_after: In seconds.
        late_share: Share of a session's events that are posted without the keys of their session.
        disorder: Whether the events of one second are posted in random order.
    """

    url: str
    key: str | None = None
    events: frozenset[str] | None = None
    throttle: float = 1.0
    timeout: float = 30.0
    discard_after: float = 300.0
    late_share: float = 0.0
    disorder: bool = False


@dataclass(frozen=True, slots=True)
class Pending:
    """An event that waits to be posted, and when it was collected."""

    time: float
    name: str
    data: dict[str, Any]


@dataclass(slots=True)
class Posting:
    """
    One running webhook.

    Attributes:
        waiting: What no post has contained yet.
        failed: What was posted and not accepted.
        due: Whether a timer will post what waits; otherwise the next event does.
        counts: Posts by their result: `accepted`, `failed`; events: `collected`, `discarded`, `lost`.
    """

    hook: Webhook
    waiting: list[Pending] = field(default_factory=list)
    failed: list[Pending] = field(default_factory=list)
    under_way: list[Pending] = field(default_factory=list)
    due: bool = False
    counts: Counter[str] = field(default_factory=Counter)


class Webhooks:
    """
    All webhooks of a server, by id.

    Attributes:
        on_event: Called after an event was collected; wakes whoever posts.
    """

    def __init__(self, profile: Callable[[], Profile], now: Callable[[], float], rng: random.Random) -> None:
        self._profile = profile
        self._now = now
        self._rng = rng
        self._serial = 0
        self._types: dict[str, int] = {}
        self.postings: dict[str, Posting] = {}
        self.on_event: Callable[[str], None] = lambda _: None
        self.written_name: Callable[[str], str] = str

    def add(self, name: str, **settings: Any) -> None:
        """Add a webhook; keywords of `Webhook`, with any iterable of names for `events`."""
        if settings.get("events") is not None:
            settings["events"] = frozenset(settings["events"])
        self.postings[name] = Posting(Webhook(**settings))

    def change(self, name: str, events: Iterable[str]) -> None:
        """Change the event list, which is all that a reload applies."""
        posting = self.postings[name]
        posting.hook = replace(posting.hook, events=frozenset(events))

    def collect(self, event: Event) -> None:
        """Add an event to every webhook that has subscribed to it."""
        written = self.written_name(event.event_id)
        for name, posting in self.postings.items():
            hook = posting.hook
            if hook.events is None or written in hook.events:
                posting.waiting.append(Pending(event.time, written, self._data(event, hook)))
                posting.counts["collected"] += 1
                self.on_event(name)

    def _data(self, event: Event, hook: Webhook) -> dict[str, Any]:
        data = keys_to_json(event.keys)
        if event.span_id is None:
            return data
        is_late = event.keys is not event.span and self._rng.random() < hook.late_share
        if not is_late:
            data |= {key: value for key, value in keys_to_json(event.span).items() if key not in data}
        return data | {"spanId": event.span_id}

    def take(self, name: str) -> dict[str, Any] | None:
        """Return the body of the next post; None if nothing waits."""
        posting = self.postings[name]
        fresh, posting.waiting = posting.waiting, []
        if posting.hook.disorder:
            order = {id(one): (int(one.time), self._rng.random()) for one in fresh}
            fresh.sort(key=lambda one: order[id(one)])
        again, posting.failed = posting.failed, []
        parts = (fresh, again) if self._rng.random() < 0.5 else (again, fresh)
        posting.under_way = [*parts[0], *parts[1]]
        posting.due = False
        if not posting.under_way:
            return None
        return {"events": [self._to_json(one) for one in posting.under_way]}

    def _to_json(self, pending: Pending) -> dict[str, Any]:
        second = int(pending.time)
        if self._profile().release >= FRESH_IDS:
            self._serial += 1
            number = self._serial
        else:
            number = self._types.setdefault(pending.name, len(self._types) + 100)
        return {
            "id": f"{second}{number}",
            "createdAt": rfc3339(pending.time),
            "type": pending.name,
            "data": pending.data,
        }

    def finish(self, name: str, *, accepted: bool, seconds: float) -> None:
        """Record the end of a post that took so many *seconds*."""
        posting = self.postings[name]
        batch, posting.under_way = posting.under_way, []
        posting.counts["accepted" if accepted else "failed"] += 1
        if not accepted:
            now = int(self._now())
            young = [one for one in batch if now - int(one.time) < posting.hook.discard_after]
            posting.counts["discarded"] += len(batch) - len(young)
            posting.failed = young
            posting.due = bool(young)
        if seconds <= posting.hook.throttle:
            posting.due = True

    def end_process(self) -> None:
        """Lose everything that was not accepted: the process ends."""
        for posting in self.postings.values():
            lost = len(posting.waiting) + len(posting.failed) + len(posting.under_way)
            posting.counts["lost"] += lost
            posting.waiting, posting.failed, posting.under_way, posting.due = [], [], [], False

    def to_json(self) -> dict[str, Any]:
        """Return the state of each webhook, for the control port."""
        return {
            name: {**posting.counts, "waiting": len(posting.waiting), "held": len(posting.failed)}
            for name, posting in self.postings.items()
        }
