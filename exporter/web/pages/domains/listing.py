"""``/domains``: each domain with its checks, those with bad results first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from markupsafe import Markup
from starlette.responses import Response

from exporter.domains import shown_domain
from exporter.history.checks import Group, by_domain, named, owner_of, part_of
from exporter.history.filters import Options
from exporter.history.texts import counted
from exporter.model.posture import Check, CheckResult
from exporter.store.posture.reading import read_states
from exporter.store.reading import History
from exporter.web.pages.base import path_to, respond
from exporter.web.pages.domains.checks import COLOURS, check_name
from exporter.web.pages.filters import options_of
from exporter.web.pages.reading import history_of
from exporter.web.pages.visit import Visit

OPTIONS = ("server", "domain", "bad", "limit")
USUAL, MOST = 100, 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckBadge:
    """One check."""

    name: str
    colour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainRow:
    """One domain of one server; *changed_at* is ``None`` if no result is known."""

    name: str
    link: Markup
    server: str
    bad: Sequence[CheckBadge]
    good: int
    changed_at: datetime | None
    checked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainsPage:
    """The page; *more* are domains that are not shown."""

    options: Mapping[str, str | None]
    servers: Sequence[str]
    summary: str
    colour: str
    rows: Sequence[DomainRow]
    more: int


async def domains(visit: Visit) -> Response:
    """Return the page."""
    options = options_of(visit, *OPTIONS)
    options.is_set("bad")
    most = options.number("limit", usual=USUAL, most=MOST)

    def answer(history: History) -> Response:
        page = load(history, options, most=most)
        return respond(visit, "domains.html", title="Domains", section="domains", page=page)

    return await history_of(visit).read(answer)


def load(history: History, options: Options, *, most: int) -> DomainsPage:
    """Read what the page shows."""
    groups = by_domain(read_states(history))
    servers = sorted({group[0].server for group in groups})
    server, name = options.text("server"), options.domain("domain")
    wanted = [group for group in groups if server in (None, group[0].server) and name in (None, owner_of(group[0]))]
    bad = [group for group in wanted if _count(group, CheckResult.BAD)]
    shown = bad if options.is_set("bad") else sorted(wanted, key=lambda group: -_count(group, CheckResult.BAD))
    return DomainsPage(
        options=options.given,
        servers=servers,
        summary=_summary(len(wanted), len(bad)),
        colour="wait" if not wanted else "bad" if bad else "good",
        rows=[_row(group) for group in shown[:most]],
        more=max(0, len(shown) - most),
    )


def _summary(count: int, bad: int) -> str:
    if not count:
        return "No domain has been checked: set checks.enabled, or wait for the first run."
    if not bad:
        return f"{counted(count, 'domain')}, each without a bad result."
    return f"{bad} of {counted(count, 'domain')} with a bad result."


def _count(group: Group, result: CheckResult) -> int:
    return sum(one.state.outcome.result is result for one in group)


def _row(group: Group) -> DomainRow:
    changed = max((one.state.changed_at for one in group if one.state.changed_at is not None), default=None)
    name = owner_of(group[0])
    return DomainRow(
        name=shown_domain(name),
        link=path_to("domains", group[0].server, name),
        server=group[0].server,
        bad=[*_badges(group, CheckResult.BAD), *_badges(group, CheckResult.UNKNOWN)],
        good=_count(group, CheckResult.GOOD),
        changed_at=None if changed is None else datetime.fromtimestamp(changed, UTC),
        checked_at=datetime.fromtimestamp(max(one.state.checked_at for one in group), UTC),
    )


def _badges(group: Group, result: CheckResult) -> Iterator[CheckBadge]:
    parts: dict[Check, list[str]] = {}
    for one in group:
        if one.state.outcome.result is result:
            parts.setdefault(one.state.outcome.check, []).append(part_of(one))
    for check, found in parts.items():
        yield CheckBadge(name=named(check_name(check), found), colour=COLOURS[result])
