"""``/mail/senders``: who sends how much, and who sends unusually for their own past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from markupsafe import Markup
from starlette.responses import Response

from exporter.history.filters import Options
from exporter.history.sender_words import finding_words, hour_at
from exporter.history.texts import counted, minute, number
from exporter.model.senders import DAY_HOURS, HOUR_SECONDS
from exporter.store.reading import History
from exporter.store.trail.senders.judging import unusual_senders
from exporter.store.trail.senders.queries import ORDERS, SenderSum, load_past, servers_of, top_senders
from exporter.web.pages.base import path_to, respond
from exporter.web.pages.filters import options_of
from exporter.web.pages.reading import history_of
from exporter.web.pages.visit import Visit
from exporter.web.pictures.sparkline import sparkline

OPTIONS = ("server", "domain", "since", "by", "limit")
USUAL, MOST = 20, 200
USUAL_SINCE = timedelta(hours=24)
SHOWN_HOURS = 7 * DAY_HOURS


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderRow:
    """One sender; *picture* shows the messages per hour of the last week, *numbers* are in the order of `ORDERS`."""

    name: str
    link: Markup
    server: str
    numbers: Sequence[str]
    picture: Markup
    last: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnusualRow:
    """A sender that exceeds what its own past allows."""

    name: str
    link: Markup
    server: str
    reasons: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SendersPage:
    """The page."""

    options: Mapping[str, str | None]
    servers: Sequence[str]
    unusual: Sequence[UnusualRow]
    senders: Sequence[SenderRow]
    since: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the page is asked for; hours are Unix hours."""

    options: Options
    server: str | None
    domain: str | None
    since_hour: int
    hour: int
    by: str
    most: int


async def senders(visit: Visit) -> Response:
    """Return the page."""
    asked = parse(visit)

    def answer(history: History) -> Response:
        page = load(history, asked)
        return respond(visit, "senders.html", title="Senders", section="mail", page=page, orders=ORDERS)

    return await history_of(visit).read(answer)


def parse(visit: Visit) -> Asked:
    """Read the address; raises `FilterError`."""
    options = options_of(visit, *OPTIONS)
    return Asked(
        options=options,
        server=options.text("server"),
        domain=options.domain("domain"),
        since_hour=hour_at(options.moment("since") or visit.now - USUAL_SINCE),
        hour=hour_at(visit.now),
        by=options.one_of("by", ORDERS) or ORDERS[0],
        most=options.number("limit", usual=USUAL, most=MOST),
    )


def load(history: History, asked: Asked) -> SendersPage:
    """Read what the page shows."""
    rows = top_senders(
        history,
        server=asked.server,
        domain=asked.domain,
        since_hour=asked.since_hour,
        by=asked.by,
        by_domain=False,
        most=asked.most,
    )
    return SendersPage(
        options=asked.options.given,
        servers=servers_of(history),
        unusual=[
            UnusualRow(
                name=one.sender,
                link=_mail_of(one.sender),
                server=one.server,
                reasons=finding_words(one.findings),
            )
            for one in unusual_senders(history, server=asked.server, hour=asked.hour)
        ],
        senders=[_row(history, one, asked) for one in rows],
        since=minute(asked.since_hour * HOUR_SECONDS),
    )


def _row(history: History, one: SenderSum, asked: Asked) -> SenderRow:
    past = load_past(history, one.server, one.name, asked.hour)
    hours = range(asked.hour - SHOWN_HOURS + 1, asked.hour + 1)
    messages = [float(past[hour].messages) if hour in past else 0.0 for hour in hours]
    return SenderRow(
        name=one.name,
        link=_mail_of(one.name),
        server=one.server,
        numbers=[number(getattr(one.total, name)) for name in ORDERS],
        picture=sparkline(messages, text=_picture_words(messages)),
        last=minute(one.last_hour * HOUR_SECONDS),
    )


def _picture_words(messages: Sequence[float]) -> str:
    most = number(round(max(messages)))
    return f"{counted(round(sum(messages)), 'message')} in seven days, at most {most} per hour"


def _mail_of(sender: str) -> Markup:
    """Return the address of a sender's mail: an account without a domain is no address."""
    return path_to("mail", address=sender) if "@" in sender else path_to("mail", account=sender)
