"""``/reports``: the domains with volume, alignment and policy over time, and the newest reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from markupsafe import Markup
from starlette.responses import Response

from exporter.domains import shown_domain
from exporter.history.filters import Options, report_filter
from exporter.history.texts import day, number, share
from exporter.model.report_words import ReportKind
from exporter.store.reading import History
from exporter.store.reports.dmarc.days import DomainVolume, PolicyAt, domain_days, largest_domains, policies_over_time
from exporter.store.reports.filter import RESULTS, ReportFilter
from exporter.store.reports.queries import Fields, newest_reports, report_servers
from exporter.store.reports.sums import DAY_SECONDS
from exporter.web.pages.base import path_to, respond
from exporter.web.pages.filters import given_of, options_of
from exporter.web.pages.reading import history_of
from exporter.web.pages.reports.links import MOST_DAYS, USUAL_DAYS, link_to_domain
from exporter.web.pages.reports.pictures import POLICY_KINDS, alignment_bars, policy_band, words_of
from exporter.web.pages.visit import Visit

OPTIONS = ("server", "domain", "kind", "reporter", "since", "until", "result", "limit")
EXPORTED = OPTIONS[:-1]

USUAL = timedelta(days=USUAL_DAYS)
USUAL_DOMAINS, MOST_DOMAINS = 20, 50
USUAL_REPORTS, MOST_REPORTS = 50, 500
POLICY_WEEKS = 13


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainRow:
    """
    One domain.

    Attributes:
        share: Aligned messages, as a percentage; empty without messages.
        volume: Messages per day, as a picture.
        policy, kind: The newest policy, and its badge; both empty if none is known.
        policies: The policies of the last weeks, as a picture.
    """

    name: str
    link: Markup
    messages: str
    share: str
    failed: str
    volume: Markup
    policy: str
    kind: str
    policies: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRow:
    """One report; numbers that its kind does not have are empty, and the link of what is not a domain name."""

    link: Markup
    kind: str
    reporter: str
    domain: str
    domain_link: Markup
    ended: str
    passed: str
    failed: str
    server: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportsPage:
    """
    The page.

    Attributes:
        more_domains, more_reports: Whether there are more than are shown.
        exports: The addresses of the exports of the same reports, by format.
    """

    options: Mapping[str, str | None]
    servers: Sequence[str]
    first_day: str
    last_day: str
    domains: Sequence[DomainRow]
    more_domains: bool
    reports: Sequence[ReportRow]
    more_reports: bool
    exports: Mapping[str, Markup]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the page is asked for; the days are Unix days, *most* are reports."""

    options: Options
    wanted: ReportFilter
    first_day: int
    last_day: int
    today: int
    most: int


async def reports(visit: Visit) -> Response:
    """Return the page."""
    asked = parse(visit)

    def answer(history: History) -> Response:
        return respond(
            visit, "reports.html", title="Reports", section="reports", page=load(history, asked), results=RESULTS
        )

    return await history_of(visit).read(answer)


def parse(visit: Visit) -> Asked:
    """Read the address; raises `FilterError`."""
    options = options_of(visit, *OPTIONS)
    wanted = report_filter(options, since=visit.now - USUAL)
    begin, end = wanted.since or visit.now - USUAL, min(wanted.until or visit.now, visit.now)
    return Asked(
        options=options,
        wanted=wanted,
        first_day=int(begin.timestamp()) // DAY_SECONDS,
        last_day=int(end.timestamp()) // DAY_SECONDS,
        today=int(visit.now.timestamp()) // DAY_SECONDS,
        most=options.number("limit", usual=USUAL_REPORTS, most=MOST_REPORTS),
    )


def load(history: History, asked: Asked) -> ReportsPage:
    """Read what the page shows."""
    servers = report_servers(history)
    since = asked.options.text("since") or f"{USUAL_DAYS}d"
    volumes = _volumes(history, servers, asked)
    found = newest_reports(history, asked.wanted, most=asked.most + 1)
    return ReportsPage(
        options=asked.options.given,
        servers=servers,
        first_day=day(asked.first_day * DAY_SECONDS),
        last_day=day(asked.last_day * DAY_SECONDS),
        domains=_domain_rows(history, servers, volumes[:USUAL_DOMAINS], asked),
        more_domains=len(volumes) > USUAL_DOMAINS,
        reports=[_report_row(row, asked) for row in found[: asked.most]],
        more_reports=len(found) > asked.most,
        exports={
            fmt: path_to(
                "reports",
                "export",
                **given_of(asked.options, without=("limit",), since=since, format=fmt),
            )
            for fmt in ("csv", "json")
        },
    )


def _volumes(history: History, servers: Sequence[str], asked: Asked) -> Sequence[DomainVolume]:
    """
    Return the domains with most messages, one more than are shown.

    None if their sums would not be those of the wanted reports: sums are kept by day, server and domain.
    """
    wanted = asked.wanted
    if wanted.kind not in (None, ReportKind.DMARC) or wanted.reporter is not None or wanted.result is not None:
        return []
    named = servers if wanted.server is None else [wanted.server]
    return largest_domains(
        history,
        named,
        domain=wanted.domain,
        first_day=asked.first_day,
        last_day=asked.last_day,
        most=USUAL_DOMAINS + 1,
    )


def _domain_rows(
    history: History, servers: Sequence[str], volumes: Sequence[DomainVolume], asked: Asked
) -> Sequence[DomainRow]:
    wanted = asked.wanted
    named = servers if wanted.server is None else [wanted.server]
    names = [one.domain for one in volumes]
    days = domain_days(history, named, names, first_day=asked.first_day, last_day=asked.last_day)
    rows = []
    for one in volumes:
        policies = policies_over_time(
            history, one.domain, server=wanted.server, now=(asked.last_day + 1) * DAY_SECONDS, weeks=POLICY_WEEKS
        )
        volume = alignment_bars(
            days.get(one.domain, ()), first_day=asked.first_day, last_day=asked.last_day, domain=one.domain
        )
        rows.append(_domain_row(one, volume, policies, given_of(asked.options, without=OPTIONS[1:])))
    return rows


def _domain_row(one: DomainVolume, volume: Markup, policies: Sequence[PolicyAt], query: Mapping[str, str]) -> DomainRow:
    newest = policies[-1] if policies else None
    return DomainRow(
        name=shown_domain(one.domain),
        link=link_to_domain(one.domain, **query),
        messages=number(one.messages),
        share=share(one.aligned, one.messages),
        failed=number(one.failed),
        volume=volume,
        policy="" if newest is None else words_of(newest),
        kind="" if newest is None else POLICY_KINDS.get(newest.policy, "off"),
        policies=policy_band(policies, domain=one.domain),
    )


def _report_row(row: Fields, asked: Asked) -> ReportRow:
    is_old = row["ends_at"] < (asked.today - USUAL_DAYS) * DAY_SECONDS
    return ReportRow(
        link=path_to("reports", row["kind"], str(row["id"])),
        kind=row["kind"],
        reporter=row["reporter"],
        domain=shown_domain(row["domain"]),
        domain_link=link_to_domain(row["domain"], **({"days": str(MOST_DAYS)} if is_old else {})),
        ended=day(row["ends_at"]),
        passed="" if row["kind"] == "arf" else number(row["passed"]),
        failed=number(row["failed"]),
        server=row["server"],
    )
