"""What a report adds to the counters, with a cap on labels that third parties choose."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from exporter.clock import Clock
from exporter.model.incoming_reports import IncomingReport, UnreadableReport
from exporter.model.report_words import AlignedResult, Disposition, ReportKind
from exporter.model.reports import ArfReport, DmarcReport, TlsReport
from exporter.state.board import ServerBoard
from exporter.state.capped import CappedLabel
from exporter.state.tally import Increments, add

REPORTS, REJECTED = "reports", "reports_rejected"
DMARC_MESSAGES, DMARC_NEW_SOURCES, TLS_SESSIONS, TLS_FAILURES, ARF_REPORTS = (
    "dmarc_messages",
    "dmarc_new_sources",
    "tls_sessions",
    "tls_failures",
    "arf_reports",
)

CAPPED: Mapping[str, str] = {
    DMARC_MESSAGES: "stalwart_dmarc_messages_total",
    DMARC_NEW_SOURCES: "stalwart_dmarc_new_sources_total",
    TLS_SESSIONS: "stalwart_tls_report_sessions_total",
    TLS_FAILURES: "stalwart_tls_report_failures_total",
}
"""The tallies whose first label is a domain, and their metric families."""

MOST = 2**62
"""The largest value of a tally: forged numbers, each of them valid, must not overflow it."""


class ReportCounter:
    """Turns reports into increments."""

    def __init__(self, board: ServerBoard, clock: Clock, *, max_domains: int) -> None:
        self._board = board
        self._clock = clock
        self._labels = {
            tally: CappedLabel(
                max_domains, sorted({labels[0] for labels in board.tallies.family(tally)}), now=clock.monotonic()
            )
            for tally in CAPPED
        }

    def start(self, kind: ReportKind, increments: Increments) -> None:
        """Start the counters of *kind* at zero; called after the first list of its reports."""
        for tally in (REPORTS, REJECTED):
            if (kind.value,) not in self._board.tallies.family(tally):
                add(increments, tally, (kind.value,), 0)

    def count(self, report: IncomingReport | UnreadableReport, increments: Increments) -> None:
        """Add a report that was not counted before; call `keep_in_range` after the last one."""
        if isinstance(report, UnreadableReport):
            add(increments, REJECTED, (report.kind.value,), 1)
            return
        add(increments, REPORTS, (report.kind.value,), 1)
        content = report.content
        if isinstance(content, DmarcReport):
            self._count_dmarc(content, increments)
        elif isinstance(content, TlsReport):
            self._count_tls(content, increments)
        else:
            _count_arf(content, increments)

    def count_sources(self, new: Mapping[str, int], increments: Increments) -> None:
        """Add *new* source networks by domain; the counter of a domain starts at zero with its first report."""
        for domain, networks in new.items():
            label = (self._label(DMARC_NEW_SOURCES, domain, times=networks),)
            if networks or label not in self._board.tallies.family(DMARC_NEW_SOURCES):
                add(increments, DMARC_NEW_SOURCES, label, networks)

    def keep_in_range(self, increments: Increments) -> None:
        """Reduce increments that would take a counter past `MOST`."""
        for key, amount in increments.items():
            room = MOST - self._board.tallies.value(key)
            if amount > room:
                increments[key] = room

    def _count_dmarc(self, report: DmarcReport, increments: Increments) -> None:
        domain = self._label(DMARC_MESSAGES, report.domain)
        sums: dict[_Words, int] = {}
        for _, messages, results in report.records:
            words = results[:3]
            sums[words] = sums.get(words, 0) + messages
        for words, messages in sums.items():
            add(increments, DMARC_MESSAGES, (domain, *_texts(words)), messages)

    def _count_tls(self, report: TlsReport, increments: Increments) -> None:
        for policy in report.policies:
            domain = self._label(TLS_SESSIONS, policy.domain)
            for result, sessions in (("success", policy.successes), ("failure", policy.failures)):
                if sessions:
                    add(increments, TLS_SESSIONS, (domain, policy.type.value, result), sessions)
            for detail in policy.details:
                labels = (self._label(TLS_FAILURES, policy.domain), detail.result.value)
                add(increments, TLS_FAILURES, labels, detail.sessions)

    def _label(self, tally: str, domain: str, times: int = 1) -> str:
        now = self._clock.monotonic()
        return self._board.capped_label(self._labels[tally], CAPPED[tally], domain, now=now, times=times)


_Words = tuple[Disposition, AlignedResult, AlignedResult]
"""The first fields of `DmarcResults`: disposition, and the evaluated results of DKIM and SPF."""


@lru_cache
def _texts(words: _Words) -> tuple[str, ...]:
    """Return *words* as label values."""
    return tuple(str(word) for word in words)


def _count_arf(report: ArfReport, increments: Increments) -> None:
    add(increments, ARF_REPORTS, (report.feedback_type.value,), 1)
