"""
What became of a recipient, told from the events of delivery attempts: one rule for the log, traces and live streams.

Contract: Stalwart v0.10-v0.16. ``delivery.dsn-success`` is a delivery, ``delivery.dsn-perm-fail`` a permanent failure
and ``queue.rescheduled`` a temporary one, each as often as the server counts that event; nothing else is ever counted.
The other events of an attempt only say why. Their texts are hostile: a remote server writes part of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple
from zlib import crc32

from exporter.model.delivery import DeliveryEvent, DeliveryOutcome, Outcome
from exporter.model.queue import FailureReason
from exporter.stalwart.failures import IO_CAUSE, REPLY_CAUSE, classify_failure, reply_code

MOST_ATTEMPTS = 4096
"""Attempts under way that are remembered; far more than a server has at a time."""

MOST_RECIPIENTS = 64
"""Failing recipients of one attempt that are remembered one by one."""

_SUCCESS, _GIVEN_UP, _PUT_OFF = "delivery.dsn-success", "delivery.dsn-perm-fail", "queue.rescheduled"
ATTEMPT_START, ATTEMPT_END = "delivery.attempt-start", "delivery.attempt-end"
_BOUNDS = frozenset({ATTEMPT_START, ATTEMPT_END})
_ARRIVED = "delivery.delivered"
DOMAIN_START = "delivery.domain-delivery-start"
PLAIN_EVENTS = frozenset({ATTEMPT_START, ATTEMPT_END, _ARRIVED, DOMAIN_START})
"""Events of which the attempt and perhaps the destination are all that matters."""

OUTCOME_EVENTS = frozenset({_SUCCESS, _GIVEN_UP, _PUT_OFF})
"""The events that decide; each is counted by the server too."""

STRICT_EVENTS = frozenset(
    {f"dane.tlsa-record-{what}" for what in ("fetch-error", "invalid", "not-dnssec-signed", "not-found")}
    | {f"mta-sts.{what}" for what in ("invalid-policy", "not-authorized", "policy-fetch-error", "policy-not-found")}
)
"""Events that tell of a failure only where they say themselves that they were to be ``strict``."""

_DANE = {
    f"dane.{what}"
    for what in ("authentication-failure", "bogus-dnssec-record", "certificate-parse-error", "no-certificates-found")
}
_OF_SESSION = {f"delivery.{what}" for what in ("auth-failed", "connect-error", "mail-from-rejected", "rcpt-to-failed")}
_BY_TEXT = {f"delivery.{what}" for what in ("ehlo-rejected", "greeting-failed", "message-rejected")}
_REASONS = {
    "delivery.concurrency-limit-exceeded": FailureReason.CONCURRENCY_LIMITED,
    "delivery.implicit-tls-error": FailureReason.TLS_ERROR,
    "delivery.ip-lookup-failed": FailureReason.DNS_ERROR,
    "delivery.mx-lookup-failed": FailureReason.DNS_ERROR,
    "delivery.null-mx": FailureReason.DNS_ERROR,
    "delivery.rate-limit-exceeded": FailureReason.RATE_LIMITED,
    "delivery.rcpt-to-rejected": FailureReason.UNEXPECTED_RESPONSE,
    "delivery.start-tls-error": FailureReason.TLS_ERROR,
}
_WEAK_REASONS = {
    "delivery.start-tls-disabled": FailureReason.TLS_ERROR,
    "delivery.start-tls-unavailable": FailureReason.TLS_ERROR,
}
FOLLOWED_EVENTS = frozenset(
    {"delivery.dsn-temp-fail"}
    | OUTCOME_EVENTS
    | PLAIN_EVENTS
    | _DANE
    | STRICT_EVENTS
    | _OF_SESSION
    | _BY_TEXT
    | set(_REASONS)
    | set(_WEAK_REASONS)
)
"""The events that bear on an outcome; of all others a decoder may be silent."""

_IMPLICIT_MX = "No MX records were found"
_LABEL = re.compile(r"[\w-]{1,63}")


class Failure(NamedTuple):
    """Why a delivery failed: a `FailureReason` value, the SMTP reply code or empty, the destination or empty."""

    reason: str
    code: str
    domain: str


@lru_cache(maxsize=4096)
def domain_name(text: str) -> str:
    """A domain in lower case, fit for a label; empty if it is none (an address literal, a forgery)."""
    name = text.lower().removesuffix(".")
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels) or labels[-1].isdigit():
        return ""
    return name


def domain_of(address: str) -> str:
    """The domain of a mail address, as `domain_name` has it."""
    return domain_name(address.rpartition("@")[2]) if "@" in address else ""


@dataclass(slots=True)
class _Attempt:
    """
    What is known of one attempt under way.

    Attributes:
        domain: The destination being tried.
        last: The last failure.
        weak: The last event that may or may not have been one.
        by_recipient: The last failure of each, by a checksum: no address is stored; ``None`` before the first.
    """

    domain: str = ""
    last: Failure | None = None
    weak: Failure | None = None
    by_recipient: dict[int, Failure] | None = None

    def note(self, failure: Failure, recipient: str) -> None:
        self.last = failure
        if not recipient:
            return
        if self.by_recipient is None:
            self.by_recipient = {}
        mark = _checksum(recipient)
        if len(self.by_recipient) < MOST_RECIPIENTS or mark in self.by_recipient:
            self.by_recipient[mark] = failure

    def failure_of(self, recipient: str) -> Failure | None:
        """The recipient's own failure, else the last one of its destination."""
        own = (self.by_recipient or {}).get(_checksum(recipient))
        if own is not None or self.last is None:
            return own
        return self.last if self.last.domain in ("", domain_of(recipient)) else None

    def to_state(self) -> list[Any]:
        by_recipient = [[mark, *failure] for mark, failure in (self.by_recipient or {}).items()]
        return [self.domain, self.last, self.weak, by_recipient]

    @classmethod
    def from_state(cls, state: Sequence[Any]) -> _Attempt:
        domain, last, weak, by_recipient = state
        return cls(
            domain,
            None if last is None else Failure(*last),
            None if weak is None else Failure(*weak),
            {mark: Failure(*failure) for mark, *failure in by_recipient},
        )


