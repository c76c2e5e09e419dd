"""The lines of the page about one domain, from what the history has of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from exporter.history.readiness import KIND_WORDS, advise, evidence, explain
from exporter.history.texts import counted, day, number, share
from exporter.store.reports.dmarc.days import WEEK_SECONDS, DayResult, PolicyAt
from exporter.store.reports.dmarc.one_domain import Complaint, ReporterSum, SourceSum, TlsFailureSum
from exporter.store.reports.dmarc.readiness import FailingSource, Readiness, Verdict
from exporter.store.reports.dmarc.sources import SourceName
from exporter.web.pages.base import path_to
from exporter.web.pages.reports.pictures import POLICY_KINDS, words_of
from exporter.web.pictures.drawing import Kind

NOT_REPORTED = "not reported"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One number with its name."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRow:
    """The newest policy; the picture of the policies begins on the day *since*."""

    words: str
    kind: str
    since: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """One source address; *who* is behind it is empty if that is not known."""

    source: str
    who: str
    messages: str
    failed: str
    share: str
    dkim: str
    spf: str
    last: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingRow:
    """One source address with failing mail."""

    source: str
    who: str
    kind: str
    failed: str
    aligned: str
    authenticated: str
    days: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NextPolicy:
    """
    Whether the domain is ready for its next policy.

    Attributes:
        badge: The kind of its badge.
        words: The advice; *evidence* is what it rests on, *reasons* what the failing mail is.
    """

    badge: str
    words: str
    evidence: str
    reasons: Sequence[str]
    failing: Sequence[FailingRow]
    source_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReporterRow:
    """One reporter."""

    reporter: str
    reports: str
    messages: str
    share: str
    last: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentRow:
    """A reporter whose reports have stopped."""

    reporter: str
    last: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsRow:
    """One kind of failed TLS session."""

    result: str
    sessions: str
    reporters: str
    last: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplaintRow:
    """One complaint."""

    link: Markup
    received: str
    reporter: str
    kind: str
    source: str


def tiles_of(days: Sequence[DayResult]) -> Sequence[Tile]:
    """Return the sums of some days."""
    aligned, failed = sum(one.aligned for one in days), sum(one.failed for one in days)
    whole = aligned + failed
    return [
        Tile(name="messages", text=number(whole)),
        Tile(name="aligned", text=share(aligned, whole) or "-"),
        Tile(name="failed", text=number(failed)),
        Tile(name="DMARC reports", text=number(sum(one.reports for one in days))),
    ]


def policy_row(policies: Sequence[PolicyAt]) -> PolicyRow | None:
    """Return the newest of *policies*; ``None`` if there is none."""
    if not policies:
        return None
    newest = policies[-1]
    return PolicyRow(
        words=words_of(newest),
        kind=POLICY_KINDS.get(newest.policy, Kind.OFF),
        since=day(policies[0].at - WEEK_SECONDS),
    )


def next_policy(readiness: Readiness) -> NextPolicy:
    """Return whether a domain is ready for its next policy, in words."""
    return NextPolicy(
        badge=_BADGES[readiness.verdict],
        words=advise(readiness).words,
        evidence=evidence(readiness),
        reasons=explain(readiness),
        failing=[_failing_row(one) for one in readiness.sources],
        source_count=readiness.source_count,
    )


_BADGES = {Verdict.READY: "good", Verdict.DONE: "good", Verdict.NOT_READY: "bad", Verdict.THIN: "wait"}


def _failing_row(one: FailingSource) -> FailingRow:
    return FailingRow(
        source=one.source or NOT_REPORTED,
        who=_who(one.sender, one.name),
        kind=KIND_WORDS[one.kind],
        failed=number(one.failed),
        aligned=number(one.aligned),
        authenticated=number(one.authenticated),
        days=number(one.days),
    )


def source_row(one: SourceSum, known: SourceName) -> SourceRow:
    """Return a line about a source."""
    return SourceRow(
        source=one.source or NOT_REPORTED,
        who=_who(known.sender, known.name),
        messages=number(one.messages),
        failed=number(one.failed),
        share=share(one.aligned, one.messages),
        dkim=share(one.dkim, one.messages),
        spf=share(one.spf, one.messages),
        last=day(one.last_at),
    )


def _who(sender: str, host: str) -> str:
    """Return who is behind a source: the organisation or network, and the confirmed name of the host."""
    return ", ".join(filter(None, (sender, host)))


def reporter_row(one: ReporterSum) -> ReporterRow:
    """Return a line about a reporter."""
    whole = one.aligned + one.failed
    return ReporterRow(
        reporter=one.reporter,
        reports=number(one.reports),
        messages=number(whole),
        share=share(one.aligned, whole),
        last=day(one.last_at),
    )


def tls_row(one: TlsFailureSum) -> TlsRow:
    """Return a line about a kind of failure."""
    return TlsRow(
        result=one.result, sessions=number(one.sessions), reporters=number(one.reporters), last=day(one.last_at)
    )


def tls_words(passed: int, failed: int, reports: int) -> str:
    """Return the sums of TLS sessions in words; empty without reports."""
    if not reports:
        return ""
    whole = passed + failed
    return (
        f"{share(failed, whole) or 'None'} of {counted(whole, 'TLS session')} failed, in {counted(reports, 'report')}."
    )


def complaint_row(one: Complaint) -> ComplaintRow:
    """Return a line about a complaint."""
    return ComplaintRow(
        link=path_to("reports", "arf", str(one.id)),
        received=day(one.received_at),
        reporter=one.reporter,
        kind=one.feedback_type,
        source=one.source_ip,
    )
