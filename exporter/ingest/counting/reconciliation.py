"""
Combines the deliveries of the live stream and of the stored traces so that each outcome counts once.

A live outcome counts at once if the stream covered the whole attempt. If the attempt's start was missed, the outcome
waits for the stored trace, which has the reason; if none arrives in time, it counts without one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from exporter.clock import unix_second
from exporter.ingest.counting.coverage import SETTLE_SECONDS, LiveCoverage
from exporter.ingest.counting.ledger import UNREADABLE, Ledger
from exporter.ingest.counting.repeats.outcome_counts import LIVE_OUTCOMES, STORED_OUTCOMES, OutcomeCounts, outcome_key
from exporter.model.delivery import DeliveryEvent, DeliveryOutcome, Outcome
from exporter.stalwart.events.attempt import AttemptKey
from exporter.stalwart.events.snowflakes import second_of
from exporter.stalwart.events.tracker import AttemptTracker
from exporter.stalwart.http.server_clock import ServerClock
from exporter.store.store import SeenIds
from exporter.store.trail.masking import AddressMask
from exporter.store.trail.schema import TEXT_LIMIT

LIVE_MARK, LIVED_MARK = "live_traces", "lived"

FORGET_EVERY_SECONDS = 600.0
MAX_AGE_SECONDS = 86_400
"""After a longer interruption, earlier outcomes of the stream can no longer be matched."""

MAX_WITHHELD = 4096

FIRST_POLL_SECONDS = 90.0
"""The stored traces have been polled within this time after the exporter's start."""

Withheld = tuple[float, DeliveryOutcome]
"""The latest time at which it counts, in monotonic seconds, and the outcome."""


