"""The domain that mail goes to: what is known of it, and how mail to it fares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from exporter.answers.answer import DestinationEvidence
from exporter.answers.events import concerns_destination
from exporter.answers.fate import Fate
from exporter.answers.message import cause, tell_next_attempt
from exporter.answers.standing import FAILED, PENDING, Standing
from exporter.answers.texts import clock, counted, distance, name
from exporter.model.trail import RecipientState, TrailStep
from exporter.store.reading import History
from exporter.store.reports.queries import list_tls_failures
from exporter.store.trail.reader import TrailReader

MOST_OUTCOMES = 8
MOST_EVENTS = 8
MOST_TLS_FAILURES = 8
EVENT_MESSAGES = 30
"""The newest messages to a domain whose events are looked at."""

TLS_REPORTS = timedelta(days=7)
"""How far back TLS reports are looked at."""


def gather_destination(
    reader: TrailReader, connection: History, domain: str, *, server: str | None, now: datetime
) -> DestinationEvidence:
    """Return what is known of *domain*; its TLS reporters are named only if every domain may be shown."""
    names = reader.servers if server is None else (server,)
    events = [
        event
        for one in names
        for event in reader.attempt_events(domain, server=one, since=None, most=EVENT_MESSAGES)
        if concerns_destination(event.event_id)
    ]
    may_know = reader.only_domain in (None, domain)
    failures = list_tls_failures(
        connection,
        domain,
        server=server,
        received_since=now - TLS_REPORTS,
        most=MOST_TLS_FAILURES if may_know else 0,
        with_reporter=reader.only_domain is None,
    )
    return DestinationEvidence(
        domain=domain,
        outcomes=reader.outcomes(domain, server=server, since=None, most=MOST_OUTCOMES),
        events=_last_of_each(events)[:MOST_EVENTS],
        tls_failures=failures,
    )


def _last_of_each(events: Sequence[TrailStep]) -> Sequence[TrailStep]:
    """Return the newest event of each kind and host."""
    found: dict[tuple[str, str], TrailStep] = {}
    for event in sorted(events, key=lambda event: event.at, reverse=True):
        found.setdefault((event.event_id, event.hostname), event)
    return list(found.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """
    How mail to a domain fares.

    Attributes:
        standings: Its recipients of the newest messages to it, newest first.
        messages: How many messages these are of.
        more: Whether there are older messages to it.
    """

    domain: str
    standings: Sequence[Standing]
    messages: int
    more: bool


def fate_of_traffic(traffic: Traffic) -> Fate:
    """Return what the newest mail to a domain came to: waiting mail counts most, then how the last one ended."""
    if any(one.state in PENDING for one in traffic.standings):
        return Fate.QUEUED
    ended = sorted(traffic.standings, key=lambda one: one.recipient.at, reverse=True)
    if not ended:
        return Fate.UNKNOWN
    if ended[0].state in FAILED:
        return Fate.FAILED
    return Fate.DELIVERED if ended[0].state is RecipientState.DELIVERED else Fate.UNKNOWN


def tell_traffic(traffic: Traffic, now: datetime) -> tuple[str, str]:
    """Return how mail to a domain fares, and what happens next."""
    groups = {
        word: [one for one in traffic.standings if one.state in states]
        for word, states in (
            ("still in the queue", PENDING),
            ("failed", FAILED),
            ("lost from sight", (RecipientState.LOST,)),
            ("delivered", (RecipientState.DELIVERED,)),
        )
    }
    if len(traffic.standings) == 1:
        (only,) = [word for word, group in groups.items() if group]
        some = f"the only message to it {_ALONE[only]}"
    else:
        some = _counts(traffic, groups)
    head = _HEADS[fate_of_traffic(traffic)].format(domain=name(traffic.domain))
    parts = [f"{head}: {some}."]
    waiting, failed, delivered = groups["still in the queue"], groups["failed"], groups["delivered"]
    for group, words in ((waiting, "Last problem"), (failed, "Last failure")):
        problems = [one for one in group if one.recipient.reason or one.text or one.over_quota or one.limiter]
        if problems:
            last = max(problems, key=lambda one: one.recipient.at)
            parts.append(f"{words} at {clock(last.recipient.at, now)}: {cause(last)}.")
            break
    if delivered:
        last = max(delivered, key=lambda one: one.recipient.at)
        parts.append(f"Last delivery at {clock(last.recipient.at, now)}, {distance(last.recipient.at, now)}.")
    return " ".join(parts), " ".join(tell_next_attempt(waiting, now))


def _counts(traffic: Traffic, groups: Mapping[str, Sequence[Standing]]) -> str:
    some = ", ".join(f"{len(group)} {word}" for word, group in groups.items() if group)
    scope = ("the newest " if traffic.more else "") + counted(traffic.messages, "message")
    return f"of {counted(len(traffic.standings), 'recipient')} in {scope}, {some}"


_ALONE = {
    "still in the queue": "is still in the queue",
    "failed": "has failed",
    "lost from sight": "was lost from sight",
    "delivered": "was delivered",
}
_HEADS = {
    Fate.QUEUED: "Mail to {domain} is waiting",
    Fate.FAILED: "Mail to {domain} fails",
    Fate.DELIVERED: "Mail to {domain} is being delivered",
    Fate.UNKNOWN: "How mail to {domain} fares is not known",
}
