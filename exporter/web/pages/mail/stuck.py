"""``/mail/stuck``: what waits after a failed attempt, by destination, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup
from starlette.responses import Response

from exporter.answers.message import cause
from exporter.answers.queue_state import LiveState
from exporter.answers.standing import PENDING, standings
from exporter.domains import shown_domain
from exporter.history.texts import counted, moment
from exporter.model.trail import RecipientState
from exporter.store.reading import History
from exporter.store.trail.queries import servers_of
from exporter.store.trail.reader import TrailReader
from exporter.store.trail.waiting import StuckDestination, list_stuck
from exporter.web.pages.base import path_to, respond
from exporter.web.pages.filters import options_of
from exporter.web.pages.reading import history_of
from exporter.web.pages.visit import Visit
from exporter.web.words import ago, duration

USUAL, MOST = 25, 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleRow:
    """A message that waits."""

    link: Markup
    sender: str
    recipients: str
    accepted: str
    next: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckCard:
    """
    One destination.

    Attributes:
        why: Why its last attempt failed; empty if that is not known.
        next: When the next attempt is; empty if that is not known.
    """

    domain: str
    link: Markup
    server: str
    waiting: str
    oldest: str
    tried: str
    why: str
    next: str
    examples: Sequence[ExampleRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckPage:
    """The page; *more* are destinations that are not shown, *truncated* as in `Stuck`."""

    servers: Sequence[str]
    destinations: Sequence[StuckCard]
    more: int
    truncated: bool
    total: str


async def stuck(visit: Visit) -> Response:
    """Return the page."""
    options = options_of(visit, "server", "limit")
    server, most = options.text("server"), options.number("limit", usual=USUAL, most=MOST)

    def answer(history: History) -> Response:
        page = load(history, visit, server=server, most=most)
        return respond(visit, "stuck.html", title="Stuck mail", section="mail", page=page, options=options.given)

    return await history_of(visit).read(answer)


def load(history: History, visit: Visit, *, server: str | None, most: int) -> StuckPage:
    """Read what the page shows."""
    servers = servers_of(history)
    found = list_stuck(history, servers if server is None else [server], now=visit.now)
    reader = TrailReader(history)
    recipients = sum(one.recipients for one in found.destinations)
    return StuckPage(
        servers=servers,
        destinations=[_card(reader, one, visit) for one in found.destinations[:most]],
        more=max(0, len(found.destinations) - most),
        truncated=found.truncated,
        total=f"{counted(recipients, 'recipient')} at {counted(len(found.destinations), 'destination')}",
    )


def attempt_words(attempt_at: datetime, now: datetime) -> str:
    """Return when an attempt comes; one whose time has come has not been made yet."""
    is_due = (attempt_at - now).total_seconds() < 1
    return f"{moment(attempt_at)} ({'due' if is_due else ago(attempt_at, now)})"


def _card(reader: TrailReader, one: StuckDestination, visit: Visit) -> StuckCard:
    why, due, examples = "", "", []
    for queue_id in one.examples:
        trail = reader.trail(one.server, queue_id, now=visit.now)
        if trail is None:
            continue
        mine = [
            stand
            for stand in standings(trail, LiveState(), {})
            if stand.recipient.domain == one.domain and stand.state in PENDING
        ]
        deferred = [stand for stand in mine if stand.state is RecipientState.DEFERRED]
        retries = [stand.next_retry for stand in mine if stand.next_retry is not None]
        upcoming = attempt_words(min(retries), visit.now) if retries else ""
        why = why or (cause(deferred[0]) if deferred else "")
        due = due or upcoming
        examples.append(
            ExampleRow(
                link=path_to("mail", one.server, str(queue_id)),
                sender=trail.message.sender,
                recipients=", ".join(stand.recipient.address for stand in mine[:3]),
                accepted=moment(trail.message.seen_at),
                next=upcoming,
            )
        )
    return StuckCard(
        domain=shown_domain(one.domain) or "an unknown destination",
        link=path_to("mail", what=one.domain) if one.domain else Markup(""),
        server=one.server,
        waiting=f"{counted(one.recipients, 'recipient')} in {counted(one.messages, 'message')}",
        oldest=duration((visit.now - one.oldest_at).total_seconds()),
        tried=ago(one.tried_at, visit.now),
        why=why,
        next=due,
        examples=examples,
    )
