"""
Stored metrics: what was added since the sample before, a running total, or a reading.

Contract: Stalwart v0.16, Enterprise, ``x:Metric``. A counter's row is what was added; a histogram's is its total since
the process of its cluster node began, and comes only when something was added. Bounds of time are off by a second, and
one in the server's future does not bind at all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated

import msgspec

from exporter.clock import rfc3339
from exporter.errors import PayloadError
from exporter.model.telemetry import StoredSample, TotalSeries
from exporter.stalwart.common.ids import decode_id
from exporter.stalwart.common.timestamps import utc_second
from exporter.stalwart.events.names import COUNTERS, GAUGES, HISTOGRAMS, canonical_event
from exporter.stalwart.events.snowflakes import moment_of, node_of
from exporter.stalwart.jmap.protocol.api import JmapApi
from exporter.stalwart.jmap.protocol.paging import Cursor

UNDERFLOW = 2**63
PAGE_ROWS = 500
MAX_PAGES = 20
"""After a long outage the rest waits for the next poll."""

PAGES_BACK = 8
"""How far back the total before a histogram's first new one is searched: some hundred collections."""

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
    """Reads the stored metrics of one server. *by_position* is for servers whose anchors do not work."""

    def __init__(self, api: JmapApi) -> None:
        self.by_position = False
        self._api = api

    async def read(self, *, after: datetime) -> Sequence[StoredSample]:
        """The samples taken at or after *after*, ascending; of very many, the first. Raises a `TargetError`."""
        rows = await self._rows_since(after)
        samples = (_sample(row, index) for index, row in enumerate(rows))
        return [sample for sample in samples if sample is not None]

    async def fetch_earlier_totals_of(
        self, series: Collection[TotalSeries], *, before: datetime
    ) -> Mapping[TotalSeries, StoredSample | None]:
        """The newest total of each of *series* before *before*, ``None`` if there is none, absent if not found."""
        wanted = set(series)
        bounds = {"metric": sorted({one.metric for one in wanted}), "timestampIsLessThan": rfc3339(before + _LOOSE)}
        cursor = self._cursor(bounds, ascending=False)
        found: dict[TotalSeries, StoredSample | None] = {}
        for _ in range(PAGES_BACK):
            for index, row in enumerate(await _next_rows(cursor)):
                if not _is_histogram(row) or row.timestamp >= before:
                    continue
                total = _total(row, index)
                if (one := total.series) is not None and one in wanted:
                    found.setdefault(one, total)
            if cursor.ended or len(found) == len(wanted):
                break
        return {**dict.fromkeys(wanted), **found} if cursor.ended else found

    async def _rows_since(self, after: datetime) -> Sequence[Row]:
        cursor = self._cursor({"timestampIsGreaterThanOrEqual": rfc3339(after - _LOOSE)}, ascending=True)
        rows: list[Row] = []
        for _ in range(MAX_PAGES):
            page = await _next_rows(cursor)
            if page and page[0].timestamp < after - 2 * _LOOSE:
                return ()  # Our clock is ahead of the server's: nothing can be that new.
            rows += [row for row in page if row.timestamp >= after]
            if cursor.ended:
                break
        return rows

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


def _total(row: Row, index: int) -> StoredSample:
    if row.sum is None:
        raise PayloadError(f"x:Metric/get.list[{index}].sum: missing")
    try:
        number = decode_id(row.id)
    except ValueError as error:
        raise PayloadError(f"x:Metric/get.list[{index}].id: {error}") from error
    at = utc_second(row.timestamp, f"x:Metric/get.list[{index}]", "timestamp")
    # Only the id of a row's own time contains the node, too.
    node = node_of(number) if abs(moment_of(number) - at) < _SAME_CLOCK else 0
    return StoredSample(taken_at=at, kind="histogram", id=row.metric, value=row.sum, count=row.count, node=node)


def _sample(row: Row, index: int) -> StoredSample | None:
    """``None`` for a kind or id that no release has, and for a gauge that was counted below zero."""
    if _is_histogram(row):
        return _total(row, index)
    kind, id_ = row.type.lower(), canonical_event(row.metric) or row.metric
    known = id_ in COUNTERS if kind == "counter" else kind == "gauge" and id_ in GAUGES and row.count < UNDERFLOW
    if not known:
        return None
    at = utc_second(row.timestamp, f"x:Metric/get.list[{index}]", "timestamp")
    return StoredSample(taken_at=at, kind=kind, id=id_, value=row.count)
