"""The server's counters, gauges and histograms, deliveries and log lines, from our tallies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from exporter.collectors import families as f
from exporter.collectors import mail_families as m
from exporter.collectors.exposition import Buckets, Collected, Labels
from exporter.collectors.family import Family
from exporter.state.board import Part, ServerBoard
from exporter.state.tally import TallyBook


@dataclass(frozen=True, slots=True)
class HistogramRow:
    """A histogram and its tally: *metric* in the server's unit, of which *per* make one of the family's unit."""

    metric: str
    family: Family
    labels: Labels
    per: float


HISTOGRAMS = (
    HistogramRow("delivery.total-time", f.DELIVERY_DURATION, (), 1000),
    HistogramRow("delivery.attempt-time", f.ATTEMPT_DURATION, (), 1000),
    HistogramRow("message-ingest.time", f.INGEST_DURATION, (), 1000),
    HistogramRow("message-ingest.index-time", f.INDEX_DURATION, (), 1000),
    HistogramRow("dns.lookup-time", f.DNS_DURATION, (), 1000),
    HistogramRow("smtp.request-time", f.SESSION_DURATION, ("smtp",), 1000),
    HistogramRow("imap.request-time", f.SESSION_DURATION, ("imap",), 1000),
    HistogramRow("pop3.request-time", f.SESSION_DURATION, ("pop3",), 1000),
    HistogramRow("http.request-time", f.SESSION_DURATION, ("http",), 1000),
    HistogramRow("sieve.request-time", f.SESSION_DURATION, ("managesieve",), 1000),
    HistogramRow("store.data-read-time", f.STORE_DURATION, ("data_read",), 1000),
    HistogramRow("store.data-write-time", f.STORE_DURATION, ("data_write",), 1000),
    HistogramRow("store.blob-read-time", f.STORE_DURATION, ("blob_read",), 1000),
    HistogramRow("store.blob-write-time", f.STORE_DURATION, ("blob_write",), 1000),
    HistogramRow("message.size", f.MESSAGE_SIZE, ("false",), 1),
    HistogramRow("message.authenticated-size", f.MESSAGE_SIZE, ("true",), 1),
    HistogramRow("outgoing-report.size", f.OUTGOING_REPORT_SIZE, (), 1),
)

CONNECTION_GAUGES = {
    "smtp.active-connections": "smtp",
    "delivery.active-connections": "delivery",
    "imap.active-connections": "imap",
    "pop3.active-connections": "pop3",
    "http.active-connections": "http",
    "sieve.active-connections": "managesieve",
}

COUNTERS = {
    "events": f.EVENTS,
    "deliveries": f.DELIVERIES_TOTAL,
    "domain_deliveries": f.DOMAIN_DELIVERIES,
    "log_entries": f.LOG_ENTRIES,
}


class TallySource:
    """
    Everything that is cumulative::

        stalwart_events_total{server="mx1",event="delivery.delivered"} 2903
        stalwart_delivery_duration_seconds_bucket{server="mx1",le="30.0"} 25
    """

    def __init__(self, board: ServerBoard) -> None:
        self._board = board

    def version(self) -> object:
        return self._board.tallies.version

    def collect(self) -> Iterator[Collected]:
        book = self._board.tallies
        for name, family in COUNTERS.items():
            yield family, book.family(name)
        yield from histograms(book)


class RelaySource:
    """
    The use of the relay, and its *budget* by window; only for a server whose settings name one::

        stalwart_relay_recipients_total{server="mx1"} 812
        stalwart_relay_budget_recipients{server="mx1",window="1d"} 10000
    """

    def __init__(self, board: ServerBoard, budget: Mapping[str, int]) -> None:
        self._board = board
        self._budget = budget

    def version(self) -> object:
        return self._board.tallies.version

    def collect(self) -> Iterator[Collected]:
        yield m.RELAY_RECIPIENTS, {(): self._board.tallies.value(("relay_recipients", ()))}
        yield m.RELAY_BUDGET, {(window,): recipients for window, recipients in sorted(self._budget.items())}


def histograms(book: TallyBook) -> Iterator[Collected]:
    """Yield the histograms that have tallies, in the family's unit."""
    found: dict[str, dict[Labels, Buckets]] = {}
    for row in HISTOGRAMS:
        buckets = book.family(f"{row.metric}:bucket")
        if buckets:
            total = book.value((f"{row.metric}:sum", ()))
            found.setdefault(row.family.name, {})[row.labels] = _histogram(buckets, total, row.per)
    for name, samples in found.items():
        yield f.BY_NAME[name], samples


def _histogram(buckets: Mapping[Labels, int], total: int, per: float) -> Buckets:
    bounds = sorted(int(bound) for (bound,) in buckets if bound != "inf")
    counts = [*(buckets[str(bound),] for bound in bounds), buckets.get(("inf",), 0)]
    return Buckets([bound / per for bound in bounds], counts, total / per)


class GaugeSource:
    """
    The server's own gauges::

        stalwart_active_connections{server="mx1",protocol="imap"} 41
    """

    def __init__(self, board: ServerBoard) -> None:
        self._board = board

    def version(self) -> object:
        return self._board.version(Part.GAUGES)

    def collect(self) -> Iterator[Collected]:
        gauges = self._board.gauges
        if gauges is None:
            return
        yield f.ACTIVE_CONNECTIONS, {(label,): gauges[g] for g, label in CONNECTION_GAUGES.items() if g in gauges}
        # Zero means that the server has not counted yet.
        if gauges.get("server.memory"):
            yield f.SERVER_MEMORY, {(): gauges["server.memory"]}
