"""``/reports/domains/<domain>``: what reports of all kinds say about one domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup
from starlette.responses import Response

from exporter.domains import domain_name, shown_domain
from exporter.history.filters import Options
from exporter.history.texts import counted, day
from exporter.store.reading import History
from exporter.store.reports.dmarc.days import DayResult, domain_days, policies_over_time
from exporter.store.reports.dmarc.loading import load_readiness
from exporter.store.reports.dmarc.one_domain import (
    SourceSums,
    Window,
    complaints,
    reporter_sums,
    source_sums,
    tls_sums,
)
from exporter.store.reports.dmarc.sources import UNNAMED, load_names
from exporter.store.reports.dmarc.summary import silent_reporters
from exporter.store.reports.queries import report_servers
from exporter.store.reports.sums import DAY_SECONDS
from exporter.web.pages.base import path_to, respond
from exporter.web.pages.filters import options_of
from exporter.web.pages.reading import history_of, nothing_here
from exporter.web.pages.reports.domain_rows import (
    ComplaintRow,
    NextPolicy,
    PolicyRow,
    ReporterRow,
    SilentRow,
    SourceRow,
    Tile,
    TlsRow,
    complaint_row,
    next_policy,
    policy_row,
    reporter_row,
    source_row,
    tiles_of,
    tls_row,
    tls_words,
)
from exporter.web.pages.reports.links import MOST_DAYS, USUAL_DAYS
from exporter.web.pages.reports.pictures import alignment_bars, policy_band
from exporter.web.pages.visit import Visit

OPTIONS = ("server", "days", "limit")

USUAL_ROWS, MOST_ROWS = 10, 500
SILENT_WINDOW = timedelta(days=90)
POLICY_WEEKS = 26

MOST_REPORTS = 10_000
"""Sources and reporters are summed over so many reports at most, the newest: each of their records is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainPage:
    """
    The page.

    Attributes:
        since: The first day of all but sources and reporters.
        sources_since: Their first day; later than *since* if the reports are too many to read.
        next_policy: ``None`` without DMARC reports, or if they are too many to read.
        source_count, largest: The number of sources, and those that send most.
        tls: TLS sessions in words; empty without TLS reports.
    """

    name: str
    options: Mapping[str, str | None]
    servers: Sequence[str]
    days: int
    since: str
    until: str
    tiles: Sequence[Tile]
    volume: Markup
    policy: PolicyRow | None
    policies: Markup
    sources_since: str
    is_shortened: bool
    source_count: int
    next_policy: NextPolicy | None
    largest: Sequence[SourceRow]
    reporters: Sequence[ReporterRow]
    silent: Sequence[SilentRow]
    tls: str
    tls_failures: Sequence[TlsRow]
    complaints: Sequence[ComplaintRow]
    reports_link: Markup
    exports: Mapping[str, Markup]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the page is asked for; the days are Unix days."""

    domain: str
    options: Options
    server: str | None
    days: int
    most: int
    now_at: datetime

    @property
    def now(self) -> int:
        """The Unix second."""
        return int(self.now_at.timestamp())

    @property
    def last_day(self) -> int:
        """Today."""
        return self.now // DAY_SECONDS

    @property
    def first_day(self) -> int:
        """The first day of the window."""
        return self.last_day - self.days + 1


async def domain(visit: Visit) -> Response:
    """Return the page; with status 404 for a domain without reports."""
    name = domain_name(visit.arguments["domain"])
    if name is None:
        return nothing_here(visit, "This is not a domain name.", section="reports")
    asked = parse(visit, name)

    def answer(history: History) -> Response:
        page = load(history, asked)
        if page is None:
            text = f"There is no report about {shown_domain(name)} in the last {counted(asked.days, 'day')}."
            text += "" if asked.days == MOST_DAYS else f" The filter days={MOST_DAYS} looks further back."
            return nothing_here(visit, text, section="reports")
        return respond(visit, "report_domain.html", title=page.name, section="reports", page=page)

    return await history_of(visit).read(answer)


def parse(visit: Visit, name: str) -> Asked:
    """Read the address; raises `FilterError`."""
    options = options_of(visit, *OPTIONS)
    return Asked(
        domain=name,
        options=options,
        server=options.text("server"),
        days=options.number("days", usual=USUAL_DAYS, most=MOST_DAYS),
        most=options.number("limit", usual=USUAL_ROWS, most=MOST_ROWS),
        now_at=visit.now,
    )


def load(history: History, asked: Asked) -> DomainPage | None:
    """Read what the page shows; ``None`` without reports in the window."""
    servers = report_servers(history)
    named = servers if asked.server is None else [asked.server]
    first, last = asked.first_day, asked.last_day
    found = domain_days(history, named, [asked.domain], first_day=first, last_day=last)
    days = found.get(asked.domain, ())
    window = _window(asked, first)
    tls, blamed = tls_sums(history, window), complaints(history, window)
    if not (days or tls.reports or blamed):
        return None
    sources_day = first_day_of(days, first)
    is_shortened = sources_day > first
    read = _window(asked, sources_day)
    sources, reporters = source_sums(history, read), reporter_sums(history, read)
    policies = policies_over_time(history, asked.domain, server=asked.server, now=asked.now, weeks=POLICY_WEEKS)
    return DomainPage(
        name=shown_domain(asked.domain),
        options=asked.options.given,
        servers=servers,
        days=asked.days,
        since=day(first * DAY_SECONDS),
        until=day(last * DAY_SECONDS),
        tiles=tiles_of(days),
        volume=alignment_bars(days, first_day=first, last_day=last, domain=asked.domain),
        policy=policy_row(policies),
        policies=policy_band(policies, domain=asked.domain),
        sources_since=day(sources_day * DAY_SECONDS),
        is_shortened=is_shortened,
        source_count=sources.count,
        next_policy=_next_policy(history, asked) if days and not is_shortened else None,
        largest=_sources(history, sources, asked.server),
        reporters=[reporter_row(one) for one in reporters],
        silent=[] if is_shortened else _silent(history, asked),
        tls=tls_words(tls.passed, tls.failed, tls.reports),
        tls_failures=[tls_row(one) for one in tls.failures],
        complaints=[complaint_row(one) for one in blamed],
        reports_link=path_to("reports", domain=asked.domain, since=f"{asked.days}d"),
        exports={
            fmt: path_to("reports", "export", domain=asked.domain, since=f"{asked.days}d", format=fmt)
            for fmt in ("csv", "json")
        },
    )


def first_day_of(days: Sequence[DayResult], first: int) -> int:
    """Return the day from which on at most `MOST_REPORTS` reports are read, at least those of the newest day."""
    reports = 0
    for one in reversed(days):
        reports += one.reports
        if reports > MOST_REPORTS:
            return min(one.day + 1, days[-1].day)
    return first


def _window(asked: Asked, first_day: int) -> Window:
    return Window(
        domain=asked.domain, server=asked.server, begin=first_day * DAY_SECONDS - 1, now=asked.now, most=asked.most
    )


def _next_policy(history: History, asked: Asked) -> NextPolicy | None:
    readiness = load_readiness(
        history, asked.domain, now=asked.now_at, server=asked.server, days=asked.days, most=asked.most
    )
    return None if readiness is None else next_policy(readiness)


def _sources(history: History, sums: SourceSums, server: str | None) -> Sequence[SourceRow]:
    names = load_names(history, [one.source for one in sums.largest], server=server)
    return [source_row(one, names.get(one.source, UNNAMED)) for one in sums.largest]


def _silent(history: History, asked: Asked) -> Sequence[SilentRow]:
    rows = silent_reporters(
        history, asked.domain, now=asked.now_at, since=asked.now_at - SILENT_WINDOW, server=asked.server
    )
    return [SilentRow(reporter=row["reporter"], last=day(row["last_at"])) for row in rows]
