"""Stored metrics: counters as what was added, histograms as differences of totals."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.errors import PayloadError, TargetUnsupported
from exporter.model.telemetry import StoredSample
from exporter.stalwart.jmap.client import JmapClient
from exporter.stalwart.jmap.histories import Histories, Series, Total
from tests.stalwart.jmap_replay import JmapServer, MethodError
from tests.stalwart.jmap_support import asked, methods_of, snowflake, stamp

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


def histograms(samples: Sequence[StoredSample]) -> list[tuple[datetime, int, int]]:
    """When, how many and how much, of each histogram sample."""
    return [(s.taken_at, s.count, s.value) for s in samples if s.kind == "histogram"]


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


def test_a_histogram_adds_what_its_total_has_grown_by():
    """The total before the first new one is on the server, and found there once."""
    rows = Rows()
    for hour, count in enumerate((100, 120, 125, 160)):
        rows.add(NOON + hour * HOUR, "Histogram", TOTAL_TIME, count, 1000 * count)
    server = rows.server()

    first, again = read(server, NOON + 2 * HOUR, NOON + 2 * HOUR)

    assert histograms(first) == [(NOON + 2 * HOUR, 5, 5000), (NOON + 3 * HOUR, 35, 35_000)]
    assert again == first
    looked_back = [a for verb, a in methods_of(server, "Metric") if "metric" in a.get("filter", {})]
    assert len(looked_back) == 1


def test_the_very_first_total_adds_all_of_itself():
    """Nothing was written before it: it covers everything since the process began."""
    rows = Rows()
    rows.add(NOON, "Histogram", TOTAL_TIME, 7, 700)
    rows.add(NOON + HOUR, "Histogram", TOTAL_TIME, 9, 900)
    server = rows.server()

    first, again, later = read(server, NOON, NOON, NOON + HOUR)

    assert histograms(first) == histograms(again) == [(NOON, 7, 700), (NOON + HOUR, 2, 200)]
    assert histograms(later) == [(NOON + HOUR, 2, 200)]
    looked_back = [a for verb, a in methods_of(server, "Metric") if "metric" in a.get("filter", {})]
    assert len(looked_back) == 1


def test_a_restart_of_the_server_counts_from_zero():
    """It shows in a total that has not grown, for all that were written along with it."""
    rows = Rows()
    for metric, counts in ((TOTAL_TIME, (50, 60, 5)), ("delivery.attempt-time", (10, 20, 25))):
        for hour, count in enumerate(counts):
            rows.add(NOON + hour * HOUR, "Histogram", metric, count, 10 * count)

    (samples,) = read(rows.server(), NOON + 2 * HOUR)

    assert sorted(histograms(samples)) == [(NOON + 2 * HOUR, 5, 50), (NOON + 2 * HOUR, 25, 250)]


def test_a_total_that_is_the_same_again_is_another_process():
    """A row comes only when something was added."""
    rows = Rows()
    rows.add(NOON, "Histogram", TOTAL_TIME, 3, 30)
    rows.add(NOON + HOUR, "Histogram", TOTAL_TIME, 3, 40)

    (samples,) = read(rows.server(), NOON + HOUR)

    assert histograms(samples) == [(NOON + HOUR, 3, 40)]


def test_each_node_of_a_cluster_has_totals_of_its_own():
    """They are told apart by their ids, and a restart of one is none of the other."""
    rows = Rows()
    for hour, (one, two) in enumerate(((100, 10), (110, 30), (5, 31))):
        rows.add(NOON + hour * HOUR, "Histogram", TOTAL_TIME, one, one, node=1)
        rows.add(NOON + hour * HOUR, "Histogram", TOTAL_TIME, two, two, node=2)

    (samples,) = read(rows.server(), NOON + HOUR)

    assert sorted(histograms(samples)) == [
        (NOON + HOUR, 10, 10),
        (NOON + HOUR, 20, 20),
        (NOON + 2 * HOUR, 1, 1),
        (NOON + 2 * HOUR, 5, 5),
    ]


def test_ids_that_tell_no_time_tell_no_node_either():
    """They are taken for those of a single server."""
    rows = Rows()
    for hour, count in enumerate((4, 6)):
        rows.add(NOON + hour * HOUR, "Histogram", TOTAL_TIME, count, count)
        rows.rows[-1]["id"] = "bcd"[hour]

    (samples,) = read(rows.server(), NOON + HOUR)

    assert histograms(samples) == [(NOON + HOUR, 2, 2)]


def test_a_series_that_was_silent_for_long_is_looked_back_for():
    """Also when others of its time are known already."""
    rows = Rows()
    rows.add(NOON - 500 * HOUR, "Histogram", "dns.lookup-time", 40, 400)
    rows.add(NOON, "Histogram", TOTAL_TIME, 1, 1)
    server = rows.server()

    async def job(client: JmapClient) -> list[Sequence[StoredSample]]:
        first = await client.fetch_stored_metrics(after=NOON)
        rows.add(NOON + HOUR, "Histogram", "dns.lookup-time", 41, 405)
        return [first, await client.fetch_stored_metrics(after=NOON)]

    first, second = asked(server, job)

    assert histograms(first) == [(NOON, 1, 1)]
    assert histograms(second) == [(NOON, 1, 1), (NOON + HOUR, 1, 5)]


def test_a_total_whose_predecessor_is_too_far_back_is_left_out():
    """What it adds cannot be told; the next one can."""
    rows = Rows()
    rows.add(NOON - 9000 * HOUR, "Histogram", TOTAL_TIME, 40, 400)
    for hour in range(4200):
        rows.add(NOON - (hour + 1) * HOUR, "Histogram", "store.data-read-time", 9000 - hour, 9000 - hour)
    rows.add(NOON, "Histogram", TOTAL_TIME, 50, 500)
    rows.add(NOON, "Histogram", "store.data-read-time", 9001, 9001)
    rows.add(NOON + HOUR, "Histogram", TOTAL_TIME, 51, 510)

    (samples,) = read(rows.server(), NOON)

    assert [(s.id, s.count) for s in samples] == [("store.data-read-time", 1), (TOTAL_TIME, 1)]


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


GROWTH = st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=12)


@given(growth=GROWTH, cuts=st.lists(st.integers(0, 12), max_size=4))
@settings(deadline=None)
def test_what_is_added_adds_up_however_it_is_read(growth: list[tuple[int, bool]], cuts: list[int]):
    """Read in one go or in parts, over restarts that show: the sum is what really happened."""
    totals, count, happened = [], 0, 0
    for number, (grown, restart) in enumerate(growth):
        if restart and grown and grown <= count:
            count = 0
        count += grown
        happened += grown
        if grown:
            at = NOON + number * HOUR
            totals.append(Total(at=at, id=number, series=Series(0, TOTAL_TIME), count=count, sum=10 * count))

    added = 0
    histories = Histories()
    places = sorted({0, len(growth), *(cut for cut in cuts if cut < len(growth))})
    for start, end in pairwise(places):
        part = [total for total in totals if NOON + start * HOUR <= total.at < NOON + end * HOUR]
        histories.learn(part)
        histories.begin_here({total.series for total in part})
        added += sum(count for count, _ in histories.added(part).values())
        histories.forget_before(NOON + end * HOUR)

    assert added == happened


def test_of_what_is_counted_one_total_is_kept():
    """Memory does not grow with time."""
    histories = Histories()
    for hour in range(100):
        total = Total(at=NOON + hour * HOUR, id=hour, series=Series(0, TOTAL_TIME), count=hour + 1, sum=0)
        histories.learn([total])
        histories.forget_before(total.at)

    assert [len(known) for known in histories._totals.values()] == [2]
