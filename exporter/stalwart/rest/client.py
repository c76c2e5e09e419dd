"""The client for servers from v0.10 to v0.15."""

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
from exporter.model.delivery import LogPage, Trace
from exporter.model.incoming_reports import Incoming, ReportIds
from exporter.model.inventory import AccountSums, Inventory, SettingsDigests
from exporter.model.posture import DomainWants, ServerDomain
from exporter.model.queue import OutgoingReports, QueueSnapshot
from exporter.model.report_words import ReportKind
from exporter.model.server import Generation
from exporter.model.telemetry import ServerTotals, StoredSample, TotalSeries
from exporter.stalwart.common.native_page import parse_native_page
from exporter.stalwart.events.log_lines import STARTUP_LINES, STARTUP_TEXT, newest_version
from exporter.stalwart.http.allowlist import Endpoint
from exporter.stalwart.http.endpoint import Login
from exporter.stalwart.http.responses import AuthenticationRequired, decode_response
from exporter.stalwart.http.transport import Transport
from exporter.stalwart.rest.accounts import AccountReader
from exporter.stalwart.rest.domains import fetch_domains, fetch_wanted_records
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
"""Responses of at least this size are parsed on a thread."""

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
    domains_at_once = 1

    def __init__(self, transport: Transport, *, clock: Clock) -> None:
        self._transport = transport
        self._clock = clock
        self._page_size = PageSize()
        self._logs = LogReader(transport)
        self._accounts = AccountReader(transport, clock=clock)

    async def fetch_queue(self, *, max_messages: int) -> QueueSnapshot:
        """Walk the queue and add it up; at most *max_messages* messages (0: no limit)."""
        return await walk_queue(
            self._transport, taken_at=self._clock.now(), size=self._page_size, max_messages=max_messages
        )

    async def fetch_queue_running(self) -> bool | None:
        """Return whether the queue is running; ``None`` for v0.10, which does not report it."""
        try:
            body = await self._transport.request(Endpoint.QUEUE_STATUS)
        except TargetUnsupported:
            return None
        return decode_response(_running, body).data

    async def fetch_outgoing_reports(self) -> OutgoingReports:
        """Count the outgoing reports; the first letter of an id is the kind."""
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
        """Fetch the server's own metrics page, with its own login if one is configured."""
        login = Login.NATIVE if self._transport.has_native_login else Login.NONE
        return await _read(parse_native_page, await self._transport.request(Endpoint.NATIVE_METRICS, credentials=login))

    async def fetch_stored_metrics(self, *, after: datetime) -> Sequence[StoredSample]:
        """Fetch the stored samples taken at or after *after*."""
        body = await self._transport.request(Endpoint.STORED_METRICS, params={"after": rfc3339(after)})
        return await _read(parse_stored_metrics, body)

    async def fetch_earlier_totals(
        self, series: Collection[TotalSeries], *, before: datetime
    ) -> Mapping[TotalSeries, StoredSample | None]:
        """Return nothing, without a request: this generation stores no running totals."""
        return {}

    async def fetch_newest_log_lines(self, *, limit: int) -> LogPage:
        """Fetch the newest *limit* lines. Raises ``ValueError`` for 0, which would return the whole log."""
        return await self._logs.newest(limit)

    async def fetch_older_log_lines(self, page: LogPage, *, limit: int) -> LogPage:
        """Fetch at most *limit* lines older than those of *page*."""
        return await self._logs.older(page, limit)

    async def send_small_request(self) -> None:
        """Request the queue's status without credentials, which every release refuses; see the protocol."""
        with suppress(AuthenticationRequired, TargetUnsupported, TargetForbidden):
            await self._transport.request(Endpoint.QUEUE_STATUS, credentials=Login.NONE)

    async def fetch_logged_version(self) -> str:
        """Fetch the version from the newest log line about a server start; empty if there is no such line."""
        return newest_version(await self._logs.find(STARTUP_TEXT, limit=STARTUP_LINES))

    async def fetch_trace_ids(self, *, after: datetime) -> Sequence[int]:
        """
        Fetch the ids of delivery attempts that began after *after*, newest first.

        Of more than `MAX_TRACE_ID_PAGES` pages only the newest are fetched, with a warning in the log.
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
        """Fetch the traces with *ids*, in that order, a few dozen per request."""
        traces: list[Trace] = []
        for start in range(0, len(ids), TRACES_A_REQUEST):
            batch = ids[start : start + TRACES_A_REQUEST]
            body = await self._transport.request(Endpoint.TRACE, path_args=(",".join(map(str, batch)),))
            traces += await _read(parse_traces, body, batch)
        return traces

    async def fetch_report_ids(self, kind: ReportKind, *, page: int, limit: int) -> ReportIds:
        """Fetch a page of ids of received reports."""
        return await fetch_report_ids(self._transport, kind, page=page, limit=limit)

    async def fetch_reports(self, kind: ReportKind, source_ids: Sequence[str]) -> Sequence[Incoming]:
        """Fetch received reports; usually one, more only if the server was JMAP when the batch was chosen."""
        found = [await fetch_report(self._transport, kind, id_, now=self._clock.now()) for id_ in source_ids]
        return [report for report in found if report is not None]

    async def fetch_inventory(self) -> Inventory:
        """Raise `TargetUnsupported` without a request: this generation would need too many."""
        raise TargetUnsupported("inventory: not read from servers of this generation")

    async def fetch_accounts(self) -> AccountSums:
        """Walk the accounts, adding up each page."""
        return await self._accounts.read()

    async def fetch_settings_digests(self, key: bytes) -> SettingsDigests:
        """Raise `TargetUnsupported` without a request: settings are only readable together with their secrets."""
        raise TargetUnsupported("settings: not read from servers of this generation")

    async def fetch_domains(self) -> Sequence[ServerDomain]:
        """Fetch the server's domains."""
        return await fetch_domains(self._transport)

    async def fetch_wanted_records(self, domains: Sequence[ServerDomain]) -> Sequence[DomainWants]:
        """Fetch the records that the server wants for *domains*, one request each."""
        return [await fetch_wanted_records(self._transport, domain) for domain in domains]

    async def fetch_report_patterns(self) -> Sequence[str]:
        """Return nothing, without a request: they are settings, which are only readable together with secrets."""
        return []

    async def aclose(self) -> None:
        """Close the connection."""
        await self._transport.aclose()


async def _read(parse: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Parse a response, the first of *args*; a large one on a thread."""
    body = args[0]
    if isinstance(body, bytes) and len(body) < LARGE_BYTES:
        return parse(*args, **kwargs)
    return await asyncio.to_thread(parse, *args, **kwargs)
