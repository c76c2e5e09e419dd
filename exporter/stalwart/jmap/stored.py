"""
Reading of stored metrics: increments, running totals of histograms, and gauge readings.

Contract: Stalwart v0.16, Enterprise, ``x:Metric``. A counter's row is the increment since the previous one. A
histogram's is its total since its cluster node's process started, and is written only after an observation. Time
filters are off by up to a second, and one in the server's future has no effect.
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
"""The most pages per poll; after a long outage the rest is read by later polls."""

PAGES_BACK = 8
"""The most pages searched backwards for the total before a histogram's first new one: some hundred collections."""

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
    """A reader of one server's stored metrics. Set *by_position* for servers with broken anchors."""

    def __init__(self, api: JmapApi) -> None:
        self.by_position = False
        self._api = api

    async def read(self, *, after: datetime) -> Sequence[StoredSample]:
        """Fetch samples taken at or after *after*, ascending, at most `MAX_PAGES` pages. Raises a `TargetError`."""
        rows = await self._rows_since(after)
        samples = (_sample(row, index) for index, row in enumerate(rows))
        return [sample for sample in samples if sample is not None]

    async def fetch_earlier_totals_of(
        self, series: Collection[TotalSeries], *, before: datetime
    ) -> Mapping[TotalSeries, StoredSample | None]:
        """Fetch the newest total of each series before *before*; ``None`` if there is none, absent if not found."""
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
                return ()  # *after* is in the server's future, so the filter had no effect and there is no new row.
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
    """Fetch the next page, in the requested order, without duplicates."""
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
    # The node is known only if the id was created at the row's time.
    node = node_of(number) if abs(moment_of(number) - at) < _SAME_CLOCK else 0
    return StoredSample(taken_at=at, kind="histogram", id=row.metric, value=row.sum, count=row.count, node=node)


def _sample(row: Row, index: int) -> StoredSample | None:
    """Convert a row; ``None`` for an unknown kind or id, and for a gauge that has wrapped below zero."""
    if _is_histogram(row):
        return _total(row, index)
    kind, id_ = row.type.lower(), canonical_event(row.metric) or row.metric
    known = id_ in COUNTERS if kind == "counter" else kind == "gauge" and id_ in GAUGES and row.count < UNDERFLOW
    if not known:
        return None
    at = utc_second(row.timestamp, f"x:Metric/get.list[{index}]", "timestamp")
    return StoredSample(taken_at=at, kind=kind, id=id_, value=row.count)
