"""
Failures that are logged without their message.

The threads of a busy server may log the end of an attempt before its start: its events then lack the queue id and
everything else that an attempt's events share. A failure still names its recipient or destination.

Contract: Stalwart v0.16, observed for 11 of 10 000 deferrals under load.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from exporter.clock import unix_second
from exporter.model.delivery import DeliveryEvent
from exporter.stalwart.events.attempt import MAX_RECIPIENTS, MESSAGE, RECIPIENT, Attempt, Scope, checksum
from exporter.stalwart.events.outcomes import AttemptFailure

STRAY_SECONDS = 2
"""The longest time between a failure and the deferral that it explains, by the server's clock."""


class StrayFailures:
    """The latest failures by scope."""

    def __init__(self) -> None:
        self._failures: dict[Scope, tuple[int, AttemptFailure]] = {}

    def to_state(self) -> list[Any]:
        """Return the state as JSON-serializable data."""
        return [[*scope, at, *failure] for scope, (at, failure) in self._failures.items()]

    @classmethod
    def from_state(cls, state: Iterable[Sequence[Any]]) -> StrayFailures:
        """Restore what `to_state` has saved."""
        strays = cls()
        strays._failures = {(kind, about): (at, AttemptFailure(*why)) for kind, about, at, *why in state}
        return strays

    def note(self, scope: Scope, failure: AttemptFailure, event: DeliveryEvent) -> None:
        """Record a failure that names its recipient or destination."""
        if not scope[1] or scope[0] == MESSAGE:
            return
        self._failures.pop(scope, None)
        self._failures[scope] = unix_second(event.at), failure
        for oldest in list(islice(self._failures, max(0, len(self._failures) - MAX_RECIPIENTS))):
            del self._failures[oldest]

    def settle(self, recipient: str) -> None:
        """Forget the failure of *recipient*, which was delivered or has failed permanently."""
        if self._failures:
            self._failures.pop((RECIPIENT, checksum(recipient)), None)

    def explain(self, attempt: Attempt) -> None:
        """Move the failures of its recipients to an attempt with an unexplained deferral."""
        deferral = attempt.deferral
        if deferral is None or not self._failures or attempt.explanation() is not None:
            return
        near = dict(self._near(unix_second(deferral.event.at)))
        for mark, _ in deferral.recipients:
            if (RECIPIENT, mark) in near:
                attempt.note((RECIPIENT, mark), near[RECIPIENT, mark], weak=False)
                del self._failures[RECIPIENT, mark]

    def common(self, event: DeliveryEvent) -> AttemptFailure | None:
        """Return the explanation of a deferral without a known message: the one that all failures near it share."""
        near = [failure for _, failure in self._near(unix_second(event.at))]
        if len({(failure.reason, failure.code) for failure in near}) != 1:
            return None
        domains = {failure.domain for failure in near}
        return near[0]._replace(domain=domains.pop() if len(domains) == 1 else "")

    def _near(self, second: int) -> Iterable[tuple[Scope, AttemptFailure]]:
        return ((scope, why) for scope, (at, why) in self._failures.items() if abs(at - second) <= STRAY_SECONDS)
