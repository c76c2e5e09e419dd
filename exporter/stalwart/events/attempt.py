"""
The state of one delivery attempt: its failures, by the recipients they concern, and its deferral.

A failure of recipients that were delivered or have failed permanently does not explain a deferral. No addresses are
kept, only checksums.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

from exporter.clock import unix_second
from exporter.domains import domain_of
from exporter.model.delivery import DeliveryEvent
from exporter.stalwart.events.outcomes import MESSAGE_REJECTED, PUT_OFF, AttemptFailure

MAX_RECIPIENTS = 256
"""The most failures kept per attempt, and the most recipients kept per deferral."""

AttemptKey = tuple[int, str]
"""The id of a queued message and its virtual queue; for one key, attempts never overlap."""

RECIPIENT, MESSAGE, SESSION = "r", "m", "s"

Scope = tuple[str, int | str]
"""
The recipients that a failure concerns, as a kind and a checksum or domain.

``RECIPIENT``: one recipient, by checksum. ``MESSAGE``: a domain whose server rejected the message, except recipients
with a failure of their own. ``SESSION``: all recipients of a domain.
"""


@dataclass(slots=True)
class Deferral:
    """
    A deferral whose reason is not yet decided.

    Attributes:
        event: The event, without recipients' addresses.
        domain: The only destination of the attempt, or empty.
        recipients: Checksum and domain of each recipient of the attempt; empty if unknown.
    """

    event: DeliveryEvent
    domain: str
    recipients: Sequence[tuple[int, str]]


@dataclass(slots=True)
class Attempt:
    """
    The state of one attempt.

    Attributes:
        domain: The destination being tried.
        failures: The last failure of each scope, in order of occurrence. No address is stored.
        weak: The same for tentative failures: events that may not have been failures.
        settled: Checksums of recipients that were delivered or have failed permanently.
        deferral: The deferral that waits for its reason.
        ended_at: When the attempt ended, in Unix seconds of the server's clock; 0 while it is running.
    """

    domain: str = ""
    failures: dict[Scope, AttemptFailure] = field(default_factory=dict)
    weak: dict[Scope, AttemptFailure] = field(default_factory=dict)
    settled: set[int] = field(default_factory=set)
    deferral: Deferral | None = None
    ended_at: int = 0

    def note(self, scope: Scope, failure: AttemptFailure, *, weak: bool) -> None:
        """Record a failure, unless its recipient is settled."""
        if scope[0] == RECIPIENT and scope[1] in self.settled:
            return
        noted = self.weak if weak else self.failures
        noted.pop(scope, None)
        noted[scope] = failure
        if len(noted) > MAX_RECIPIENTS:
            # A permanent reply does not explain a deferral, so such a failure is dropped first.
            del noted[next((one for one, why in noted.items() if why.code.startswith("5")), next(iter(noted)))]

    def settle(self, recipient: str) -> None:
        """Record that *recipient* was delivered or has failed permanently."""
        mark = checksum(recipient)
        if len(self.settled) < MAX_RECIPIENTS:
            self.settled.add(mark)
        if self.failures or self.weak:
            self.failures.pop((RECIPIENT, mark), None)
            self.weak.pop((RECIPIENT, mark), None)

    def failure_of(self, recipient: str) -> AttemptFailure | None:
        """Return the recipient's own failure, else the last one of its domain."""
        own = self.failures.get((RECIPIENT, checksum(recipient)))
        if own is not None:
            return own
        domains = ("", domain_of(recipient))
        shared = (why for (kind, _), why in reversed(self.failures.items()) if kind != RECIPIENT)
        return next((why for why in shared if why.domain in domains), None)

    def explanation(self) -> AttemptFailure | None:
        """Return the last failure of a recipient that is still to be delivered."""
        if not self.failures:
            return None
        return next((why for scope, why in reversed(self.failures.items()) if self._is_open(scope)), None)

    def suspicion(self) -> AttemptFailure | None:
        """Return the last tentative failure of a recipient that is still to be delivered."""
        return next((why for scope, why in reversed(self.weak.items()) if self._is_open(scope)), None)

    def open_domain(self, deferral: Deferral) -> str:
        """
        Return the only destination of *deferral*; empty if there are several, or if all its recipients are settled.

        The server also writes a deferral at the end of an attempt if only other virtual queues still have recipients
        of the message.
        """
        has_open = any(mark not in self.settled for mark, _ in deferral.recipients)
        return deferral.domain if has_open or not deferral.recipients else ""

    def _is_open(self, scope: Scope) -> bool:
        """Whether a failure concerns a recipient that is still to be delivered."""
        kind, about = scope
        if kind == RECIPIENT:
            return about not in self.settled
        recipients = () if self.deferral is None else self.deferral.recipients
        concerned = [mark for mark, domain in recipients if domain == about] or [mark for mark, _ in recipients]
        if not concerned:
            return True
        alone = self.failures if kind == MESSAGE else {}
        return any(mark not in self.settled and (RECIPIENT, mark) not in alone for mark in concerned)


