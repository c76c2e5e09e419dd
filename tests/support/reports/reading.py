"""Reports of the REST generation, read or refused."""

from __future__ import annotations

from exporter.model.incoming_reports import IncomingReport
from exporter.model.report_words import (
    ReportKind,
)
from exporter.model.reports import DmarcReport
from exporter.stalwart.rest.reports.listing import parse_report
from tests.support.reports import wire

NOW = wire.at("2026-11-22T12:00:00")
ID = wire.report_id(wire.at("2026-11-21T06:00:00"), 7)
DMARC, TLS, ARF = ReportKind.DMARC, ReportKind.TLS, ReportKind.ARF


def parsed(kind: ReportKind, report: object) -> IncomingReport:
    """A report as the server would send it, read."""
    return parse_report(kind, ID, wire.body(report), now=NOW)


def dmarc_of(report: object) -> DmarcReport:
    """The same, known to be DMARC."""
    content = parsed(DMARC, report).content
    assert isinstance(content, DmarcReport)
    return content
