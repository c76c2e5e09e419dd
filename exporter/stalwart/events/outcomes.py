"""
Events of a delivery attempt: those that are outcomes, and those that explain a failure.

Contract: Stalwart v0.10-v0.16. ``delivery.dsn-success`` is a delivery, ``delivery.dsn-perm-fail`` a permanent failure
and ``queue.rescheduled`` a temporary one, as often as the server counts the event; no other event is an outcome. The
other events of an attempt only provide the reason. Their texts are untrusted: a remote server writes part of them.
"""

from __future__ import annotations

from typing import NamedTuple

from exporter.domains import domain_name, domain_of
from exporter.model.delivery import DeliveryEvent
from exporter.model.queue import FailureReason
from exporter.stalwart.events.failures import IO_CAUSE, REPLY_CAUSE, classify_failure, reply_code

SUCCESS, GIVEN_UP, PUT_OFF = "delivery.dsn-success", "delivery.dsn-perm-fail", "queue.rescheduled"
ATTEMPT_START, ATTEMPT_END = "delivery.attempt-start", "delivery.attempt-end"
ARRIVED = "delivery.delivered"
MESSAGE_REJECTED = "delivery.message-rejected"
DOMAIN_START = "delivery.domain-delivery-start"
PLAIN_EVENTS = frozenset({ATTEMPT_START, ATTEMPT_END, ARRIVED, DOMAIN_START})
"""Events without a failure; only their attempt and, if present, their destination are used."""

OUTCOME_EVENTS = frozenset({SUCCESS, GIVEN_UP, PUT_OFF})
"""The events that are outcomes; the server counts each of them too."""

STRICT_EVENTS = frozenset(
    {f"dane.tlsa-record-{what}" for what in ("fetch-error", "invalid", "not-dnssec-signed", "not-found")}
    | {f"mta-sts.{what}" for what in ("invalid-policy", "not-authorized", "policy-fetch-error", "policy-not-found")}
)
"""Events that are failures only if they are marked ``strict``."""

_DANE = {
    f"dane.{what}"
    for what in ("authentication-failure", "bogus-dnssec-record", "certificate-parse-error", "no-certificates-found")
}
_OF_SESSION = {f"delivery.{what}" for what in ("auth-failed", "connect-error", "mail-from-rejected", "rcpt-to-failed")}
_BY_TEXT = {f"delivery.{what}" for what in ("ehlo-rejected", "greeting-failed")} | {MESSAGE_REJECTED}
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
"""The events that affect an outcome; a decoder may skip all others."""

_IMPLICIT_MX = "No MX records were found"


class AttemptFailure(NamedTuple):
    """The reason of a failure: a `FailureReason` value, the SMTP reply code or empty, the destination or empty."""

    reason: str
    code: str
    domain: str


def destination(event: DeliveryEvent, under_way: str = "") -> str:
    """
    Return the event's domain, else its recipient's, else the one being tried, else the attempt's only one.

    Empty if that is unknown or not a domain name.
    """
    named = domain_name(event.domain) if event.domain else None
    if named is not None:
        return named
    if event.recipient or event.domain:
        return domain_of(event.recipient)
    if under_way or not event.span_recipients:
        return under_way
    domains = {domain_of(address) for address in event.span_recipients}
    return domains.pop() if len(domains) == 1 else ""


def failure_reason(event: DeliveryEvent) -> tuple[FailureReason | None, bool]:
    """Return the class of an event's error, ``None`` if it is not a failure, and whether it is tentative."""
    id_ = event.event_id
    if id_ in _REASONS:
        # Without MX records the domain's own address is tried, so this is not a failure yet.
        weak = id_ == "delivery.mx-lookup-failed" and event.text.startswith(_IMPLICIT_MX)
        return _REASONS[id_], weak
    if id_ in _OF_SESSION:
        replied = event.text.startswith(REPLY_CAUSE)
        return (FailureReason.UNEXPECTED_RESPONSE if replied else FailureReason.CONNECTION_ERROR), False
    if id_ in _BY_TEXT:
        return status_reason(event), False
    if id_ in _WEAK_REASONS:
        return (FailureReason.UNEXPECTED_RESPONSE if event.code else _WEAK_REASONS[id_]), True
    if id_ == "delivery.dsn-temp-fail":
        return status_reason(event), True
    if id_ in STRICT_EVENTS:
        return (FailureReason.DANE_ERROR if id_.startswith("dane.") else FailureReason.MTA_STS_ERROR), True
    return (FailureReason.DANE_ERROR if id_ in _DANE else None), False


def status_reason(event: DeliveryEvent) -> FailureReason:
    """
    Return the class of error in a recipient's status text.

    If the event has a reply code, the text is the remote server's message and must not be parsed as the server's own.
    """
    if event.code:
        return FailureReason.UNEXPECTED_RESPONSE
    if event.text.startswith(IO_CAUSE):
        return FailureReason.IO_ERROR
    return classify_failure(event.text)[0]


def code_of(event: DeliveryEvent) -> str:
    """Return the SMTP reply code of an event or its text, or an empty string."""
    if event.code:
        return three_digits(event.code)
    # A remote server's bare message comes with a code; a text without one begins with the server's own words.
    return reply_code(event.text)


def three_digits(code: int) -> str:
    """Return *code* as text if it is a possible reply code, else an empty string."""
    return str(code) if 100 <= code <= 999 else ""