class AttemptFolder:
    """
    Turns events, fed in order of occurrence, into outcomes.

    It remembers what each attempt under way has met with, since the event that decides does not say why; what it
    remembers outlives a restart as `to_state`.
    """

    def __init__(self) -> None:
        self._attempts: dict[tuple[int, str], _Attempt] = {}

    def feed(self, event: DeliveryEvent) -> Sequence[DeliveryOutcome]:
        """What *event* decides: one outcome or none."""
        event_id = event.event_id
        if event_id in _BOUNDS:
            self._attempts.pop((event.queue_id, event.queue_name), None)
        elif event_id == _SUCCESS:
            return (DeliveryOutcome(event.at, Outcome.DELIVERED, _destination(event), "", _three_digits(event.code)),)
        elif event_id == _GIVEN_UP:
            return (_failed(event, Outcome.PERMANENT_FAILURE, self._why_given_up(event)),)
        elif event_id == _PUT_OFF:
            return (_failed(event, Outcome.TEMPORARY_FAILURE, self._why_put_off(event)),)
        else:
            self._learn(event)
        return ()

    def to_state(self) -> list[Any]:
        """The JSON-able form of what is remembered."""
        return [[*key, *attempt.to_state()] for key, attempt in self._attempts.items()]

    @classmethod
    def from_state(cls, state: Iterable[Sequence[Any]]) -> AttemptFolder:
        """Back from `to_state`."""
        folder = cls()
        for queue_id, queue_name, *attempt in state:
            folder._attempts[queue_id, queue_name] = _Attempt.from_state(attempt)
        return folder

    def _known(self, event: DeliveryEvent) -> _Attempt:
        return self._attempts.get((event.queue_id, event.queue_name)) or _Attempt()

    def _remembered(self, event: DeliveryEvent) -> _Attempt:
        key = (event.queue_id, event.queue_name)
        attempt = self._attempts.get(key)
        if attempt is None:
            attempt = self._attempts[key] = _Attempt()
            if len(self._attempts) > MOST_ATTEMPTS:
                del self._attempts[next(iter(self._attempts))]
        return attempt

    def _learn(self, event: DeliveryEvent) -> None:
        reason, weak = (None, False) if event.event_id in PLAIN_EVENTS else _reason(event)
        if reason is None and not event.domain and event.event_id != _ARRIVED:
            return
        attempt = self._remembered(event)
        if event.domain:
            attempt.domain = domain_name(event.domain) or attempt.domain
        if event.event_id == _ARRIVED:
            attempt.weak = None
        elif reason is not None:
            failure = Failure(reason.value, _code(event), _destination(event, attempt.domain))
            if weak:
                attempt.weak = failure
            else:
                attempt.note(failure, event.recipient)

    def _why_given_up(self, event: DeliveryEvent) -> Failure:
        reason = _status_reason(event)
        attempt = self._known(event)
        domain = _destination(event, attempt.domain)
        if reason is FailureReason.UNKNOWN and not _code(event):
            earlier = attempt.failure_of(event.recipient)
            if earlier is not None:
                return earlier._replace(domain=domain)
        return Failure(reason.value, _code(event), domain)

    def _why_put_off(self, event: DeliveryEvent) -> Failure:
        attempt = self._known(event)
        met_with = attempt.last or attempt.weak
        if met_with is None:
            # What was tried last need not be what failed.
            return Failure(FailureReason.UNKNOWN.value, "", _destination(event))
        return met_with if met_with.domain else met_with._replace(domain=_destination(event, attempt.domain))