def scope_of(event: DeliveryEvent, domain: str) -> Scope:
    if event.recipient:
        return RECIPIENT, checksum(event.recipient)
    return (MESSAGE if event.event_id == MESSAGE_REJECTED else SESSION), domain


def recipients_of(event: DeliveryEvent) -> Sequence[tuple[int, str]]:
    if len(event.span_recipients) > MAX_RECIPIENTS:
        return ()
    return [(checksum(address), domain_of(address)) for address in event.span_recipients]


def checksum(recipient: str) -> int:
    return crc32(recipient.lower().encode("utf-8", "replace"))


def put_off_at(key: AttemptKey, at: datetime) -> DeliveryEvent:
    """Return the event of a deferral, without addresses."""
    return DeliveryEvent(PUT_OFF, at, *key)


def attempt_state(attempt: Attempt) -> dict[str, Any]:
    """Return *attempt* in JSON-compatible form, without empty members."""
    deferral = attempt.deferral
    state = {
        "domain": attempt.domain,
        "failures": [[*scope, *why] for scope, why in attempt.failures.items()],
        "weak": [[*scope, *why] for scope, why in attempt.weak.items()],
        "settled": sorted(attempt.settled),
        "deferral": deferral and [unix_second(deferral.event.at), deferral.domain, list(deferral.recipients)],
        "ended_at": attempt.ended_at,
    }
    return {name: value for name, value in state.items() if value}


def attempt_from(key: AttemptKey, state: Mapping[str, Any]) -> Attempt:
    attempt = Attempt(
        domain=state.get("domain", ""),
        failures=_failures_from(state.get("failures", ())),
        weak=_failures_from(state.get("weak", ())),
        settled=set(state.get("settled", ())),
        ended_at=state.get("ended_at", 0),
    )
    if "deferral" in state:
        second, domain, recipients = state["deferral"]
        at = datetime.fromtimestamp(second, UTC)
        attempt.deferral = Deferral(put_off_at(key, at), domain, [(mark, name) for mark, name in recipients])
    return attempt


def attempt_from_earlier(domain: str, last: Any, weak: Any, by_recipient: Iterable[Sequence[Any]]) -> Attempt:
    """Build an attempt from an older state: the last failure, the last tentative one, and those by recipient."""
    attempt = Attempt(domain=domain)
    for mark, *why in by_recipient:
        attempt.failures[RECIPIENT, mark] = AttemptFailure(*why)
    known = next((scope for scope, why in attempt.failures.items() if list(why) == last), None)
    if last is not None:
        scope = known or (SESSION, last[2])
        attempt.failures.pop(scope, None)
        attempt.failures[scope] = AttemptFailure(*last)
    if weak is not None:
        attempt.weak[SESSION, weak[2]] = AttemptFailure(*weak)
    return attempt


def _failures_from(state: Iterable[Sequence[Any]]) -> dict[Scope, AttemptFailure]:
    return {(kind, about): AttemptFailure(*why) for kind, about, *why in state}
