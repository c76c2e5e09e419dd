"""``/mail``: what happened to some mail, or the newest messages or refusals by a filter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from starlette.responses import Response

from exporter.answers.asked import parse_asked
from exporter.answers.gather import match_of
from exporter.answers.nothing import Coverage
from exporter.history.filters import KINDS, RESULTS, Options, trail_filter
from exporter.history.why import NoQueues, answer_to
from exporter.model.trail import Refusal, RefusalReason, TrailMessage
from exporter.store.reading import History
from exporter.store.trail.filter import TrailFilter
from exporter.store.trail.reader import TrailReader
from exporter.web.pages.base import path_to, respond
from exporter.web.pages.filters import given_of, options_of
from exporter.web.pages.mail.answer import AnswerView, MatchRow, match_row, view_of
from exporter.web.pages.reading import history_of
from exporter.web.pages.visit import Visit

FILTERS = ("server", "domain", "address", "account", "kind", "result", "reason", "client", "since", "until", "refused")
OPTIONS = ("what", *FILTERS, "limit")

USUAL, MOST = 50, 500

NOT_ASKED = NoQueues(trouble="this page does not ask the server; `stalwart-exporter why` does")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPage:
    """
    The page.

    Attributes:
        answer: The answer to *what*; ``None`` if nothing was asked.
        matches: Messages or refusals by the filter, if nothing was asked.
        more: Whether there are more of them.
        exports: The addresses of the exports of the same mail, by format.
    """

    options: Mapping[str, str | None]
    servers: Sequence[str]
    answer: AnswerView | None
    is_refused: bool
    matches: Sequence[MatchRow]
    more: bool
    exports: Mapping[str, Markup]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the page is asked for."""

    options: Options
    wanted: TrailFilter
    is_refused: bool
    most: int


async def search(visit: Visit) -> Response:
    """Return the page."""
    asked = parse(visit)

    def answer(history: History) -> Response:
        page = load(history, visit, asked)
        return respond(
            visit,
            "mail.html",
            title="Mail",
            section="mail",
            page=page,
            kinds=KINDS,
            results=[*RESULTS],
            reasons=[*RefusalReason],
        )

    return await history_of(visit).read(answer)


def parse(visit: Visit) -> Asked:
    """Read the address; raises `FilterError`."""
    options = options_of(visit, *OPTIONS)
    is_refused = options.is_set("refused")
    return Asked(
        options=options,
        wanted=trail_filter(options, refused=is_refused),
        is_refused=is_refused,
        most=options.number("limit", usual=USUAL, most=MOST),
    )


def load(history: History, visit: Visit, asked: Asked) -> SearchPage:
    """Read what the page shows."""
    reader = TrailReader(history, only_domain=visit.only_domain)
    what = asked.options.text("what")
    found: Sequence[TrailMessage | Refusal] = []
    answer = None
    if what is not None:
        limits = TrailFilter(server=asked.wanted.server, since=asked.wanted.since, only_domain=visit.only_domain)
        told = answer_to(
            parse_asked(what), limits, connection=history, queues=NOT_ASKED, coverage=Coverage(), now=visit.now
        )
        answer = view_of(told)
    elif asked.is_refused:
        found = reader.refusals(asked.wanted, most=asked.most + 1)
    else:
        found = reader.messages(asked.wanted, most=asked.most + 1)
    return SearchPage(
        options=asked.options.given,
        servers=reader.servers,
        answer=answer,
        is_refused=asked.is_refused,
        matches=[match_row(match_of(reader, one, visit.now)) for one in found[: asked.most]],
        more=len(found) > asked.most,
        exports={
            fmt: path_to("mail", "export", **given_of(asked.options, without=("what", "limit"), format=fmt))
            for fmt in ("csv", "json")
        },
    )
