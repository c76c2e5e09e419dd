"""Puts an answer together: the trail, then the server's queue, then the evidence."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from exporter.answers.answer import Answer
from exporter.answers.asked import Asked
from exporter.answers.finding import Found, find
from exporter.answers.gather import Gatherer
from exporter.answers.nothing import Coverage, tell_nothing
from exporter.answers.queue_state import LiveState, Presence, by_stored_form, limited
from exporter.answers.untrailed import trail_of_queued
from exporter.errors import SettingsError
from exporter.model.trail import MessageTrail, RecipientState
from exporter.settings import ServerSettings, load_settings
from exporter.stalwart.events.snowflakes import moment_of
from exporter.store.reading import History
from exporter.store.trail.filter import TrailFilter
from exporter.store.trail.reader import TrailReader

ENDED = (RecipientState.DELIVERED, RecipientState.BOUNCED, RecipientState.EXPIRED, RecipientState.EXPANDED)

LONGEST_QUEUED = timedelta(days=90)
"""A queue id that was given out longer ago is not looked for in the queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """
    The servers that can be asked.

    Attributes:
        trouble: Why there are none.
    """

    by_name: Mapping[str, ServerSettings] = field(default_factory=dict)
    trouble: str = ""


def servers_of(config: Path | None, *, offline: bool) -> Servers:
    """Return the configured servers; whoever may read the history may lack permission to read their secrets."""
    if offline:
        return Servers(trouble="not asked (--offline)")
    try:
        settings = load_settings(config, dict(os.environ))
    except SettingsError as error:
        return Servers(trouble=f"the configuration cannot be used: {error.problems[0]}")
    return Servers(by_name={server.name: server for server in settings.servers})


def answer_to(
    asked: Asked,
    wanted: TrailFilter,
    *,
    connection: History,
    servers: Servers,
    coverage: Coverage,
    now: datetime,
) -> Answer:
    """Return the answer to *asked* within *wanted*, which has the limits of the question and of the reader."""
    reader = TrailReader(connection, only_domain=wanted.only_domain)
    found = find(reader, asked, wanted, now)
    gatherer = Gatherer(reader, connection, now)
    if found.is_empty:
        return _from_queue(asked, wanted, reader, gatherer, servers, now) or tell_nothing(
            reader, asked, wanted, coverage, now
        )
    answer = _about(found, gatherer, reader, servers)
    if found.by_domain_only:
        note = "Only the domain of addresses is stored: this is about mail of the whole domain."
        answer = replace(answer, notes=[note, *answer.notes])
    return answer


def _about(found: Found, gatherer: Gatherer, reader: TrailReader, servers: Servers) -> Answer:
    traffic = gatherer.traffic(found)
    if traffic.standings:
        return gatherer.about_domain(found, traffic.domain, traffic)
    if found.trail is None:
        return gatherer.about_refusal(found, found.refusals[0])
    state = limited(_look_for(found.trail, servers), reader.only_domain)
    return gatherer.about_message(found, found.trail, state, by_stored_form(state.message, reader.mask()))


def _look_for(trail: MessageTrail, servers: Servers) -> LiveState:
    """Ask for a message that may still be in the queue."""
    if all(one.state in ENDED for one in trail.recipients) and trail.recipients:
        return LiveState(presence=Presence.ABSENT)
    server = servers.by_name.get(trail.message.server)
    if server is None:
        return LiveState(trouble=servers.trouble or "the server is not in the configuration")
    from exporter.cli.why.live import look  # With its HTTP client, it takes as long to import as the rest takes to run.

    return look(server, [trail.message.queue_id]).state


def _from_queue(
    asked: Asked, wanted: TrailFilter, reader: TrailReader, gatherer: Gatherer, servers: Servers, now: datetime
) -> Answer | None:
    """Return the answer about a message that is in a server's queue, but not in the trail."""
    ids = [id_ for id_ in asked.queue_ids if now - LONGEST_QUEUED < moment_of(id_) < now + LONGEST_QUEUED]
    for server, queue_id, seen in _looks(ids, wanted, servers):
        if seen.message is None:
            continue
        trail = reader.limit(trail_of_queued(seen.message, server=server, queue_id=queue_id), now)
        if trail is None:
            continue
        state = limited(seen, wanted.only_domain)
        queued = by_stored_form(state.message, reader.mask())
        answer = gatherer.about_message(Found(messages=[trail.message]), trail, state, queued)
        note = "The trail has nothing of this message: all of this is what the queue holds now."
        evidence = replace(answer.message, is_in_trail=False) if answer.message is not None else None
        return replace(answer, message=evidence, notes=[note, *answer.notes])
    return None


def _looks(ids: Sequence[int], wanted: TrailFilter, servers: Servers) -> Iterator[tuple[str, int, LiveState]]:
    """Yield what each server's queue holds of the first of *ids* that is in it."""
    if ids and servers.by_name:
        from exporter.cli.why.live import look

        for name, server in servers.by_name.items():
            if wanted.server in (None, name):
                found = look(server, ids)
                yield name, found.queue_id, found.state
