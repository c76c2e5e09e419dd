"""``/domains/<server>/<domain>``: each check with the record that is there, and the one that should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from markupsafe import Markup, escape
from starlette.responses import Response

from exporter.domains import domain_name, shown_domain
from exporter.history.checks import Group, Line, changes_of, lines_of, named, part_of, records_to_publish
from exporter.history.texts import minute
from exporter.model.posture import Check, CheckResult, Record
from exporter.printable import harmless
from exporter.store.posture.reading import read_states
from exporter.store.reading import History
from exporter.store.reports.dmarc.one_domain import has_reports
from exporter.web.pages.base import path_to, respond
from exporter.web.pages.domains.checks import COLOURS, check_name
from exporter.web.pages.filters import options_of
from exporter.web.pages.reading import history_of, nothing_here
from exporter.web.pages.visit import Visit

RECORD_LIMIT = 8192
"""Characters of a record or a line of a file: a DKIM key must not be cut, since it is there to be pasted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileView:
    """A file to publish; *text* is escaped."""

    url: str
    text: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckView:
    """
    One check.

    Attributes:
        seen: Sentences about what is there.
        replaces, publish: Lines of a zone file, escaped: published records, and those that should be there instead.
        changed_at: ``None`` if no result is known yet.
    """

    name: str
    result: str
    colour: str
    changed_at: datetime | None
    seen: Sequence[str]
    replaces: Sequence[Markup]
    publish: Sequence[Markup]
    files: Sequence[FileView]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRow:
    """A result that changed; *seen* is what was there."""

    at: str
    check: str
    result: str
    colour: str
    seen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainPage:
    """The page; *zone* has every record to publish, *reports_link* is empty without reports about the domain."""

    name: str
    server: str
    checked_at: datetime
    checks: Sequence[CheckView]
    zone: Sequence[Markup]
    changes: Sequence[ChangeRow]
    reports_link: Markup


async def domain(visit: Visit) -> Response:
    """Return the page; with status 404 if the domain has not been checked."""
    options_of(visit)
    server, name = visit.arguments["server"], domain_name(visit.arguments["domain"])

    def answer(history: History) -> Response:
        page = None if name is None else load(history, server, name)
        if page is None:
            return nothing_here(visit, "This domain has not been checked on this server.", section="domains")
        return respond(visit, "domain.html", title=page.name, section="domains", page=page)

    return await history_of(visit).read(answer)


def load(history: History, server: str, name: str) -> DomainPage | None:
    """Read what the page shows; ``None`` if the domain has not been checked."""
    group: Group = list(read_states(history, server=server, domain=name))
    if not group:
        return None
    return DomainPage(
        name=shown_domain(name),
        server=server,
        checked_at=datetime.fromtimestamp(max(one.state.checked_at for one in group), UTC),
        checks=[check_view(line, states) for line, states in sorted(lines_of(group).items(), key=_place)],
        zone=[zone_text(record) for record in records_to_publish(group)],
        changes=[
            ChangeRow(
                at=minute(change.at),
                check=named(_change_name(change.check), change.parts),
                result=change.result,
                colour=COLOURS[CheckResult(change.result)],
                seen=change.seen,
            )
            for change in changes_of(history, server, name)
        ],
        reports_link=path_to("reports", "domains", name, days="400") if has_reports(history, name) else Markup(""),
    )


def _change_name(name: str) -> str:
    """Return the name of a check; changes of checks that no longer exist are kept for a while."""
    return check_name(Check(name)) if name in _CHECKS else name


_CHECKS = frozenset(check.value for check in Check)
_ORDER = (CheckResult.BAD, CheckResult.UNKNOWN, CheckResult.GOOD)


def _place(item: tuple[Line, Group]) -> int:
    return _ORDER.index(item[0].result)


def check_view(line: Line, states: Group) -> CheckView:
    """Return a check as the page shows it; listeners with the same result share it."""
    outcomes = [one.state.outcome for one in states]
    changed = max((one.state.changed_at for one in states if one.state.changed_at is not None), default=None)
    files = dict.fromkeys(file for of in outcomes for file in of.files)
    return CheckView(
        name=named(check_name(outcomes[0].check), map(part_of, states)),
        result=line.result.value,
        colour=COLOURS[line.result],
        changed_at=None if changed is None else datetime.fromtimestamp(changed, UTC),
        seen=outcomes[0].seen,
        replaces=[zone_text(record) for record in dict.fromkeys(one for of in outcomes for one in of.remove)],
        publish=[zone_text(record) for record in dict.fromkeys(one for of in outcomes for one in of.publish)],
        files=[FileView(url=file.url, text=file_text(file.content)) for file in files],
    )


def zone_text(record: Record) -> Markup:
    """Return a record as a line of a zone file, escaped and not cut as other texts of a page are."""
    return escape(harmless(record.zone_line(), RECORD_LIMIT))


def file_text(content: str) -> Markup:
    """Return the lines of a file, escaped."""
    return Markup("\n").join(escape(harmless(line, RECORD_LIMIT)) for line in content[:RECORD_LIMIT].splitlines())
