"""One server as the pages show it: read from the history, and put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from markupsafe import Markup

from exporter.errors import StoreError
from exporter.store.reading import History
from exporter.store.steps.steps import Step, load_steps
from exporter.store.trail.destinations import Failures, failures_of, rejecting
from exporter.web.interfaces import CollectorState, ServerStatus, StatusPage
from exporter.web.pages.base import path_to
from exporter.web.pages.servers.lists import (
    AlignmentRow,
    CertificateRow,
    DestinationRow,
    alignment_rows,
    candidates,
    certificate_rows,
    destination_rows,
)
from exporter.web.pages.servers.series import Series
from exporter.web.pages.servers.tiles import DAY, Span, Tile, delivery_tile, login_tile, queue_tile, spam_tile
from exporter.web.pages.visit import Visit
from exporter.web.verdict.judge import Problem
from exporter.web.verdict.thresholds import shipped
from exporter.web.words import APIS, EDITIONS, duration

DESTINATIONS = 6
"""How many failing destinations are shown of a server."""

REJECTED_WITHIN = timedelta(days=1)
FAILED_WITHIN = timedelta(days=8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """
    What the history has of a server.

    Attributes:
        rejected: Recipients that failed permanently of late, by destination.
        failures: By destination.
    """

    steps: Sequence[Step] = ()
    rejected: Mapping[str, int] = field(default_factory=dict)
    failures: Mapping[str, Failures] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerView:
    """
    One server.

    Attributes:
        path: That of its page.
        kind: ``good``, ``wait`` or ``bad``, the worst of its *problems*.
        state: In one or two words.
        headline: Its worst problem, or empty.
        about: Version, edition and API.
        oldest: The age of the oldest message in words; empty if there is none.
    """

    status: ServerStatus
    path: Markup
    kind: str
    state: str
    headline: str
    about: str
    oldest: str
    problems: Sequence[Problem]
    tiles: Sequence[Tile]
    destinations: Sequence[DestinationRow]
    certificates: Sequence[CertificateRow]
    alignment: Sequence[AlignmentRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pasts:
    """
    What the history has of several servers, by name.

    Attributes:
        error: Why there is nothing; empty if there is.
    """

    found: Mapping[str, Past] = field(default_factory=dict)
    error: str = ""

    def of(self, server: ServerStatus) -> Past:
        """Return the past of *server*."""
        return self.found.get(server.name, Past())


async def read_pasts(
    visit: Visit, page: StatusPage, servers: Sequence[ServerStatus], span: Span, *, with_destinations: bool
) -> Pasts:
    """Read what the pictures of *servers* need; without it the page still says what is the case now."""
    if visit.history is None:
        return Pasts()
    # One step more: an increase needs the step before.
    since = int(visit.now.timestamp()) - (span.number * span.every + 2) * page.step_seconds

    def work(history: History) -> Mapping[str, Past]:
        return {one.name: _past(history, one, since, visit.now, with_destinations) for one in servers}

    try:
        return Pasts(found=await visit.history.read(work))
    except StoreError as error:
        return Pasts(error=str(error))


def _past(history: History, server: ServerStatus, since: int, now: datetime, with_destinations: bool) -> Past:
    steps = load_steps(history, server.name, since=since)
    if not with_destinations:
        return Past(steps=steps)
    rejected = rejecting(history, server.name, since=now - REJECTED_WITHIN, most=DESTINATIONS)
    domains = candidates(server, rejected, most=DESTINATIONS)
    return Past(
        steps=steps,
        rejected=rejected,
        failures=failures_of(history, server.name, domains, since=now - FAILED_WITHIN),
    )


def server_view(
    server: ServerStatus,
    page: StatusPage,
    past: Past,
    problems: Sequence[Problem],
    now: datetime,
    span: Span = DAY,
    *,
    is_brief: bool = False,
) -> ServerView:
    """Return *server* with its own *problems*; a brief view has only the tiles of the queue and of deliveries."""
    series = Series(past.steps, int(now.timestamp()), page.step_seconds)
    kind, state = state_of(server, problems)
    oldest = _oldest_seconds(server, now)
    return ServerView(
        status=server,
        path=path_to("servers", server.name),
        kind=kind,
        state=state,
        headline=problems[0].what if problems else server.note,
        about=about(server),
        oldest="" if oldest is None else duration(oldest),
        problems=problems,
        tiles=[
            queue_tile(server, series, span, oldest_seconds=oldest),
            delivery_tile(server, series, span),
            *(() if is_brief else (spam_tile(series, span), login_tile(series, span))),
        ],
        destinations=destination_rows(server, past.rejected, past.failures, most=DESTINATIONS),
        certificates=certificate_rows(server, page.limits or shipped(), now),
        alignment=alignment_rows(server),
    )


def state_of(server: ServerStatus, problems: Sequence[Problem]) -> tuple[str, str]:
    """Return the kind of a server's state and its words."""
    if server.up is None:
        return "wait", "not polled yet"
    if server.up is False:
        return "bad", "down"
    if any(problem.kind == "bad" for problem in problems):
        return "bad", "urgent"
    if problems:
        return "wait", "attention" if any(problem.due for problem in problems) else "watch"
    if any(collector.state is CollectorState.WAITING for collector in server.collectors):
        return "wait", "starting"
    return "good", "up"


def about(server: ServerStatus) -> str:
    """Return a server's version, edition and API in one line."""
    version = f"Stalwart {server.version}" if server.version else "version unknown"
    edition = f", {EDITIONS.get(server.edition, server.edition)} edition" if server.edition else ""
    api = f", {APIS.get(server.generation, server.generation)} API" if server.generation else ""
    return version + edition + api


def _oldest_seconds(server: ServerStatus, now: datetime) -> float | None:
    oldest = None if server.queue is None else server.queue.oldest_created_at
    return None if oldest is None else max(0.0, (now - oldest).total_seconds())


RANK = {"bad": 0, "wait": 1, "good": 2}


def broken_first(views: Sequence[ServerView]) -> Sequence[ServerView]:
    """Return *views* with the worst first, otherwise in their order."""
    return sorted(views, key=lambda view: RANK[view.kind])
