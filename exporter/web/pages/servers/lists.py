"""What is listed of a server: failing destinations, certificates, alignment of domains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from exporter.model.queue import OTHER_DOMAIN, FailureReason
from exporter.store.trail.destinations import Failures
from exporter.web.interfaces import Alignment, ServerStatus
from exporter.web.pictures.bars import share_bar
from exporter.web.pictures.drawing import Kind
from exporter.web.verdict.thresholds import Thresholds
from exporter.web.words import count, duration

REASONS: Mapping[str, str] = {
    FailureReason.UNEXPECTED_RESPONSE.value: "refused",
    FailureReason.DNS_ERROR.value: "DNS error",
    FailureReason.TLS_ERROR.value: "TLS error",
    FailureReason.DANE_ERROR.value: "DANE error",
    FailureReason.MTA_STS_ERROR.value: "MTA-STS error",
    FailureReason.RATE_LIMITED.value: "held by the server's own rate limit",
    FailureReason.CONCURRENCY_LIMITED.value: "held by the server's own limit of connections",
}
"""Reasons of failures that read better in other words than their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationRow:
    """
    A destination that fails.

    Attributes:
        what: How many recipients wait or were refused.
        reply: The latest reply code and the reason; empty if unknown.
        since: The first failure since the last success; ``None`` if unknown.
        is_whole: Whether *since* is really the first.
        kind: ``bad`` if mail is lost, ``wait`` if it waits.
    """

    domain: str
    what: str
    reply: str
    since: datetime | None
    is_whole: bool
    kind: str


def destination_rows(
    server: ServerStatus, rejected: Mapping[str, int], failures: Mapping[str, Failures], *, most: int
) -> Sequence[DestinationRow]:
    """Return the destinations with the most failing recipients, those that lose mail first."""
    queue = server.queue
    waiting = dict(queue.deferring) if queue is not None else {}
    lost = {**(queue.rejecting if queue is not None else {})}
    for domain, number in rejected.items():
        lost[domain] = max(lost.get(domain, 0), number)
    rows = [
        *(_row(domain, f"{count(n, 'recipient')} failed for good", "bad", failures) for domain, n in _ranked(lost)),
        *(_row(domain, f"{count(n, 'recipient')} waiting", "wait", failures) for domain, n in _ranked(waiting)),
    ]
    if len(rows) <= most:
        return rows
    # Neither kind may hide the other.
    share = most // 2
    bad, wait = ([row for row in rows if row.kind == kind] for kind in ("bad", "wait"))
    shown_bad = bad[: max(share, most - len(wait))]
    return [*shown_bad, *wait[: most - len(shown_bad)]]


def candidates(server: ServerStatus, rejected: Mapping[str, int], *, most: int) -> Sequence[str]:
    """Return the domains whose failures are of interest."""
    queue = server.queue
    waiting = [*queue.rejecting, *queue.deferring] if queue is not None else []
    return list(dict.fromkeys([*list(rejected)[:most], *waiting]))[: 2 * most]


def _ranked(numbers: Mapping[str, int]) -> Sequence[tuple[str, int]]:
    return sorted(numbers.items(), key=lambda item: (-item[1], item[0]))


def _row(domain: str, what: str, kind: str, failures: Mapping[str, Failures]) -> DestinationRow:
    known = failures.get(domain)
    reply = "" if known is None else " ".join(part for part in (known.code, _reason(known.reason)) if part)
    return DestinationRow(
        domain=domain,
        what=what,
        reply=reply,
        since=None if known is None else known.first_at,
        is_whole=known is None or known.is_whole,
        kind=kind,
    )


def _reason(reason: str) -> str:
    return REASONS.get(reason, reason.replace("_", " "))


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRow:
    """A certificate in use; *left* is its remaining time in words."""

    name: str
    not_after: datetime
    left: str
    kind: str


def certificate_rows(server: ServerStatus, limits: Thresholds, now: datetime) -> Sequence[CertificateRow]:
    """Return the certificates, the soonest to expire first."""
    return [
        CertificateRow(name=name, not_after=at, left=_left(at, now), kind=_expiry_kind(at, limits, now))
        for name, at in sorted(server.certificates.items(), key=lambda item: item[1])
    ]


def _left(at: datetime, now: datetime) -> str:
    seconds = (at - now).total_seconds()
    if seconds <= 0:
        return f"expired {duration(-seconds)} ago"
    return count(seconds // 86_400, "day") + " left" if seconds >= 2 * 86_400 else f"{duration(seconds)} left"


def _expiry_kind(at: datetime, limits: Thresholds, now: datetime) -> str:
    left = (at - now).total_seconds()
    for alert, kind in (("StalwartCertificateAboutToExpire", "bad"), ("StalwartCertificateExpiring", "wait")):
        limit = limits.get(alert)
        if limit is not None and left < limit["left"]:
            return kind
    return "good" if left > 0 else "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignmentRow:
    """
    The DMARC alignment of one domain.

    Attributes:
        is_domain: Whether it is a domain, with a page, and not all others together.
    """

    domain: str
    share: str
    messages: int
    picture: Markup
    is_domain: bool


def alignment_rows(server: ServerStatus) -> Sequence[AlignmentRow]:
    """Return the alignment of each domain within thirty days, the busiest first."""
    return [_alignment(one) for one in server.alignment if one.messages]


def share_words(aligned: int, messages: int) -> str:
    """Return a share in per cent that is 100 only if it is whole: ``99.9 %``."""
    if aligned == messages:
        return "100 %"
    return f"{min(99.9, aligned / messages * 100):.1f} %"


def _alignment(one: Alignment) -> AlignmentRow:
    share = share_words(one.aligned, one.messages)
    parts = [(Kind.GOOD, float(one.aligned)), (Kind.BAD, float(one.failed))]
    return AlignmentRow(
        domain="all others" if one.domain == OTHER_DOMAIN else one.domain,
        share=share,
        messages=one.messages,
        picture=share_bar(parts, text=f"{share} of {one.messages} messages of {one.domain} are aligned"),
        is_domain=one.domain != OTHER_DOMAIN,
    )
