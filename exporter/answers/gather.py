"""From a question to its answer: what was found in the trail, how it stands in the server's queue, and the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from exporter.answers.advice import advise
from exporter.answers.answer import Answer, DestinationEvidence, Kind, Match, MessageEvidence
from exporter.answers.destination import Traffic, fate_of_traffic, gather_destination, tell_traffic
from exporter.answers.fate import Fate
from exporter.answers.finding import Found
from exporter.answers.message import fate_of, tell_message
from exporter.answers.queue_state import LiveState, Waiting
from exporter.answers.refusal import next_after, tell_refusal, todo_about
from exporter.answers.standing import PENDING, Standing, standings
from exporter.answers.texts import clock, distance, name
from exporter.model.trail import MessageTrail, Refusal, TrailMessage
from exporter.stalwart.common.ids import encode_id
from exporter.store.audit import audit_entries
from exporter.store.reading import History
from exporter.store.trail.reader import TrailReader

MOST_OTHERS = 10
MOST_DESTINATIONS = 3
MOST_CHANGES = 5
TRAFFIC_MESSAGES = 20
"""The newest messages to a domain from which is told how mail to it fares."""

MOST_LOOKED_AT = 60
"""The newest messages among which these are looked for: a domain may also be the sender of most of them."""

STALE = timedelta(minutes=10)
"""Waiting mail causes events more often than this."""

NOT_ASKED = LiveState()


class Gatherer:
    """Builds answers from the trail and the report history in one file."""

    def __init__(self, reader: TrailReader, connection: History, now: datetime) -> None:
        self._reader = reader
        self._connection = connection
        self._now = now

    def about_message(self, found: Found, trail: MessageTrail, live: LiveState, waiting: Waiting) -> Answer:
        """Return the answer about one message, with what its server's queue holds of it."""
        stand = sorted(standings(trail, live, waiting), key=lambda one: one.recipient.address not in found.addresses)
        bounces = [(one, self._fate_of(one)) for one in trail.caused[:MOST_OTHERS]]
        told = tell_message(trail, stand, bounces, self._now)
        message = trail.message
        return Answer(
            kind=Kind.MESSAGE,
            fate=told.fate,
            happened=told.happened,
            next=told.next,
            # Whoever may know of one domain only has no login to control the queue.
            todo=advise(
                stand, live if self._reader.only_domain is None else NOT_ASKED, server=message.server, now=self._now
            ),
            server=message.server,
            message=MessageEvidence(trail=trail, standings=stand, live=live, bounces=bounces),
            destinations=self._destinations(stand, message.server),
            notes=[*self._control(message), *self._staleness(stand, message.server)],
            matches=_count(found),
            others=self._others(found, except_for=message),
        )

    def about_refusal(self, found: Found, refusal: Refusal) -> Answer:
        """Return the answer about one refusal."""
        return Answer(
            kind=Kind.REFUSAL,
            fate=Fate.REFUSED,
            happened=tell_refusal(refusal, self._now),
            next=next_after(refusal),
            todo=[todo_about(refusal)],
            server=refusal.server,
            refusal=refusal,
            matches=_count(found),
            others=self._others(found, except_for=refusal),
        )

    def about_domain(self, found: Found, domain: str, traffic: Traffic) -> Answer:
        """Return the answer about a destination and how mail to it fares."""
        happened, after = tell_traffic(traffic, self._now)
        worst = [one for one in traffic.standings if one.state in PENDING] or traffic.standings[:1]
        newest = found.messages[0]
        todo = advise(worst[:1], NOT_ASKED, server=newest.server, now=self._now)
        return Answer(
            kind=Kind.DOMAIN,
            fate=fate_of_traffic(traffic),
            happened=happened,
            next=after,
            todo=todo,
            server=newest.server,
            notes=self._staleness(traffic.standings, newest.server),
            destinations=[gather_destination(self._reader, self._connection, domain, server=None, now=self._now)],
            matches=_count(found),
            others=self._others(found, except_for=None),
        )

    def _control(self, message: TrailMessage) -> Sequence[str]:
        """Return what operators have done to a message with this program, to those who may know every domain."""
        if self._reader.only_domain is not None:
            return []
        rows = [
            row
            for spelled in (str(message.queue_id), encode_id(message.queue_id))
            for row in audit_entries(self._connection, server=message.server, message_id=spelled, most=MOST_CHANGES)
        ]
        return [
            f"Queue control: {name(row['action'])} by {name(row['os_user'])} at"
            f" {clock(datetime.fromtimestamp(row['at'], UTC), self._now)} ({name(row['result'].replace('_', ' '))})."
            for row in rows
        ]

    def _staleness(self, stand: Sequence[Standing], server: str) -> Sequence[str]:
        """Return a warning if mail is waiting, and nothing has been read for a while."""
        span = self._reader.span(server)
        waiting = any(one.state in PENDING for one in stand)
        if not waiting or span is None or span.newest_at + STALE > self._now:
            return []
        at = f"{clock(span.newest_at, self._now)} ({distance(span.newest_at, self._now)})"
        return [f"The newest event that was read of {name(server)} is of {at}: is the daemon running?"]

    def traffic(self, found: Found) -> Traffic:
        """Return how mail to the domain in question fares; empty if there is none, or no domain is in question."""
        if found.domain is None:
            return Traffic(domain="", standings=[], messages=0, more=False)
        stand: list[Standing] = []
        looked = 0
        for message in found.messages[:MOST_LOOKED_AT]:
            if looked == TRAFFIC_MESSAGES:
                break
            trail = self._reader.trail(message.server, message.queue_id, now=self._now)
            if trail is None:
                continue
            own = [one for one in standings(trail, NOT_ASKED, {}) if one.recipient.domain == found.domain]
            looked += bool(own)
            stand += own
        return Traffic(
            domain=found.domain, standings=stand, messages=looked, more=len(found.messages) > TRAFFIC_MESSAGES
        )

    def _destinations(self, stand: Sequence[Standing], server: str) -> Sequence[DestinationEvidence]:
        """Return the evidence about the destinations, those with waiting or failed recipients first."""
        remote = [one for one in stand if one.recipient.domain and not one.is_local]
        local = [one for one in stand if one.recipient.domain and one.is_local]
        ordered = sorted(remote, key=lambda one: one.state not in PENDING) + local
        domains = list(dict.fromkeys(one.recipient.domain for one in ordered))[:MOST_DESTINATIONS]
        return [
            gather_destination(self._reader, self._connection, domain, server=server, now=self._now)
            for domain in domains
        ]

    def _others(self, found: Found, *, except_for: TrailMessage | Refusal | None) -> Sequence[Match]:
        """Return the newest other matches in one line each."""
        messages = [one for one in found.messages[: MOST_OTHERS + 1] if one != except_for]
        refusals = [one for one in found.refusals[: MOST_OTHERS + 1] if one != except_for]
        both: list[TrailMessage | Refusal] = [*messages, *refusals]
        both.sort(key=lambda one: one.at if isinstance(one, Refusal) else one.seen_at, reverse=True)
        return [match_of(self._reader, one, self._now) for one in both[:MOST_OTHERS]]

    def _fate_of(self, message: TrailMessage) -> Fate:
        trail = self._reader.trail(message.server, message.queue_id, now=self._now)
        return Fate.UNKNOWN if trail is None else fate_of(standings(trail, NOT_ASKED, {}))


def _count(found: Found) -> int:
    return len(found.messages) + len(found.refusals)


def match_of(reader: TrailReader, one: TrailMessage | Refusal, now: datetime) -> Match:
    """Return a message or a refusal in one line."""
    if isinstance(one, Refusal):
        recipients = [one.recipient] if one.recipient else []
        return Match(
            server=one.server,
            at=one.at,
            queue_id=None,
            fate=Fate.REFUSED,
            sender=one.sender,
            recipients=recipients,
            summary=one.reason.value.replace("_", " "),
        )
    trail = reader.trail(one.server, one.queue_id, now=now)
    stand = standings(trail, NOT_ASKED, {}) if trail is not None else []
    counts: dict[str, int] = {}
    for standing in stand:
        counts[standing.state.value] = counts.get(standing.state.value, 0) + 1
    alone = len(stand) == 1
    return Match(
        server=one.server,
        at=one.seen_at,
        queue_id=one.queue_id,
        fate=fate_of(stand),
        sender=one.sender,
        recipients=[standing.recipient.address for standing in stand],
        summary=", ".join(state if alone else f"{count} {state}" for state, count in counts.items()),
    )
