"""One server of v0.10-v0.15."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import ParamSpec, TypeVar

import msgspec
import structlog

from exporter.clock import Clock, rfc3339
from exporter.errors import PayloadError, TargetForbidden, TargetUnsupported
from exporter.model.delivery import Trace
from exporter.model.incoming_reports import Incoming, ReportIds
from exporter.model.inventory import Inventory
from exporter.model.log import LogPage
from exporter.model.outgoing import OutgoingReports
from exporter.model.queue import QueueSnapshot
from exporter.model.report_words import ReportKind
from exporter.model.server import Generation
from exporter.model.telemetry import ServerTotals, StoredSample, TotalSeries
from exporter.stalwart.common.native_page import parse_native_page
from exporter.stalwart.events.log_lines import STARTUP_LINES, STARTUP_TEXT, newest_version
from exporter.stalwart.http.allowlist import Endpoint, Login
from exporter.stalwart.http.responses import AuthenticationRequired, decode_response
from exporter.stalwart.http.transport import Transport
from exporter.stalwart.rest.log_reader import LogReader
from exporter.stalwart.rest.queue.walk import PageSize, walk_queue
from exporter.stalwart.rest.reports.client import fetch_report, fetch_report_ids
from exporter.stalwart.rest.stored import parse_stored_metrics
from exporter.stalwart.rest.traces import parse_trace_ids, parse_traces

OUTGOING_A_PAGE = 1000
MAX_OUTGOING_PAGES = 100
TRACE_IDS_A_PAGE = 500
MAX_TRACE_ID_PAGES = 20
TRACES_A_REQUEST = 50
LARGE_BYTES = 256 * 1024
"""From this size on, an answer is read outside of the event loop."""

_KINDS = {"d": "dmarc", "t": "tls"}

P = ParamSpec("P")
T = TypeVar("T")
log: structlog.stdlib.BoundLogger = structlog.get_logger()


class _Running(msgspec.Struct):
    data: bool


class _OutgoingIds(msgspec.Struct):
    items: list[str]


class _OutgoingPage(msgspec.Struct):
    data: _OutgoingIds


_running = msgspec.json.Decoder(_Running)
_outgoing = msgspec.json.Decoder(_OutgoingPage)


class RestClient:
    """
    The `StalwartClient` of servers from v0.10 to v0.15.

    Contract: tests/recordings/rest-0.12.5/exchanges.json and tests/recordings/rest-0.15.5/exchanges.json.
    """

    generation = Generation.REST
    reports_at_once = 1

    def __init__(self, transport: Transport, *, clock: Clock) -> None:
        self._transport = transport
        self._clock = clock
        self._page_size = PageSize()
        self._logs = LogReader(transport)

    async def fetch_queue(self, *, max_messages: int) -> QueueSnapshot:
        """The queue, summed; at most *max_messages* of it (0: no limit)."""
        return await walk_queue(
            self._transport, taken_at=self._clock.now(), size=self._page_size, max_messages=max_messages
        )

    async def fetch_queue_running(self) -> bool | None:
        """Whether the server delivers; ``None`` from v0.10, which does not tell."""
        try:
            body = await self._transport.request(Endpoint.QUEUE_STATUS)
        except TargetUnsupported:
            return None
        return decode_response(_running, body).data

    async def fetch_outgoing_reports(self) -> OutgoingReports:
        """The reports about others that wait to be sent, counted by the first letter of their ids."""
        waiting = dict.fromkeys(_KINDS.values(), 0)
        before: list[str] = []
        for page in range(1, MAX_OUTGOING_PAGES + 1):
            params: dict[str, str | int] = {"limit": OUTGOING_A_PAGE, "page": page}
            ids = decode_response(_outgoing, await self._transport.request(Endpoint.OUTGOING_REPORTS, params=params))
            if before and ids.data.items[:1] == before[:1]:
                raise PayloadError("data.items: the same page again; a proxy drops the parameter `page`")
            before = ids.data.items
            for id_ in before:
                kind = _KINDS.get(id_[:1], "unknown")
                waiting[kind] = waiting.get(kind, 0) + 1
            if len(before) != OUTGOING_A_PAGE:
                break
        else:
            log.warning("outgoing_reports.truncated", collector="outgoing", reports=sum(waiting.values()))
        return OutgoingReports(waiting=waiting)

    async def fetch_native_totals(self) -> ServerTotals:
        """The server's own metrics page, with its own login if one is configured."""
        login = Login.NATIVE if self._transport.has_native_login else Login.NONE
        return await _read(parse_native_page, await self._transport.request(Endpoint.NATIVE_METRICS, credentials=login))

    async def fetch_stored_metrics(self, *, after: datetime) -> Sequence[StoredSample]:
        """Stored samples from *after* on."""
        body = await self._transport.request(Endpoint.STORED_METRICS, params={"after": rfc3339(after)})
        return await _read(parse_stored_metrics, body)

    async def fetch_earlier_totals(
        self, series: Collection[TotalSeries], *, before: datetime
    ) -> Mapping[TotalSeries, StoredSample | None]:
        """None: this generation stores no running totals, and nothing is requested."""
        return {}

    async def fetch_newest_log_lines(self, *, limit: int) -> LogPage:
        """The newest *limit* lines; 0, which would be the whole log, is a ``ValueError``."""
        return await self._logs.newest(limit)

    async def fetch_older_log_lines(self, page: LogPage, *, limit: int) -> LogPage:
        """At most *limit* lines before those of *page*."""
        return await self._logs.older(page, limit)

    async def send_small_request(self) -> None:
        """Ask for the queue's status without credentials, which every release refuses; see the protocol."""
        with suppress(AuthenticationRequired, TargetUnsupported, TargetForbidden):
            await self._transport.request(Endpoint.QUEUE_STATUS, credentials=Login.NONE)

    async def fetch_logged_version(self) -> str:
        """The version in the newest line about a start of the server; empty if the log has none any more."""
        return newest_version(await self._logs.find(STARTUP_TEXT, limit=STARTUP_LINES))

    async def fetch_trace_ids(self, *, after: datetime) -> Sequence[int]:
        """
        Delivery attempts that began after *after*, newest first.

        A server that has more than `MAX_TRACE_ID_PAGES` pages of them gives the newest, and the log says so.
        """
        ids: dict[int, None] = {}
        for page in range(1, MAX_TRACE_ID_PAGES + 1):
            params: dict[str, str | int] = {
                "type": "delivery.attempt-start",
                "limit": TRACE_IDS_A_PAGE,
                "page": page,
                "after": rfc3339(after),
            }
            found = await _read(parse_trace_ids, await self._transport.request(Endpoint.TRACES, params=params))
            known = len(ids)
            ids.update(dict.fromkeys(found))
            if len(found) < TRACE_IDS_A_PAGE or len(ids) == known:
                break
        else:
            log.warning("traces.truncated", collector="traces", traces=len(ids))
        return list(ids)

    async def fetch_traces(self, ids: Sequence[int]) -> Sequence[Trace]:
        """The attempts of *ids*, in that order, some dozens a request."""
        traces: list[Trace] = []
        for start in range(0, len(ids), TRACES_A_REQUEST):
            batch = ids[start : start + TRACES_A_REQUEST]
            body = await self._transport.request(Endpoint.TRACE, path_args=(",".join(map(str, batch)),))
            traces += await _read(parse_traces, body, batch)
        return traces

    async def fetch_report_ids(self, kind: ReportKind, *, page: int, limit: int) -> ReportIds:
        """A page of ids of received reports."""
        return await fetch_report_ids(self._transport, kind, page=page, limit=limit)

    async def fetch_reports(self, kind: ReportKind, source_ids: Sequence[str]) -> Sequence[Incoming]:
        """One received report; more of them if a server of the other generation was to be asked for more."""
        found = [await fetch_report(self._transport, kind, id_, now=self._clock.now()) for id_ in source_ids]
        return [report for report in found if report is not None]

    async def fetch_inventory(self) -> Inventory:
        """Not to be had in a few requests: nothing is asked."""
        raise TargetUnsupported("inventory: not read from servers of this generation")

    async def aclose(self) -> None:
        """Closes the connection."""
        await self._transport.aclose()


async def _read(parse: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What *parse* makes of an answer, which comes first among *args*."""
    body = args[0]
    if isinstance(body, bytes) and len(body) < LARGE_BYTES:
        return parse(*args, **kwargs)
    return await asyncio.to_thread(parse, *args, **kwargs)
