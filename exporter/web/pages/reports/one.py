"""``/reports/<kind>/<id>``: one report in full."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from starlette.responses import Response

from exporter.domains import shown_domain
from exporter.history.report_facts import MAX_ID_DIGITS, arf_facts, checked, dmarc_facts, failure, head_facts
from exporter.history.texts import counted, number, share
from exporter.model.report_words import ReportKind
from exporter.store.reading import History
from exporter.store.reports.queries import Fields, load_reports
from exporter.web.pages.base import respond
from exporter.web.pages.filters import options_of
from exporter.web.pages.reading import history_of, nothing_here
from exporter.web.pages.reports.links import MOST_DAYS, link_to_domain
from exporter.web.pages.visit import Visit
from exporter.web.pictures.bars import share_bar
from exporter.web.pictures.drawing import Kind

MOST_RECORDS = 2000
"""Records of one report that are shown; the export has all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRow:
    """One record of a DMARC report; *kinds* are the badges of the two results."""

    source: str
    messages: str
    disposition: str
    dkim: str
    dkim_kind: str
    spf: str
    spf_kind: str
    details: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRow:
    """One policy of a TLS report, with its failures in words and their sessions."""

    name: str
    passed: str
    failed: str
    details: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPage:
    """
    The page.

    Attributes:
        facts: Names and values.
        summary: The sums in words; empty for feedback.
        left_out: Records that are not shown.
    """

    title: str
    kind: str
    domain_link: Markup
    facts: Sequence[tuple[str, str]]
    summary: str
    bar: Markup
    records: Sequence[RecordRow]
    left_out: int
    policies: Sequence[PolicyRow]


async def report(visit: Visit) -> Response:
    """Return the page; with status 404 if there is no such report."""
    options_of(visit)
    kind, id_ = visit.arguments["kind"], visit.arguments["id"]

    def answer(history: History) -> Response:
        page = load(history, kind, id_)
        if page is None:
            return nothing_here(visit, "There is no such report; it may have been deleted.", section="reports")
        return respond(visit, "report.html", title=page.title, section="reports", page=page)

    return await history_of(visit).read(answer)


def load(history: History, kind: str, id_: str) -> ReportPage | None:
    """Read a report; ``None`` if there is none of this *kind* and id."""
    if not (id_.isascii() and id_.isdigit() and len(id_) <= MAX_ID_DIGITS):
        return None
    found = load_reports(history, [int(id_)])
    return page_of(found[0]) if found and found[0]["kind"] == kind else None


def page_of(report: Fields) -> ReportPage:
    """Return the page of a report."""
    kind = ReportKind(report["kind"])
    records = report["records"] if kind is ReportKind.DMARC else []
    more = {ReportKind.DMARC: dmarc_facts, ReportKind.TLS: lambda _: (), ReportKind.ARF: arf_facts}[kind]
    return ReportPage(
        title=f"{_NAMES[kind]} about {shown_domain(report['domain']) or 'no domain'}",
        kind=report["kind"],
        domain_link=link_to_domain(report["domain"], days=str(MOST_DAYS)),
        facts=[*head_facts(report), *more(report)],
        summary=_summary(report, kind),
        bar=_bar(report, kind),
        records=[_record(one) for one in records[:MOST_RECORDS]],
        left_out=max(0, len(records) - MOST_RECORDS),
        policies=[_policy(one) for one in report["policies"]] if kind is ReportKind.TLS else [],
    )


_NAMES = {
    ReportKind.DMARC: "DMARC report",
    ReportKind.TLS: "TLS report",
    ReportKind.ARF: "Feedback report",
}


def _summary(report: Fields, kind: ReportKind) -> str:
    whole = report["passed"] + report["failed"]
    if kind is ReportKind.DMARC:
        aligned = f", {share(report['passed'], whole)} aligned" if whole else ""
        return f"{counted(whole, 'message')} in {counted(len(report['records']), 'record')}{aligned}."
    if kind is ReportKind.TLS:
        failed = f", {share(report['failed'], whole)} failed" if whole else ""
        return f"{counted(whole, 'session')} under {counted(len(report['policies']), 'policy', 'policies')}{failed}."
    return ""


def _bar(report: Fields, kind: ReportKind) -> Markup:
    if kind is ReportKind.ARF:
        return Markup("")
    parts = ((Kind.GOOD, report["passed"]), (Kind.BAD, report["failed"]))
    return share_bar(parts, text=f"{number(report['passed'])} passed, {number(report['failed'])} failed")


def _record(record: Fields) -> RecordRow:
    return RecordRow(
        source=record["source_ip"] or "not reported",
        messages=number(record["messages"]),
        disposition=record["disposition"],
        dkim=record["dkim"],
        dkim_kind=_RESULTS.get(record["dkim"], "off"),
        spf=record["spf"],
        spf_kind=_RESULTS.get(record["spf"], "off"),
        details=list(checked(record)),
    )


_RESULTS = {"pass": "good", "fail": "bad"}


def _policy(policy: Fields) -> PolicyRow:
    return PolicyRow(
        name=f"{policy['type']} for {shown_domain(policy['domain'])}",
        passed=number(policy["successes"]),
        failed=number(policy["failures"]),
        details=list(_failures(policy)),
    )


def _failures(policy: Fields) -> Iterator[tuple[str, str]]:
    for detail in policy["details"]:
        yield failure(detail), number(detail["sessions"])
