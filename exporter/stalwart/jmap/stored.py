"""
Stored metrics: what was added since the sample before, or a reading.

Contract: Stalwart v0.16, Enterprise, ``x:Metric``. A counter's row is what was added; a histogram's is its total since
the process of its cluster node began, and comes only when something was added. Bounds of time are off by a second, and
one in the server's future does not bind at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec

from exporter.errors import PayloadError
from exporter.model.telemetry import StoredSample
from exporter.stalwart.answers import reading_problem
from exporter.stalwart.events import COUNTERS, GAUGES, HISTOGRAMS, canonical_event
from exporter.stalwart.jmap.api import JmapApi
from exporter.stalwart.jmap.histories import Histories, Series, Total
from exporter.stalwart.jmap.ids import decode_id, moment_of, node_of
from exporter.stalwart.jmap.paging import Cursor
from exporter.stalwart.server_clock import STEP_SECONDS

UNDERFLOW = 2**63
PAGE_ROWS = 500
MOST_PAGES = 20
"""After a long outage the rest waits for the next poll."""

PAGES_BACK = 8
"""How far back the total before a histogram's first new row is looked for: some hundred collections."""

_PROPERTIES = ("@type", "metric", "count", "sum", "timestamp")
_LOOSE = timedelta(seconds=2)
_SAME_CLOCK = timedelta(days=1)

_Count = Annotated[int, msgspec.Meta(ge=0)]


class Row(msgspec.Struct, gc=False, kw_only=True):
    """One stored observation."""

    id: str
    type: str = msgspec.field(name="@type")
    metric: str
    timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    count: _Count
    sum: _Count | None = None


class _Rows(msgspec.Struct):
    items: list[Row] = msgspec.field(name="list")


_rows = msgspec.json.Decoder(_Rows)


class StoredReader:
    """
    Reads the stored metrics of one server.

    What a histogram's row adds is the difference to its node's row before it. The server keeps that one too, so a
    restart of ours loses nothing: it is looked up. *by_position* is for servers whose anchors do not work.
    """

    def __init__(self, api: JmapApi, *, known_second: Callable[[], int | None] = lambda: None) -> None:
        self.by_position = False
        self._api = api
        self._known_second = known_second
        self._histories = Histories()
        self._of_before: set[str] = set()

    def forget(self) -> None:
        """The server is perhaps another one now."""
        self._histories = Histories()
        self._of_before.clear()

    async def read(self, *, after: datetime) -> Sequence[StoredSample]:
        """The samples taken at or after *after*, ascending; of very many, the first. Raises a `TargetError`."""
        rows = self._without_those_of_before(await self._rows_since(after), after)
        totals = {row.id: _total(row, index) for index, row in enumerate(rows) if _is_histogram(row)}
        self._histories.learn(totals.values())
        await self._look_back({total.series for total in totals.values()}, after)
        added = self._histories.added(totals.values())
        self._histories.forget_before(after)
        samples = []
        for index, row in enumerate(rows):
            total = totals.get(row.id)
            sample = _sample(row, index) if total is None else _histogram_sample(row, added.get(total))
            if sample is not None:
                samples.append(sample)
        return samples

    def _without_those_of_before(self, rows: Sequence[Row], after: datetime) -> Sequence[Row]:
        """
        *rows* without the histograms that were written before the server's clock was set back.

        They lie in the server's future, or are not larger than the largest total of before.
        """
        now = self._known_second()
        latest = None if now is None else datetime.fromtimestamp(now + STEP_SECONDS, UTC)
        histograms = {row.id: row for row in rows if _is_histogram(row) and row.id not in self._of_before}
        future = [row for row in histograms.values() if latest is not None and row.timestamp > latest]
        if latest is not None and (future or self._histories.is_ahead_of(latest)):
            self._histories.learn(_total(row, 0) for row in future)
            self._histories.set_back(after - _LOOSE)
            totals = {id_: _total(row, 0) for id_, row in histograms.items()}
            self._of_before.update(id_ for id_, total in totals.items() if self._histories.has_reached(total))
        return [row for row in rows if row.id not in self._of_before]

    async def _rows_since(self, after: datetime) -> Sequence[Row]:
        cursor = self._cursor({"timestampIsGreaterThanOrEqual": _stamp(after - _LOOSE)}, ascending=True)
        rows: list[Row] = []
        for _ in range(MOST_PAGES):
            page = await _next_rows(cursor)
            if page and page[0].timestamp < after - 2 * _LOOSE:
                return ()  # Our clock is ahead of the server's: nothing can be that new.
            rows += [row for row in page if row.timestamp >= after]
            if cursor.ended:
                break
        return rows

    async def _look_back(self, series: set[Series], after: datetime) -> None:
        """Finds the rows before *after* of those *series* of which only later ones are known."""
        unknown = self._histories.without_beginning(series, after)
        if not unknown:
            return
        bounds = {"metric": sorted({one.metric for one in unknown}), "timestampIsLessThan": _stamp(after + _LOOSE)}
        cursor = self._cursor(bounds, ascending=False)
        for _ in range(PAGES_BACK):
            page = await _next_rows(cursor)
            earlier = [row for row in page if _is_histogram(row) and row.timestamp < after]
            self._histories.learn(_total(row, index) for index, row in enumerate(earlier))
            unknown = self._histories.without_beginning(unknown, after)
            if not unknown or cursor.ended:
                break
        if cursor.ended:
            self._histories.begin_here(unknown)

    def _cursor(self, bounds: Mapping[str, object], *, ascending: bool) -> Cursor:
        arguments = {"filter": bounds, "sort": [{"property": "timestamp", "isAscending": ascending}]}
        return Cursor(
            self._api, "Metric", arguments, rows=PAGE_ROWS, by_position=self.by_position, properties=_PROPERTIES
        )