class Reconciler:
    """
    Decides which outcomes have not been counted yet.

    Attributes:
        coverage: What the stream has covered.
        attempts: The attempts that the stream is following.
    """

    def __init__(self, coverage: LiveCoverage, counts: OutcomeCounts, *, clock: ServerClock, lived: int) -> None:
        self.coverage = coverage
        self.attempts = AttemptTracker(clock.monotonic)
        self._counts = counts
        self._clock = clock
        self._withheld: dict[bytes, list[Withheld]] = {}
        self._nameless: list[DeliveryOutcome] = []
        self._forgot_at = clock.monotonic()
        self._lived = lived - int(clock.monotonic())

    @classmethod
    async def load(cls, ledger: Ledger, *, clock: ServerClock) -> Reconciler:
        """Restore the saved state; raises `StoreError`."""
        counts = OutcomeCounts()
        try:
            counts.load(await ledger.seen(LIVE_OUTCOMES), await ledger.seen(STORED_OUTCOMES))
        except UNREADABLE as error:
            ledger.note_unreadable(LIVE_OUTCOMES, error)
        ours = clock.ours().timestamp()
        lived = ledger.restore(LIVED_MARK, int)
        lived = int(ours) if lived is None else lived

        def taken_up(state: Any) -> Reconciler:
            down = max(0.0, ours - state.get("at", 0))
            coverage = LiveCoverage(monotonic=clock.monotonic, state=state, down_seconds=down)
            reconciler = cls(coverage, counts, clock=clock, lived=lived)
            reconciler._take_up(state)
            return reconciler

        restored = ledger.restore(LIVE_MARK, taken_up)
        return restored or cls(LiveCoverage(monotonic=clock.monotonic), counts, clock=clock, lived=lived)

    def _take_up(self, state: Mapping[str, Any]) -> None:
        """Restore the outcomes that were waiting when *state* was saved."""
        passed = self._now() - self._clock.monotonic()
        soon = self._clock.monotonic() + FIRST_POLL_SECONDS
        latest = self._clock.monotonic() + SETTLE_SECONDS
        for key, until, *outcome in state.get("withheld", ()):
            waits_until = min(latest, max(soon, until - passed))
            self._withheld.setdefault(bytes.fromhex(key), []).append((waits_until, _outcome_from(outcome)))
        self._nameless = [_outcome_from(outcome) for outcome in state.get("nameless", ())]
        self.attempts = AttemptTracker.from_state(state.get("put_off", ()), self._clock.monotonic)

    def take_live(
        self, event: DeliveryEvent, outcome: DeliveryOutcome, *, is_explained: bool = False
    ) -> Iterable[DeliveryOutcome]:
        """
        Return the outcomes to count after *event* on the stream decided *outcome*.

        An outcome that *is_explained* by its events needs no trace, even if the attempt's start was missed.
        """
        if event.queue_id <= 0:
            return self._take_nameless(outcome)
        key = outcome_key(event)
        if (
            is_explained
            or outcome.outcome is Outcome.DELIVERED
            or self._knows_why((event.queue_id, event.queue_name))
            or self._counts.is_counted(key)
        ):
            return (outcome,) if self._counts.add_live(key) else ()
        self._withheld.setdefault(key, []).append((self._clock.monotonic() + SETTLE_SECONDS, outcome))
        return self._release(next(iter(self._withheld))) if len(self._withheld) > MAX_WITHHELD else ()

    def _take_nameless(self, outcome: DeliveryOutcome) -> Iterable[DeliveryOutcome]:
        """
        Return the outcomes to count after an outcome without a queue id: the start of its attempt was missed.

        Such an attempt is counted from its stored trace. If the server stores none, it counts as it is.
        """
        if self.coverage.has_store is None and len(self._nameless) < MAX_WITHHELD:
            self._nameless.append(outcome)
        return (outcome,) if self.coverage.has_store is False else ()

    def take_stored(self, event: DeliveryEvent, outcome: DeliveryOutcome) -> Iterator[DeliveryOutcome]:
        """Yield the outcomes to count after *event* in a stored trace decided *outcome*."""
        key = outcome_key(event)
        waiting = self._withheld.get(key)
        # A deferral restored at the start is decided only when the stream is connected.
        is_deferred = self.attempts.is_waiting((event.queue_id, event.queue_name))
        may_come_live = self.coverage.is_up or waiting is not None or is_deferred
        if self._counts.add_stored(key, may_come_live=may_come_live):
            yield outcome
        if waiting is not None:
            waiting.pop()
            if not waiting:
                del self._withheld[key]
            yield from self._count_live(key, outcome)

    def take_overdue(self) -> Iterator[DeliveryOutcome]:
        """Yield the outcomes whose stored trace did not arrive in time."""
        no_store = self.coverage.has_store is False
        if self._nameless and self.coverage.has_store is not None:
            yield from self._nameless if no_store else ()
            self._nameless.clear()
        now = self._clock.monotonic()
        while self._withheld:
            key, held = next(iter(self._withheld.items()))
            if not no_store and held[0][0] > now:
                return
            yield from self._release(key)

    def _release(self, key: bytes) -> Iterator[DeliveryOutcome]:
        for _, outcome in self._withheld.pop(key):
            yield from self._count_live(key, outcome)

    def wants(self, trace_id: int) -> bool:
        """Return whether a stored trace may hold events that the stream missed."""
        return self.coverage.wants(second_of(trace_id))

    def take_rows(self) -> list[SeenIds]:
        """Return what must be saved together with the counted outcomes."""
        if self._clock.monotonic() - self._forgot_at >= FORGET_EVERY_SECONDS:
            self._forgot_at = self._clock.monotonic()
            self._counts.forget_before(self._now() - self._outstanding_seconds())
        return self._counts.take_rows(self._now())

    def _outstanding_seconds(self) -> int:
        """Return the greatest possible age of an attempt whose trace is still to be read."""
        coverage = self.coverage
        if not coverage.is_up:
            return MAX_AGE_SECONDS
        since = coverage.missing_since
        return 0 if since is None else min(MAX_AGE_SECONDS, max(0, coverage.until - since))

    def to_state(self, mask: AddressMask | None = None) -> Any:
        """
        Return coverage and waiting outcomes as JSON-serializable data; their events masked, or without *mask* dropped.

        Save it in each transaction that counts outcomes, since those no longer wait. ``at`` is when the stream was last
        complete, by our clock.
        """
        told_at = int(self._clock.ours().timestamp() - self.coverage.silent_seconds)
        passed = self._now() - self._clock.monotonic()
        withheld = [
            [key.hex(), int(until + passed), *_outcome_state(outcome, mask)]
            for key, held in self._withheld.items()
            for until, outcome in held
        ]
        nameless = [_outcome_state(outcome, mask) for outcome in self._nameless]
        put_off = self.attempts.to_state(deferred_only=True)
        waiting = {"withheld": withheld, "nameless": nameless, "put_off": put_off}
        return {**self.coverage.to_state(), **waiting, "at": told_at}

    def _knows_why(self, attempt: AttemptKey) -> bool:
        return self.coverage.has_store is False or self.coverage.is_whole(attempt)

    def _count_live(self, key: bytes, outcome: DeliveryOutcome) -> Iterator[DeliveryOutcome]:
        if self._counts.add_live(key):
            yield outcome

    def _now(self) -> int:
        """
        Return the seconds of operation over all runs, starting from the Unix time of the first run.

        Outcomes expire by this time, because setting our clock or the server's does not change it.
        """
        return self._lived + int(self._clock.monotonic())

    def marks(self) -> Mapping[str, Any]:
        """Return the watermarks to be saved with the result of `take_rows`."""
        return {LIVED_MARK: self._now()}


def _outcome_state(outcome: DeliveryOutcome, mask: AddressMask | None) -> list[Any]:
    state = [unix_second(outcome.at), outcome.outcome.value, outcome.domain, outcome.reason, outcome.code]
    event = outcome.event
    if event is None or mask is None:
        return state
    named = [event.queue_id, event.queue_name, mask.address(event.recipient), event.hostname]
    return [*state, event.event_id, *named, mask.text(event.text)[:TEXT_LIMIT]]


def _outcome_from(state: Sequence[Any]) -> DeliveryOutcome:
    second, became, domain, reason, code, *rest = state
    at, event = datetime.fromtimestamp(second, UTC), None
    if rest:
        event_id, queue_id, queue_name, recipient, hostname, text = rest
        event = DeliveryEvent(event_id, at, queue_id, queue_name, recipient, hostname=hostname, text=text)
    return DeliveryOutcome(at, Outcome(became), domain, reason, code, event)
