"""
What the live stream and the stored traces say of deliveries, brought together so that each outcome counts once.

The stream is believed at once where it has told the whole attempt. The outcome of an attempt whose beginning was missed
waits a while for the stored trace, which knows why; should none come, it counts with what is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from exporter.clock import unix_second
from exporter.ingest.counting.coverage import SETTLE_SECONDS, LiveCoverage
from exporter.ingest.counting.ledger import Ledger
from exporter.ingest.counting.outcome_counts import LIVE_OUTCOMES, STORED_OUTCOMES, OutcomeCounts, outcome_key
from exporter.model.delivery import DeliveryEvent, DeliveryOutcome, Outcome
from exporter.stalwart.events.attempt import AttemptKey
from exporter.stalwart.events.snowflakes import second_of
from exporter.stalwart.events.tracker import AttemptTracker
from exporter.stalwart.http.server_clock import ServerClock
from exporter.store.store import SeenIds

LIVE_MARK, LIVED_MARK = "live_traces", "lived"

FORGET_EVERY_SECONDS = 600.0
MAX_AGE_SECONDS = 86_400
"""A stream that was gone for longer has lost the account of what it told before."""

MAX_WITHHELD = 4096

FIRST_POLL_SECONDS = 90.0
"""After a start of ours the stored traces have been asked for by then."""

Withheld = tuple[float, DeliveryOutcome]
"""When it counts at the latest, in monotonic seconds."""


class Reconciler:
    """
    Decides which outcome is one more than was counted.

    Attributes:
        coverage: What the stream has told.
        attempts: What the attempts that it tells of have met with.
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
        """Takes up what was saved; raises `StoreError`."""
        counts = OutcomeCounts()
        counts.load(await ledger.seen(LIVE_OUTCOMES), await ledger.seen(STORED_OUTCOMES))
        state = ledger.watermark(LIVE_MARK)
        lived = ledger.watermark(LIVED_MARK)
        ours = clock.ours().timestamp()
        down = 0.0 if state is None else max(0.0, ours - state["at"])
        coverage = LiveCoverage(monotonic=clock.monotonic, state=state, down_seconds=down)
        reconciler = cls(coverage, counts, clock=clock, lived=int(ours) if lived is None else lived)
        if state is not None:
            reconciler._take_up(state)
        return reconciler

    def _take_up(self, state: Mapping[str, Any]) -> None:
        """Takes up what waited to be counted when the state was saved."""
        passed = self._now() - self._clock.monotonic()
        soon = self._clock.monotonic() + FIRST_POLL_SECONDS
        latest = self._clock.monotonic() + SETTLE_SECONDS
        for key, until, *outcome in state["withheld"]:
            waits_until = min(latest, max(soon, until - passed))
            self._withheld.setdefault(bytes.fromhex(key), []).append((waits_until, _outcome_from(outcome)))
        self._nameless = [_outcome_from(outcome) for outcome in state["nameless"]]
        self.attempts = AttemptTracker.from_state(state["put_off"], self._clock.monotonic)

    def take_live(
        self, event: DeliveryEvent, outcome: DeliveryOutcome, *, is_explained: bool = False
    ) -> Iterable[DeliveryOutcome]:
        """
        The outcomes to count now that the stream has told of *outcome*, which *event* decided.

        One that *is_explained* by what was seen needs no trace, even if its attempt's beginning was missed.
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
        The same for a message that is not known, as the stream has not told of the beginning of its attempt.

        Such an attempt counts by its stored trace. Where there are none, it counts with what is known.
        """
        if self.coverage.has_store is None and len(self._nameless) < MAX_WITHHELD:
            self._nameless.append(outcome)
        return (outcome,) if self.coverage.has_store is False else ()

    def take_stored(self, event: DeliveryEvent, outcome: DeliveryOutcome) -> Iterator[DeliveryOutcome]:
        """The outcomes to count now that a stored trace has told of *outcome*, which *event* decided."""
        key = outcome_key(event)
        waiting = self._withheld.get(key)
        may_come_live = self.coverage.is_up or waiting is not None
        if self._counts.add_stored(key, may_come_live=may_come_live):
            yield outcome
        if waiting is not None:
            waiting.pop()
            if not waiting:
                del self._withheld[key]
            yield from self._count_live(key, outcome)

    def take_overdue(self) -> Iterator[DeliveryOutcome]:
        """The outcomes that no stored trace has explained in time."""
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
        """Whether a stored trace may tell what the stream did not."""
        return self.coverage.wants(second_of(trace_id))

    def take_rows(self) -> list[SeenIds]:
        """What is to be saved together with what was counted."""
        if self._clock.monotonic() - self._forgot_at >= FORGET_EVERY_SECONDS:
            self._forgot_at = self._clock.monotonic()
            self._counts.forget_before(self._now() - self._outstanding_seconds())
        return self._counts.take_rows(self._now())

    def _outstanding_seconds(self) -> int:
        """How old the oldest attempt may be whose trace is still to be read."""
        coverage = self.coverage
        if not coverage.is_up:
            return MAX_AGE_SECONDS
        since = coverage.missing_since
        return 0 if since is None else min(MAX_AGE_SECONDS, max(0, coverage.until - since))

    def to_state(self) -> Any:
        """
        The JSON-able form of what the stream has told, and of what waits to be counted.

        It belongs into each transaction that counts, since what was counted waits no longer. ``at`` is when the stream
        told last, by our clock.
        """
        told_at = int(self._clock.ours().timestamp() - self.coverage.silent_seconds)
        passed = self._now() - self._clock.monotonic()
        withheld = [
            [key.hex(), int(until + passed), *_outcome_state(outcome)]
            for key, held in self._withheld.items()
            for until, outcome in held
        ]
        nameless = [_outcome_state(outcome) for outcome in self._nameless]
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
        Seconds that this has been counting for, over all runs, from the Unix time of the first one.

        What is remembered is forgotten by these: no clock that is set changes them, neither ours nor the server's.
        """
        return self._lived + int(self._clock.monotonic())

    def marks(self) -> Mapping[str, Any]:
        """The watermark that goes to disk with what `take_rows` gives."""
        return {LIVED_MARK: self._now()}


def _outcome_state(outcome: DeliveryOutcome) -> list[Any]:
    return [unix_second(outcome.at), outcome.outcome.value, outcome.domain, outcome.reason, outcome.code]


def _outcome_from(state: Sequence[Any]) -> DeliveryOutcome:
    second, became, domain, reason, code = state
    return DeliveryOutcome(datetime.fromtimestamp(second, UTC), Outcome(became), domain, reason, code)
