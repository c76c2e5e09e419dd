"""The families of received reports: counters from our tallies, gauges from the history."""

from __future__ import annotations

from collections.abc import Iterator

from exporter.collectors import families as f
from exporter.collectors import mail_families as m
from exporter.collectors.exposition import Collected
from exporter.ingest.counting.report_counter import (
    ARF_REPORTS,
    DMARC_MESSAGES,
    DMARC_NEW_SOURCES,
    REJECTED,
    REPORTS,
    TLS_FAILURES,
    TLS_SESSIONS,
)
from exporter.state.board import Part, ServerBoard
from exporter.state.report_gauges import ReportGaugeBoard

COUNTERS = {
    REPORTS: f.REPORTS_TOTAL,
    REJECTED: f.REPORTS_REJECTED,
    DMARC_MESSAGES: f.DMARC_MESSAGES,
    DMARC_NEW_SOURCES: m.DMARC_NEW_SOURCES,
    TLS_SESSIONS: f.TLS_SESSIONS,
    TLS_FAILURES: f.TLS_FAILURES,
    ARF_REPORTS: f.ARF_REPORTS,
}


class ReportSource:
    """
    Received reports about our mail::

        stalwart_dmarc_messages_total{server="mx1",domain="example.org",disposition="none",dkim="pass",spf="fail"} 11
        stalwart_dmarc_window_messages{server="mx1",domain="example.org",window="7d",result="failed"} 12
        stalwart_dmarc_policy_ready{server="mx1",domain="example.org",policy="quarantine"} 1
        stalwart_arf_reports_total{server="mx1",feedback_type="auth-failure"} 2
    """

    def __init__(self, board: ServerBoard, gauges: ReportGaugeBoard) -> None:
        self._board = board
        self._gauges = gauges

    def version(self) -> object:
        return self._board.tallies.version, self._gauges.version(), self._board.version(Part.READINESS)

    def collect(self) -> Iterator[Collected]:
        book = self._board.tallies
        for name, family in COUNTERS.items():
            yield family, book.family(name)
        readiness = self._board.readiness
        if readiness is not None:
            yield m.DMARC_POLICY_READY, readiness.ready
            yield m.DMARC_POLICY_HURT, readiness.hurt
        gauges = self._gauges.latest
        if gauges is None:
            return
        yield f.DMARC_WINDOW_MESSAGES, gauges.window_messages
        yield f.DMARC_LAST_REPORT, gauges.last_heard
        if gauges.peers is not None:
            yield m.REPORT_ONLY_PEERS, gauges.peers