async def _next_rows(cursor: Cursor) -> Sequence[Row]:
    """The next page, in the order asked for, each row once."""
    page = await cursor.next_page()
    found = {row.id: row for row in page.answers.result(page.get, _rows).items}
    return [found[id_] for id_ in page.ids if id_ in found]


def _is_histogram(row: Row) -> bool:
    return row.type == "Histogram" and row.metric in HISTOGRAMS


def _total(row: Row, index: int) -> Total:
    if row.sum is None:
        raise PayloadError(f"x:Metric/get.list[{index}].sum: missing")
    try:
        number = decode_id(row.id)
    except ValueError as error:
        raise PayloadError(f"x:Metric/get.list[{index}].id: {error}") from error
    at = _whole_second(row.timestamp, index)
    # Only an id that tells the row's own time tells the node too.
    node = node_of(number) if abs(moment_of(number) - at) < _SAME_CLOCK else 0
    return Total(at=at, id=number, series=Series(node, row.metric), count=row.count, sum=row.sum)


def _histogram_sample(row: Row, added: tuple[int, int] | None) -> StoredSample | None:
    """``None`` if the total before this one is not known: what was added cannot be told."""
    if added is None:
        return None
    count, sum_ = added
    at = _whole_second(row.timestamp, 0)
    return StoredSample(taken_at=at, kind="histogram", id=row.metric, value=sum_, count=count)


def _sample(row: Row, index: int) -> StoredSample | None:
    """``None`` for a kind or id that no release has, and for a gauge that was counted below zero."""
    kind, id_ = row.type.lower(), canonical_event(row.metric) or row.metric
    known = id_ in COUNTERS if kind == "counter" else kind == "gauge" and id_ in GAUGES and row.count < UNDERFLOW
    if not known:
        return None
    return StoredSample(taken_at=_whole_second(row.timestamp, index), kind=kind, id=id_, value=row.count)


def _whole_second(at: datetime, index: int) -> datetime:
    try:
        return at.astimezone(UTC).replace(microsecond=0)
    except OverflowError as error:
        raise PayloadError(reading_problem(error, f"x:Metric/get.list[{index}].timestamp")) from error


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
