"""Stored metrics: counters as what was added, histograms as differences of totals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from exporter.errors import PayloadError, TargetUnsupported
from exporter.model.telemetry import StoredSample, TotalSeries
from exporter.stalwart.jmap.client import JmapClient
from tests.support.replays.jmap import JmapServer, MethodError
from tests.support.replays.jmap_client import asked, methods_of, snowflake, stamp

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
TOTAL_TIME = "delivery.total-time"


class Rows:
    """The rows that the nodes of a cluster write."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def add(self, at: datetime, kind: str, metric: str, count: int, total: int | None = None, *, node: int = 0) -> None:
        """One row."""
        row = {"@type": kind, "metric": metric, "count": count, "timestamp": stamp(at)}
        row["id"] = snowflake(at, sequence=len(self.rows) % 2000, node=node)
        self.rows.append(row | ({} if total is None else {"sum": total}))

    def server(self, **settings: Any) -> JmapServer:
        """A licensed server with these rows."""
        server = JmapServer.recorded()
        server.account = {**server.account, "edition": "enterprise"}
        server.rows["Metric"] = self.rows
        for name, value in settings.items():
            setattr(server, name, value)
        return server


def read(server: JmapServer, *after: datetime) -> list[Sequence[StoredSample]]:
    """Readings of one client, one after the other."""

    async def job(client: JmapClient) -> list[Sequence[StoredSample]]:
        return [await client.fetch_stored_metrics(after=moment) for moment in after]

    return asked(server, job)


def totals(samples: Iterable[StoredSample | None]) -> list[tuple[datetime, int | None, int, int]]:
    """When, of which node, how many and how much, of each running total."""
    return [(s.taken_at, s.node, s.count, s.value) for s in samples if s is not None and s.kind == "histogram"]


def earlier(server: JmapServer, *series: TotalSeries) -> Mapping[TotalSeries, StoredSample | None]:
    """The newest totals before noon."""
    return asked(server, lambda client: client.fetch_earlier_totals(series, before=NOON))


def test_counters_and_gauges_are_taken_as_they_stand():
    """In the newest spelling, from the second asked for on, in order of time."""
    rows = Rows()
    rows.add(NOON - HOUR, "Counter", "queue.message-queued", 9)
    rows.add(NOON + HOUR, "Gauge", "queue.count", 5)
    rows.add(NOON, "Counter", "queue.message-queued", 37)
    rows.add(NOON, "Gauge", "server.memory", 2**63)
    rows.add(NOON, "Counter", "no.such-event", 1)
    rows.add(NOON, "Summary", "queue.count", 1)

    (samples,) = read(rows.server(), NOON)

    assert [(s.kind, s.id, s.value, s.taken_at) for s in samples] == [
        ("counter", "queue.message-queued", 37, NOON),
        ("gauge", "queue.count", 5, NOON + HOUR),
    ]


def test_a_histogram_is_the_running_total_of_its_node():
    """Each node of a cluster writes its own, and puts its number into the id."""
    rows = Rows()
    for hour, count in enumerate((100, 120)):
        rows.add(NOON + hour * HOUR, "Histogram", TOTAL_TIME, count, 1000 * count, node=1)
    rows.add(NOON + HOUR, "Histogram", TOTAL_TIME, 7, 70, node=2)

    (samples,) = read(rows.server(), NOON)

    assert totals(samples) == [(NOON, 1, 100, 100_000), (NOON + HOUR, 1, 120, 120_000), (NOON + HOUR, 2, 7, 70)]


def test_ids_that_tell_no_time_tell_no_node_either():
    """They are taken for those of a single server."""
    rows = Rows()
    for hour, count in enumerate((4, 6)):
        rows.add(NOON + hour * HOUR, "Histogram", TOTAL_TIME, count, count)
        rows.rows[-1]["id"] = "bcd"[hour]

    (samples,) = read(rows.server(), NOON)

    assert totals(samples) == [(NOON, 0, 4, 4), (NOON + HOUR, 0, 6, 6)]


