"""
The outcomes of a delivery attempt: one rule for the log, stored traces and live streams.

A deferral (``queue.rescheduled``) has no reason, and the event that explains it may arrive slightly later. Its reason
is therefore decided at the end of the attempt: it is the last failure of a recipient that is still to be delivered.
Failures of recipients that were delivered or have failed permanently do not count.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from exporter.clock import unix_second
from exporter.domains import domain_name
from exporter.model.delivery import DeliveryEvent, DeliveryOutcome, Outcome
from exporter.model.queue import FailureReason
from exporter.stalwart.events.attempt import (
    Attempt,
    AttemptKey,
    Deferral,
    attempt_from,
    attempt_from_earlier,
    attempt_state,
    put_off_at,
    recipients_of,
    scope_of,
)
from exporter.stalwart.events.outcomes import (
    ARRIVED,
    ATTEMPT_END,
    ATTEMPT_START,
    GIVEN_UP,
    PLAIN_EVENTS,
    PUT_OFF,
    SUCCESS,
    AttemptFailure,
    code_of,
    destination,
    failure_reason,
    status_reason,
    three_digits,
)
from exporter.stalwart.events.strays import StrayFailures

MAX_ATTEMPTS = 4096
"""The most running attempts that are tracked; far more than a server has at a time."""

WAIT_SECONDS = 90.0
"""How long a deferral waits for the end of its attempt; longer than the interval between two polls of the log."""

GRACE_SECONDS = 2
"""How long after an attempt's end its events may still be written, by the server's clock."""

LATE_SECONDS = 5.0
"""The same by the exporter's clock, in case the server writes nothing more."""


class Decision(NamedTuple):
    """An outcome and its event; *is_explained*: its reason was seen, and no missed event could change it."""

    event: DeliveryEvent
    outcome: DeliveryOutcome
    is_explained: bool


