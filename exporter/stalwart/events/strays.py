"""
Failures that the log shows without their message.

A busy server's threads may write the end of an attempt before its start: these events lack the queue id and what else
every event of the attempt has. A failure still names its recipient, or its destination.

Contract: Stalwart v0.16, seen on 11 of 10 000 deferrals of a flood.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from exporter.clock import unix_second
from exporter.model.delivery import DeliveryEvent
from exporter.stalwart.events.attempt import MAX_RECIPIENTS, MESSAGE, RECIPIENT, Attempt, Scope, checksum
from exporter.stalwart.events.outcomes import AttemptFailure

STRAY_SECONDS = 2
"""How far apart, by the server's clock, a failure and the deferral that it explains may be written."""


class StrayFailures:
    """The last ones, by whom they befell. They are not saved: a deferral follows within the same moment."""

    def __init__(self) -> None:
        self._failures: dict[Scope, tuple[int, AttemptFailure]] = {}

    def note(self, scope: Scope, failure: AttemptFailure, event: DeliveryEvent) -> None:
        """Remembers a failure that names whom it befell."""
        if not scope[1] or scope[0] == MESSAGE:
            return
        self._failures.pop(scope, None)
        self._failures[scope] = unix_second(event.at), failure
        for oldest in list(islice(self._failures, max(0, len(self._failures) - MAX_RECIPIENTS))):
            del self._failures[oldest]

    def settle(self, recipient: str) -> None:
        """A recipient was delivered or given up: its failure explains no deferral."""
        if self._failures:
            self._failures.pop((RECIPIENT, checksum(recipient)), None)

    def explain(self, attempt: Attempt) -> None:
        """Adds to an attempt with an unexplained deferral what befell one of its recipients."""
        deferral = attempt.deferral
        if deferral is None or not self._failures or attempt.explanation() is not None:
            return
        near = dict(self._near(unix_second(deferral.event.at)))
        for mark, _ in deferral.recipients:
            if (RECIPIENT, mark) in near:
                attempt.note((RECIPIENT, mark), near[RECIPIENT, mark], weak=False)
                del self._failures[RECIPIENT, mark]

    def common(self, event: DeliveryEvent) -> AttemptFailure | None:
        """What explains a deferral whose message is not known either: that on which all near it agree."""
        near = [failure for _, failure in self._near(unix_second(event.at))]
        if len({(failure.reason, failure.code) for failure in near}) != 1:
            return None
        domains = {failure.domain for failure in near}
        return near[0]._replace(domain=domains.pop() if len(domains) == 1 else "")

    def _near(self, second: int) -> Iterable[tuple[Scope, AttemptFailure]]:
        return ((scope, why) for scope, (at, why) in self._failures.items() if abs(at - second) <= STRAY_SECONDS)
