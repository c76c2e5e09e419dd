"""``/``: whether mail flows, what is wrong, and what to do next."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from exporter.web.interfaces import StatusPage
from exporter.web.pages.base import respond
from exporter.web.pages.servers.badges import BADGES
from exporter.web.pages.servers.tiles import DAY
from exporter.web.pages.servers.view import Pasts, ServerView, broken_first, read_pasts, server_view
from exporter.web.pages.visit import Visit
from exporter.web.verdict.judge import Problem, Verdict, find_problems, judge

CARDS = 3
"""Up to this many servers have a card each; more are rows, so that they fit on one screen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """
    What the overview shows.

    Attributes:
        cards, rows: The servers, in one of the two.
        blind: Why there are no pictures; empty if there are.
    """

    page: StatusPage
    verdict: Verdict
    cards: Sequence[ServerView]
    rows: Sequence[ServerView]
    blind: str


async def overview(visit: Visit) -> Response:
    """Return the overview."""
    page = visit.source.status()
    # Here, since it reads the recent history, to which this thread adds.
    problems = find_problems(page, now=visit.now)
    few = len(page.servers) <= CARDS
    pasts = await read_pasts(visit, page, page.servers, DAY, with_destinations=few)

    def made() -> Response:
        shown = overview_of(visit, page, problems, pasts)
        return respond(visit, "overview.html", title=shown.verdict.title, section="overview", shown=shown, **BADGES)

    # A scrape does not wait for the pictures of fifty servers.
    return await asyncio.to_thread(made)


def overview_of(visit: Visit, page: StatusPage, problems: Sequence[Problem], pasts: Pasts) -> Overview:
    """Return what the overview shows of *page*, its *problems* and the history."""
    few = len(page.servers) <= CARDS
    views = broken_first(
        [
            server_view(
                server,
                page,
                pasts.of(server),
                [problem for problem in problems if problem.where == server.name],
                visit.now,
                is_brief=not few,
            )
            for server in page.servers
        ]
    )
    return Overview(
        page=page,
        verdict=judge(page, now=visit.now, problems=problems),
        cards=views if few else (),
        rows=() if few else views,
        blind=pasts.error,
    )