class AttemptTracker:
    """
    A state machine that turns events, fed in order of occurrence, into outcomes.

    It tracks the failures of each running attempt, since the outcome's event does not contain the reason; `to_state`
    saves them. The caller regularly calls `take_overdue`, or `finish` at the end. Events without a known message are
    matched by `strays`, unless all belong to *one_attempt*.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic, *, one_attempt: bool = False) -> None:
        self._monotonic = monotonic
        self._one_attempt = one_attempt
        self._attempts: dict[AttemptKey, Attempt] = {}
        self._waiting: dict[AttemptKey, float] = {}
        self._late: dict[AttemptKey, float] = {}
        self._decided: list[Decision] = []
        self.strays = StrayFailures()

    def feed(self, event: DeliveryEvent) -> Sequence[Decision]:
        """Process *event* and return the outcomes that it decides, usually none or one."""
        event_id, key = event.event_id, (event.queue_id, event.queue_name)
        if event_id == ATTEMPT_START:
            if key in self._attempts:
                self._close(key)
        elif event_id == ATTEMPT_END:
            if key in self._attempts:
                self._end(key, unix_second(event.at))
        elif event_id == SUCCESS:
            self._settle(key, event)
            domain = destination(event)
            outcome = DeliveryOutcome(event.at, Outcome.DELIVERED, domain, "", three_digits(event.code), event)
            return (Decision(event, outcome, True),)
        elif event_id == GIVEN_UP:
            return (self._give_up(key, event),)
        elif event_id == PUT_OFF:
            self._put_off(key, event)
        else:
            self._learn(key, event)
        if not self._decided:
            return ()
        decided, self._decided = self._decided, []
        return decided

    def take_overdue(self, written_until: int = 0) -> Sequence[Decision]:
        """
        Decide the deferrals that have waited long enough, and return them.

        *written_until*: The Unix second up to which the server has written events, by its own clock.
        """
        now = self._monotonic()
        while self._waiting and now - next(iter(self._waiting.values())) >= WAIT_SECONDS:
            self._close(next(iter(self._waiting)))
        while self._late:
            key, since = next(iter(self._late.items()))
            if now - since < LATE_SECONDS and written_until <= self._attempts[key].ended_at + GRACE_SECONDS:
                break
            self._close(key)
        decided, self._decided = self._decided, []
        return decided

    def finish(self) -> Sequence[Decision]:
        """Decide every waiting deferral, since no more events follow, and return them."""
        for key in list(self._attempts):
            self._close(key)
        decided, self._decided = self._decided, []
        return decided

    def forget_deferrals(self) -> None:
        """Drop all waiting deferrals without counting them."""
        for key in (*self._waiting, *self._late):
            self._attempts[key].deferral = None
        self._waiting.clear()

    def is_waiting(self, key: AttemptKey) -> bool:
        """Whether a deferral of this attempt waits for its reason."""
        attempt = self._attempts.get(key)
        return attempt is not None and attempt.deferral is not None

    def held_since(self) -> Mapping[AttemptKey, float]:
        """Return since when each attempt has waited, in monotonic seconds."""
        return {**self._waiting, **self._late}

    def to_state(self, *, deferred_only: bool = False) -> list[Any]:
        """Return the JSON-compatible state; with *deferred_only*, only of attempts with a waiting deferral."""
        if deferred_only and not self._waiting and not self._late:
            return []
        kept = ((key, one) for key, one in self._attempts.items() if one.deferral is not None or not deferred_only)
        return [[*key, attempt_state(attempt)] for key, attempt in kept]

    @classmethod
    def from_state(
        cls,
        state: Iterable[Sequence[Any]],
        monotonic: Callable[[], float] = time.monotonic,
        held_since: Mapping[AttemptKey, float] | None = None,
        strays: Iterable[Sequence[Any]] = (),
    ) -> AttemptTracker:
        """Restore from `to_state`, also of earlier versions; *held_since* continues waiting times in one process."""
        tracker, since = cls(monotonic), held_since or {}
        tracker.strays = StrayFailures.from_state(strays)
        for queue_id, queue_name, *rest in state:
            key = (queue_id, queue_name)
            attempt = attempt_from(key, rest[0]) if len(rest) == 1 else attempt_from_earlier(*rest)
            tracker._attempts[key] = attempt
            if attempt.ended_at:
                tracker._late[key] = since.get(key, monotonic())
            elif attempt.deferral is not None:
                tracker._waiting[key] = since.get(key, monotonic())
        return tracker

    def _remembered(self, key: AttemptKey, event: DeliveryEvent) -> Attempt:
        """Return the attempt of *event*, a new one if the last ended more than `GRACE_SECONDS` before it."""
        attempt = self._attempts.get(key)
        if attempt is not None and attempt.ended_at and unix_second(event.at) > attempt.ended_at + GRACE_SECONDS:
            self._close(key)
            attempt = None
        if attempt is None:
            attempt = self._attempts[key] = Attempt()
            if len(self._attempts) > MAX_ATTEMPTS:
                self._close(next(iter(self._attempts)))
        return attempt

    def _is_known(self, event: DeliveryEvent) -> bool:
        """Whether the attempt of *event* is known."""
        return self._one_attempt or event.queue_id != 0

    def _settle(self, key: AttemptKey, event: DeliveryEvent) -> None:
        self.strays.settle(event.recipient)
        if self._is_known(event) and event.recipient:
            self._remembered(key, event).settle(event.recipient)

    def _learn(self, key: AttemptKey, event: DeliveryEvent) -> None:
        reason, weak = (None, False) if event.event_id in PLAIN_EVENTS else failure_reason(event)
        if not self._is_known(event):
            if reason is not None and not weak:
                self._stray(event, AttemptFailure(reason.value, code_of(event), destination(event)))
            return
        if reason is None and not event.domain and event.event_id != ARRIVED:
            return
        attempt = self._remembered(key, event)
        if event.domain:
            attempt.domain = domain_name(event.domain) or ""
        if event.event_id == ARRIVED:
            attempt.weak.clear()
        elif reason is not None:
            failure = AttemptFailure(reason.value, code_of(event), destination(event, attempt.domain))
            attempt.note(scope_of(event, failure.domain), failure, weak=weak)
            if attempt.ended_at:
                self._decide_if_explained(key, attempt)

    def _stray(self, event: DeliveryEvent, failure: AttemptFailure) -> None:
        self.strays.note(scope_of(event, failure.domain), failure, event)
        for key in list(self._late):
            self._decide_if_explained(key, self._attempts[key])

    def _give_up(self, key: AttemptKey, event: DeliveryEvent) -> Decision:
        reason = status_reason(event)
        attempt = self._attempts.get(key) or Attempt()
        why = AttemptFailure(reason.value, code_of(event), destination(event, attempt.domain))
        if reason is FailureReason.UNKNOWN and not why.code:
            earlier = attempt.failure_of(event.recipient)
            why = why if earlier is None else earlier._replace(domain=why.domain)
        self._settle(key, event)
        outcome = _failed(event, Outcome.PERMANENT_FAILURE, why)
        return Decision(event, outcome, reason is not FailureReason.UNKNOWN and bool(why.domain))

    def _put_off(self, key: AttemptKey, event: DeliveryEvent) -> None:
        """Record a deferral; decide it at once if its attempt is unknown, or has ended with a known reason."""
        if not self._is_known(event):
            why = self.strays.common(event) or AttemptFailure(FailureReason.UNKNOWN.value, "", destination(event))
            self._decided.append(Decision(event, _failed(event, Outcome.TEMPORARY_FAILURE, why), False))
            return
        attempt = self._remembered(key, event)
        if attempt.deferral is not None:
            self._decide(attempt)
        attempt.deferral = Deferral(put_off_at(key, event.at), destination(event), recipients_of(event))
        if attempt.ended_at:
            self._decide_if_explained(key, attempt)
        else:
            self._waiting.pop(key, None)
            self._waiting[key] = self._monotonic()

    def _end(self, key: AttemptKey, ended_at: int) -> None:
        """Record the end of an attempt; an unexplained deferral waits for events that are written slightly later."""
        attempt = self._attempts[key]
        self._waiting.pop(key, None)
        attempt.ended_at = ended_at
        if attempt.deferral is None and attempt.explanation() is None:
            self._forget(key)
            return
        self._late.setdefault(key, self._monotonic())
        self._decide_if_explained(key, attempt)

    def _decide_if_explained(self, key: AttemptKey, attempt: Attempt) -> None:
        self.strays.explain(attempt)
        if attempt.deferral is not None and attempt.explanation() is not None:
            self._close(key)

    def _close(self, key: AttemptKey) -> None:
        """Forget an attempt and decide its deferral."""
        attempt = self._forget(key)
        if attempt is not None:
            self._decide(attempt)

    def _forget(self, key: AttemptKey) -> Attempt | None:
        self._waiting.pop(key, None)
        self._late.pop(key, None)
        return self._attempts.pop(key, None)

    def _decide(self, attempt: Attempt) -> None:
        """Decide the deferral of *attempt*, if there is one."""
        deferral = attempt.deferral
        if deferral is None:
            return
        explanation = attempt.explanation()
        why = explanation or attempt.suspicion()
        if why is None:
            why = AttemptFailure(FailureReason.UNKNOWN.value, "", attempt.open_domain(deferral))
        elif not why.domain:
            # The destination tried last is not necessarily the one that failed.
            why = why._replace(domain=attempt.open_domain(deferral))
        outcome = _failed(deferral.event, Outcome.TEMPORARY_FAILURE, why)
        is_explained = explanation is not None and bool(why.domain) and attempt.ended_at > 0
        self._decided.append(Decision(deferral.event, outcome, is_explained))
        attempt.deferral = None


def _failed(event: DeliveryEvent, outcome: Outcome, why: AttemptFailure) -> DeliveryOutcome:
    return DeliveryOutcome(event.at, outcome, why.domain, why.reason, why.code, event)
