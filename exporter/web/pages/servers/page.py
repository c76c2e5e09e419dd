"""``/servers/<name>``: everything about one server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from exporter.web.interfaces import CollectorState, CollectorStatus, ServerStatus, StatusPage
from exporter.web.pages.base import respond
from exporter.web.pages.servers.badges import BADGES
from exporter.web.pages.servers.tiles import DAY, WEEK, length_words
from exporter.web.pages.servers.view import Pasts, ServerView, read_pasts, server_view
from exporter.web.pages.visit import Visit
from exporter.web.verdict.judge import find_problems
from exporter.web.words import APIS, EDITIONS, duration

DO: Mapping[str, str] = {
    "unreachable": "Check that the server runs, and that this host can reach its URL.",
    "timeout": "Check the server's load and the network between; the request is repeated later.",
    "tls": "Check the server's certificate, its name, and tls.ca_file in the configuration.",
    "refused": "Fix the secret file of this server and reload; no requests are sent until then.",
    "forbidden": "Grant the permission to the exporter's key; it is tried again within the hour.",
    "busy": "The server limits requests: lower max_requests_per_minute, or raise the limit of the exporter's account.",
    "server_error": "Look into the server's log at this time.",
    "payload": "The response has an unknown form: look for a newer release of the exporter.",
    "internal": "A fault of the exporter itself: its log has the details.",
}
"""What to do about a failing collector, by the reason of its failure."""

RUN_DOCTOR = "Run `stalwart-exporter doctor`."


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorRow:
    """A collector; *do* is what to do about its failure, otherwise empty."""

    status: CollectorStatus
    do: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerPage:
    """
    What the page of a server shows.

    Attributes:
        day, week: The same server, with pictures of the last hours and of the last days.
        identity: Names and texts.
        blind: Why there are no pictures; empty if there are.
    """

    day: ServerView
    week: ServerView
    day_words: str
    week_words: str
    collectors: Sequence[CollectorRow]
    identity: Sequence[tuple[str, str]]
    blind: str


async def server(visit: Visit) -> Response:
    """Return the page of the server that the path names."""
    page = visit.source.status()
    name = visit.arguments["name"]
    status = next((one for one in page.servers if one.name == name), None)
    if status is None:
        text = "No server of this name is watched. The overview has all of them."
        return respond(visit, "message.html", title="Not found", status=404, kind="wait", text=text)
    pasts = await read_pasts(visit, page, [status], WEEK, with_destinations=True)
    shown = server_page(visit, page, status, pasts)
    return respond(visit, "server.html", title=f"{name}: {shown.day.state}", section="overview", shown=shown, **BADGES)


def server_page(visit: Visit, page: StatusPage, status: ServerStatus, pasts: Pasts) -> ServerPage:
    """Return what the page of a server shows."""
    past, now = pasts.of(status), visit.now
    problems = [problem for problem in find_problems(page, now=now) if problem.where == status.name]
    return ServerPage(
        day=server_view(status, page, past, problems, now, DAY),
        week=server_view(status, page, past, problems, now, WEEK),
        day_words=length_words(DAY.number * DAY.every * page.step_seconds),
        week_words=length_words(WEEK.number * WEEK.every * page.step_seconds),
        collectors=[CollectorRow(status=one, do=_what_to_do(one)) for one in status.collectors],
        identity=_identity(status),
        blind=pasts.error,
    )


def _what_to_do(collector: CollectorStatus) -> str:
    if collector.state is not CollectorState.FAILING:
        return ""
    return DO.get(collector.reason, RUN_DOCTOR)


def _identity(status: ServerStatus) -> Sequence[tuple[str, str]]:
    skew = status.clock_skew_seconds
    facts = (
        ("URL", status.url),
        ("Version", status.version or "unknown"),
        ("Edition", EDITIONS.get(status.edition, status.edition) or "unknown"),
        ("API", APIS.get(status.generation, status.generation) or "unknown"),
        ("The exporter's account", status.account),
        ("Counters come from", status.metrics_source.replace("_", " ")),
        (
            "Clock",
            "" if skew is None else f"{duration(abs(skew))} {'ahead of' if skew > 0 else 'behind'} the exporter's",
        ),
        ("Log", status.log_problem),
    )
    return [(name, text) for name, text in facts if text]