def test_the_newest_earlier_total_of_each_series_is_found():
    """Also of one that was silent for weeks; of one that was never written before, it is known that there is none."""
    rows = Rows()
    rows.add(NOON - 500 * HOUR, "Histogram", "dns.lookup-time", 40, 400)
    for hour, count in enumerate((100, 120, 130), -2):
        rows.add(NOON + hour * HOUR, "Histogram", TOTAL_TIME, count, count)
    rows.add(NOON - HOUR, "Histogram", TOTAL_TIME, 9, 9, node=2)
    wanted = TotalSeries(0, "dns.lookup-time"), TotalSeries(0, TOTAL_TIME), TotalSeries(3, TOTAL_TIME)

    found = earlier(rows.server(), *wanted)

    assert set(found) == set(wanted)
    assert totals(found[one] for one in wanted) == [(NOON - 500 * HOUR, 0, 40, 400), (NOON - HOUR, 0, 120, 120)]
    assert found[TotalSeries(3, TOTAL_TIME)] is None


def test_an_earlier_total_that_is_too_far_back_is_not_found():
    """It is not taken for one that does not exist."""
    rows = Rows()
    rows.add(NOON - 9000 * HOUR, "Histogram", TOTAL_TIME, 40, 400)
    for hour in range(4200):
        rows.add(NOON - (hour + 1) * HOUR, "Histogram", "store.data-read-time", 9000 - hour, 9000 - hour)

    found = earlier(rows.server(), TotalSeries(0, TOTAL_TIME), TotalSeries(0, "store.data-read-time"))

    assert totals(found.values()) == [(NOON - HOUR, 0, 9000, 9000)]


@pytest.mark.parametrize("anchors_work", [True, False])
def test_many_samples_come_in_pages_each_once(anchors_work: bool):
    """In order, whatever the page's border cuts."""
    rows = Rows()
    for minute in range(1700):
        rows.add(NOON + timedelta(minutes=minute), "Counter", "auth.failed", minute + 1)
    server = rows.server(anchors_work=anchors_work, schema=None if anchors_work else {"MetricType": []})

    (samples,) = read(server, NOON)

    assert [sample.value for sample in samples] == [minute + 1 for minute in range(1700)]
    assert all(arguments.get("limit", 0) <= 500 for _, arguments in methods_of(server, "Metric"))


def test_after_a_very_long_outage_the_first_samples_come_first():
    """The next poll asks for those that follow."""
    rows = Rows()
    for minute in range(10_500):
        rows.add(NOON + timedelta(minutes=minute), "Counter", "auth.failed", 1)

    (samples,) = read(rows.server(), NOON)

    assert [sample.taken_at for sample in samples] == [NOON + timedelta(minutes=n) for n in range(10_000)]


def test_a_bound_in_the_servers_future_finds_nothing():
    """The server does not keep to it, and answers with everything there is."""
    rows = Rows()
    for minute in range(1700):
        rows.add(NOON + timedelta(minutes=minute), "Counter", "auth.failed", 1)
    server = rows.server()
    server.filtered = lambda kind, conditions: server.rows[kind]  # type: ignore[method-assign]

    (samples,) = read(server, NOON + 100 * HOUR)

    assert samples == []
    assert server.batches == 1


def test_a_store_that_was_never_set_up_is_not_configured():
    """The server calls it unavailable."""
    server = Rows().server(error={"x:Metric/query": MethodError("serverUnavailable")})

    with pytest.raises(TargetUnsupported) as caught:
        read(server, NOON)

    assert caught.value.status == "not_configured"


@pytest.mark.parametrize(
    "change",
    [
        {"count": "1"},
        {"count": -1},
        {"count": None},
        {"timestamp": "noon"},
        {"metric": None},
        {"sum": None},
        {"id": "!"},
    ],
)
def test_a_row_that_cannot_be_read_is_a_payload_error(change: dict[str, Any]):
    """Nothing is guessed."""
    rows = Rows()
    rows.add(NOON, "Histogram", TOTAL_TIME, 1, 1)
    server = rows.server()
    rows.rows[0] |= change
    if "id" in change:
        server.query = lambda kind, arguments: {"ids": ["!"]}  # type: ignore[method-assign]
    server.filtered = lambda kind, conditions: server.rows[kind]  # type: ignore[method-assign]

    with pytest.raises(PayloadError, match="x:Metric/get"):
        read(server, NOON)
