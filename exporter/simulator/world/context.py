"""What the parts of one world share: profile, time, randomness, journal and destinations."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from exporter.simulator.world.mail.destinations import Destination
from exporter.simulator.world.mail.limits import Limits
from exporter.simulator.world.mail.schedules import NESTED_EXPIRE_SECONDS, Schedule
from exporter.simulator.world.outgoing import OutgoingReports
from exporter.simulator.world.profile import Profile
from exporter.simulator.world.telemetry.events import Journal, Span
from exporter.simulator.world.telemetry.snowflake import Snowflakes
from exporter.simulator.world.telemetry.traces import TraceStore
from exporter.simulator.world.values import Duration, Keys, Value


@dataclass(slots=True)
class Context:
    """
    State shared by all parts of a world.

    Attributes:
        profile: Replaced when the server is upgraded.
        speed: Divides every duration (schedules, script); timestamps are unchanged.
        destinations: By domain; a domain that is missing does not exist.
        limits: The server's own limits on mail; none at first.
    """

    profile: Profile
    rng: random.Random
    speed: float
    now: Callable[[], float]
    journal: Journal
    ids: Snowflakes
    traces: TraceStore
    schedules: dict[str, Schedule]
    destinations: dict[str, Destination]
    outgoing: OutgoingReports
    limits: Limits = field(default_factory=Limits)

    def schedule(self, queue: str, domain: str) -> Schedule:
        """Return the schedule of a virtual queue, at this world's speed; up to v0.12 all expire by time."""
        nominal = self.schedules[queue]
        destination = self.destinations.get(domain)
        if self.profile.nested_queue:
            nominal = Schedule(queue, nominal.retry, self.schedules["remote"].notify, NESTED_EXPIRE_SECONDS)
        elif destination is not None and destination.schedule is not None:
            nominal = destination.schedule
        return nominal.faster(self.speed)

    def elapsed(self, low: int = 0, high: int = 2) -> Duration:
        """Return a random short duration."""
        return Duration(self.rng.randint(low, high))

    def blob_hash(self) -> str:
        """Return a random hash, as used for the names of message bodies."""
        return base64.urlsafe_b64encode(self.rng.randbytes(32)).rstrip(b"=").decode()

    def open_span(self, event_id: str, keys: Keys, *, kept: bool = True) -> Span:
        """Begin a span with its opening event."""
        span = Span(self.ids.next(self.now()), keys, kept)
        self.journal.raise_event(event_id, keys, span)
        return span

    def close_span(self, event_id: str, span: Span, keys: dict[str, Value]) -> None:
        """End a span with its last event, and store it if traces are kept."""
        self.journal.raise_event(event_id, keys, span)
        if span.kept and self.profile.keeps_traces:
            self.traces.add(span)

    def touch_store(self, writes: int = 0, reads: int = 0, blobs_written: int = 0, blobs_read: int = 0) -> None:
        """Raise events of the data store."""
        for event_id, times in (
            ("store.data-write", writes),
            ("store.data-iterate", reads),
            ("store.blob-write", blobs_written),
            ("store.blob-read", blobs_read),
        ):
            for _ in range(times):
                self.journal.raise_event(event_id, {"elapsed": self.elapsed()})
