"""Puts an answer together: the trail, then the server's queue, then the evidence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from exporter.answers.answer import Answer
from exporter.answers.asked import Asked
from exporter.answers.finding import Found, find
from exporter.answers.gather import Gatherer
from exporter.answers.nothing import Coverage, tell_nothing
from exporter.answers.queue_state import LiveState, Presence, by_stored_form, limited
from exporter.answers.untrailed import trail_of_queued
from exporter.model.trail import MessageTrail, RecipientState
from exporter.stalwart.events.snowflakes import moment_of
from exporter.store.reading import History
from exporter.store.trail.filter import TrailFilter
from exporter.store.trail.reader import TrailReader

ENDED = (RecipientState.DELIVERED, RecipientState.BOUNCED, RecipientState.EXPIRED, RecipientState.EXPANDED)

LONGEST_QUEUED = timedelta(days=90)
"""A queue id that was given out longer ago is not looked for in the queue."""


@dataclass(frozen=True, slots=True)
class Look:
    """A server's answer about some queue ids; the id of the message, or 0 if none of them is in its queue."""

    state: LiveState
    queue_id: int = 0


class Queues(Protocol):
    """The queues that can be asked."""

    @property
    def names(self) -> Iterable[str]:
        """The servers with such a queue."""

    def look(self, server: str, queue_ids: Sequence[int]) -> Look:
        """Return the first of *queue_ids* that is in the queue of *server*; trouble is part of the result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoQueues:
    """No queue is asked, for the reason *trouble*."""

    trouble: str = "the server was not asked"
    names: Sequence[str] = ()

    def look(self, server: str, queue_ids: Sequence[int]) -> Look:
        """Return the trouble."""
        return Look(LiveState(trouble=self.trouble))


def answer_to(
    asked: Asked, wanted: TrailFilter, *, connection: History, queues: Queues, coverage: Coverage, now: datetime
) -> Answer:
    """Return the answer to *asked* within *wanted*, which has the limits of the question and of the reader."""
    reader = TrailReader(connection, only_domain=wanted.only_domain)
    found = find(reader, asked, wanted, now)
    gatherer = Gatherer(reader, connection, now)
    if found.is_empty:
        return _from_queue(asked, wanted, reader, gatherer, queues, now) or tell_nothing(
            reader, asked, wanted, coverage, now
        )
    answer = _about(found, gatherer, reader, queues)
    if found.by_domain_only:
        note = "Only the domain of addresses is stored: this is about mail of the whole domain."
        answer = replace(answer, notes=[note, *answer.notes])
    return answer


def _about(found: Found, gatherer: Gatherer, reader: TrailReader, queues: Queues) -> Answer:
    traffic = gatherer.traffic(found)
    if traffic.standings:
        return gatherer.about_domain(found, traffic.domain, traffic)
    if found.trail is None:
        return gatherer.about_refusal(found, found.refusals[0])
    state = limited(_look_for(found.trail, queues), reader.only_domain)
    return gatherer.about_message(found, found.trail, state, by_stored_form(state.message, reader.mask()))


def _look_for(trail: MessageTrail, queues: Queues) -> LiveState:
    """Ask for a message that may still be in the queue."""
    if all(one.state in ENDED for one in trail.recipients) and trail.recipients:
        return LiveState(presence=Presence.ABSENT)
    return queues.look(trail.message.server, [trail.message.queue_id]).state


def _from_queue(
    asked: Asked, wanted: TrailFilter, reader: TrailReader, gatherer: Gatherer, queues: Queues, now: datetime
) -> Answer | None:
    """Return the answer about a message that is in a server's queue, but not in the trail."""
    ids = [id_ for id_ in asked.queue_ids if now - LONGEST_QUEUED < moment_of(id_) < now + LONGEST_QUEUED]
    for server in queues.names if ids else ():
        if wanted.server not in (None, server):
            continue
        look = queues.look(server, ids)
        if look.state.message is None:
            continue
        trail = reader.limit(trail_of_queued(look.state.message, server=server, queue_id=look.queue_id), now)
        if trail is None:
            continue
        state = limited(look.state, wanted.only_domain)
        queued = by_stored_form(state.message, reader.mask())
        answer = gatherer.about_message(Found(messages=[trail.message]), trail, state, queued)
        note = "The trail has nothing of this message: all of this is what the queue holds now."
        evidence = replace(answer.message, is_in_trail=False) if answer.message is not None else None
        return replace(answer, message=evidence, notes=[note, *answer.notes])
    return None