def _failed(event: DeliveryEvent, outcome: Outcome, why: Failure) -> DeliveryOutcome:
    return DeliveryOutcome(at=event.at, outcome=outcome, domain=why.domain, reason=why.reason, code=why.code)


def _destination(event: DeliveryEvent, under_way: str = "") -> str:
    """The event's domain, its recipient's, the one being tried, or the only one that the attempt is for."""
    known = (event.domain and domain_name(event.domain)) or domain_of(event.recipient) or under_way
    if known or not event.span_recipients:
        return known
    domains = {domain_of(address) for address in event.span_recipients}
    return domains.pop() if len(domains) == 1 else ""


def _reason(event: DeliveryEvent) -> tuple[FailureReason | None, bool]:
    """The class of a failing event's error, ``None`` of one that does not fail, and whether it is but a suspicion."""
    id_ = event.event_id
    if id_ in _REASONS:
        # Without MX records the domain's own address is tried: no failure as yet.
        weak = id_ == "delivery.mx-lookup-failed" and event.text.startswith(_IMPLICIT_MX)
        return _REASONS[id_], weak
    if id_ in _OF_SESSION:
        replied = event.text.startswith(REPLY_CAUSE)
        return (FailureReason.UNEXPECTED_RESPONSE if replied else FailureReason.CONNECTION_ERROR), False
    if id_ in _BY_TEXT:
        return _status_reason(event), False
    if id_ in _WEAK_REASONS:
        return (FailureReason.UNEXPECTED_RESPONSE if event.code else _WEAK_REASONS[id_]), True
    if id_ == "delivery.dsn-temp-fail":
        return _status_reason(event), True
    if id_ in STRICT_EVENTS:
        return (FailureReason.DANE_ERROR if id_.startswith("dane.") else FailureReason.MTA_STS_ERROR), True
    return (FailureReason.DANE_ERROR if id_ in _DANE else None), False


def _status_reason(event: DeliveryEvent) -> FailureReason:
    """
    The class of error in a text that is a recipient's status.

    Beside a reply code of its own the text is the remote's bare message, which must not be read as ours.
    """
    if event.code:
        return FailureReason.UNEXPECTED_RESPONSE
    if event.text.startswith(IO_CAUSE):
        return FailureReason.IO_ERROR
    return classify_failure(event.text)[0]


def _code(event: DeliveryEvent) -> str:
    if event.code:
        return _three_digits(event.code)
    # A bare message comes with a code of its own; a text without one begins with words of the server's.
    return reply_code(event.text)


def _three_digits(code: int) -> str:
    return str(code) if 100 <= code <= 999 else ""


def _checksum(recipient: str) -> int:
    return crc32(recipient.lower().encode("utf-8", "replace"))
