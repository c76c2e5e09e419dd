"""The client for servers of v0.16 and newer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from exporter.clock import Clock, rfc3339
from exporter.errors import PayloadError, TargetError, TargetForbidden, TargetUnsupported
from exporter.model.delivery import LogPage, Trace
from exporter.model.incoming_reports import Incoming, ReportIds
from exporter.model.inventory import AccountSums, Inventory, SettingsDigests
from exporter.model.posture import DomainWants, ServerDomain
from exporter.model.queue import OutgoingReports, QueueSnapshot
from exporter.model.report_words import ReportKind
from exporter.model.server import Generation, ServerIdentity
from exporter.model.telemetry import ServerTotals, StoredSample, TotalSeries
from exporter.stalwart.common.account_sums import AccountRow
from exporter.stalwart.common.ids import decode_id, encode_id
from exporter.stalwart.events.log_lines import STARTUP_LINES, STARTUP_TEXT, newest_version
from exporter.stalwart.http.allowlist import Endpoint
from exporter.stalwart.http.endpoint import Login
from exporter.stalwart.http.responses import AuthenticationRequired
from exporter.stalwart.http.transport import Transport
from exporter.stalwart.jmap.directory.accounts import QUOTA_PROPERTIES, read_accounts, walk_accounts
from exporter.stalwart.jmap.directory.domains import (
    DOMAINS_AT_ONCE,
    fetch_domains,
    fetch_report_patterns,
    fetch_wanted_records,
)
from exporter.stalwart.jmap.identify import Identifier
from exporter.stalwart.jmap.inventory import InventoryReader
from exporter.stalwart.jmap.logs import LogReader
from exporter.stalwart.jmap.native import parse_checked_native_page
from exporter.stalwart.jmap.protocol.api import JmapApi
from exporter.stalwart.jmap.protocol.paging import Cursor, found_decoder
from exporter.stalwart.jmap.protocol.wire import Call
from exporter.stalwart.jmap.queue.walk import PAGE_ROWS, Paging, QueueReader
from exporter.stalwart.jmap.reports.listing import REPORTS_AT_ONCE, fetch_report_ids, fetch_reports
from exporter.stalwart.jmap.schema import CounterNames
from exporter.stalwart.jmap.settings import fetch_settings_digests
from exporter.stalwart.jmap.stored import StoredReader
from exporter.stalwart.jmap.traces import parse_trace_list, traces_decoder

RECHECK_SECONDS = 3600.0
TRACE_IDS_A_PAGE = 5000
"""The most ids that a server returns per query."""

_OUTGOING = {"dmarc": "DmarcInternalReport", "tls": "TlsInternalReport"}


class JmapClient:
    """
    The `StalwartClient` of servers from v0.16 on.

    `identify` must be called first, and again whenever the server may have changed: it determines limits and
    permissions.
    """

    generation = Generation.JMAP

    def __init__(self, transport: Transport, *, clock: Clock) -> None:
        self._transport = transport
        self._clock = clock
        self._api = JmapApi(transport, clock=clock)
        self._identifier = Identifier(transport, self._api)
        self._queue = QueueReader(self._api, clock=clock)
        self._stored = StoredReader(self._api)
        self._logs = LogReader(self._api)
        self._inventory = InventoryReader(self._api, clock=clock)
        self._names = CounterNames.UNKNOWN
        self._named_at: float | None = None

    async def identify(self) -> ServerIdentity:
        """Identify the server, which must be known to speak JMAP: credentials are sent. Raises a `TargetError`."""
        identity, names = await self._identifier.identify()
        self._learn_names(names)
        self._queue.rows = PAGE_ROWS
        self._inventory.forget()
        self._api.forget_served()
        return identity

    def _learn_names(self, names: CounterNames) -> None:
        self._names, self._named_at = names, self._clock.monotonic()
        # All releases with broken anchors are older than v0.16.12.
        by_position = names is CounterNames.WRONG
        self._queue.paging = Paging.POSITION if by_position else Paging.ANCHORS
        self._stored.by_position = by_position

    async def _look_at_names_again(self) -> None:
        """Check the names again after an hour, since a restart as another release may have gone unnoticed."""
        if self._named_at is None or self._clock.monotonic() - self._named_at < RECHECK_SECONDS:
            return
        await self.look_at_names()

    async def look_at_names(self) -> None:
        """Check again whether the server's counters have their correct names; no change if that is unknown."""
        self._named_at = self._clock.monotonic()
        with suppress(TargetError):
            names = await self._identifier.counter_names()
            if names is not CounterNames.UNKNOWN:
                self._learn_names(names)

    @property
    def names(self) -> CounterNames:
        """Whether the server's counters have their correct names, as far as is known."""
        return self._names

    def now(self) -> datetime:
        """Return the current time, by the exporter's clock."""
        return self._clock.now()

    async def require(self, permission: str, *, what: str) -> None:
        """Raise a `TargetError` if the key or the licence is known to be insufficient for *what*."""
        await self._api.require(permission, what=what)

    async def fetch_queue(self, *, max_messages: int) -> QueueSnapshot:
        """Walk the queue, earliest due first, adding up each page; at most *max_messages* messages (0: no limit)."""
        return await self._queue.read(max_messages=max_messages)

    async def fetch_queue_running(self) -> bool | None:
        """Return ``None`` without a request: this generation does not report it."""
        return None

    async def fetch_outgoing_reports(self) -> OutgoingReports:
        """Count the outgoing reports that wait to be sent."""
        queries = {kind: _count_of(name) for kind, name in _OUTGOING.items()}
        answers = await self._api.ask(list(queries.values()))
        waiting = {kind: answers.result(query, found_decoder).total for kind, query in queries.items()}
        return OutgoingReports(waiting={kind: _present(total, _OUTGOING[kind]) for kind, total in waiting.items()})

    async def fetch_native_totals(self) -> ServerTotals:
        """Fetch the server's own Prometheus page; without counters if their names are wrong, see `ServerTotals`."""
        await self._look_at_names_again()
        login = Login.NATIVE if self._transport.has_native_login else Login.NONE
        body = await self._transport.request(Endpoint.NATIVE_METRICS, credentials=login)
        return parse_checked_native_page(body, self._names)

    async def fetch_stored_metrics(self, *, after: datetime) -> Sequence[StoredSample]:
        """Fetch the stored samples taken at or after *after*, ascending; histograms are running totals."""
        return await self._stored.read(after=after)

    async def fetch_earlier_totals(
        self, series: Collection[TotalSeries], *, before: datetime
    ) -> Mapping[TotalSeries, StoredSample | None]:
        """Fetch the newest total of each series before *before*; ``None`` if there is none, absent if not found."""
        return await self._stored.fetch_earlier_totals_of(series, before=before)

    async def fetch_newest_log_lines(self, *, limit: int) -> LogPage:
        """Fetch the newest *limit* lines (fewer if the log is shorter), newest first, as if from one response."""
        return await self._logs.newest(limit)

    async def fetch_older_log_lines(self, page: LogPage, *, limit: int) -> LogPage:
        """Fetch at most *limit* lines older than those of *page*."""
        return await self._logs.older(page, limit)

    async def send_small_request(self) -> None:
        """Request the session without credentials; see the protocol."""
        with suppress(AuthenticationRequired, TargetUnsupported, TargetForbidden):
            await self._transport.request(Endpoint.JMAP_SESSION, credentials=Login.NONE)

    async def fetch_logged_version(self) -> str:
        """Fetch the version from the newest log line about a server start; empty if there is no such line."""
        return newest_version(await self._logs.find(STARTUP_TEXT, limit=STARTUP_LINES))

    async def fetch_trace_ids(self, *, after: datetime) -> Sequence[int]:
        """Fetch the ids of finished delivery attempts that began after *after*, newest first, without duplicates."""
        stamp = rfc3339(after)
        arguments = {
            "filter": {"event": "delivery.attempt-start", "timestampIsGreaterThan": stamp},
            "sort": [{"property": "timestamp", "isAscending": False}],
        }
        by_position = self._names is CounterNames.WRONG
        cursor = Cursor(self._api, "Trace", arguments, rows=TRACE_IDS_A_PAGE, by_position=by_position)
        ids: list[int] = []
        while not cursor.ended:
            ids += [_number(id_) for id_ in (await cursor.next_page()).ids]
        return ids

    async def fetch_traces(self, ids: Sequence[int]) -> Sequence[Trace]:
        """Fetch the traces with *ids*, in that order; one that no longer exists is left out."""
        most = self._api.limits.objects
        traces: list[Trace] = []
        for start in range(0, len(ids), most):
            part = {encode_id(number): number for number in ids[start : start + most]}
            get = Call("g", "x:Trace/get", {"ids": list(part), "properties": ["events"]})
            answers = await self._api.ask([get])
            traces += parse_trace_list(answers.result(get, traces_decoder), part)
        return traces

    async def fetch_report_ids(self, kind: ReportKind, *, page: int, limit: int) -> ReportIds:
        """Fetch page *page* (1-based, of *limit* ids) of the received reports, newest first."""
        return await fetch_report_ids(self._api, kind, page=page, limit=limit)

    @property
    def reports_at_once(self) -> int:
        """The most reports that one request can fetch."""
        return min(REPORTS_AT_ONCE, self._api.limits.objects)

    async def fetch_reports(self, kind: ReportKind, source_ids: Sequence[str]) -> Sequence[Incoming]:
        """Fetch several received reports; those that no longer exist are left out."""
        return await fetch_reports(self._api, kind, source_ids, now=self._clock.now())

    async def fetch_inventory(self) -> Inventory:
        """Fetch what the server manages besides mail, as far as the key may read it."""
        return await self._inventory.read()

    async def fetch_accounts(self) -> AccountSums:
        """Walk the accounts, adding up each page."""
        return await read_accounts(self._api, by_position=self._queue.paging is Paging.POSITION)

    def walk_quotas(self) -> AsyncGenerator[list[AccountRow]]:
        """Yield the users with their addresses and quotas, for commands."""
        return walk_accounts(self._api, QUOTA_PROPERTIES, by_position=self._queue.paging is Paging.POSITION)

    async def fetch_settings_digests(self, key: bytes) -> SettingsDigests:
        """Fetch the settings, as far as the key may read them, and return their digests with *key*."""
        return await fetch_settings_digests(self._api, key)

    async def fetch_domains(self) -> Sequence[ServerDomain]:
        """Fetch the server's enabled domains."""
        return await fetch_domains(self._api, by_position=self._queue.paging is Paging.POSITION)

    @property
    def domains_at_once(self) -> int:
        """The most domains whose records one request can fetch."""
        return min(DOMAINS_AT_ONCE, self._api.limits.objects)

    async def fetch_wanted_records(self, domains: Sequence[ServerDomain]) -> Sequence[DomainWants]:
        """Fetch the records that the server wants for *domains*, with one request."""
        return await fetch_wanted_records(self._api, domains)

    async def fetch_report_patterns(self) -> Sequence[str]:
        """Fetch the addresses whose reports the server analyses; empty if the key may not read the settings."""
        return await fetch_report_patterns(self._api)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._transport.aclose()


def _count_of(kind: str) -> Call:
    """Return a call that counts objects; without its limit the server would list them all."""
    return Call(kind, f"x:{kind}/query", {"calculateTotal": True, "limit": 1})


def _present(total: int | None, kind: str) -> int:
    if total is None:
        raise PayloadError(f"x:{kind}/query.total: missing")
    return total


def _number(id_: str) -> int:
    try:
        return decode_id(id_)
    except ValueError as error:
        raise PayloadError(f"x:Trace/query.ids: {error}") from error
