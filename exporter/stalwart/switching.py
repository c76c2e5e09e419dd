"""
Clients for a server whose generation is detected at run time and may change with an upgrade.

The clients of both generations share one transport, so credentials refused by one are not sent by the other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from exporter.model.delivery import LogPage, Trace
from exporter.model.incoming_reports import Incoming, ReportIds
from exporter.model.inventory import AccountSums, Inventory, SettingsDigests
from exporter.model.live import StreamKind
from exporter.model.posture import DomainWants, ServerDomain
from exporter.model.queue import OutgoingReports, QueueSnapshot
from exporter.model.report_words import ReportKind
from exporter.model.server import Generation, ServerIdentity
from exporter.model.telemetry import ServerTotals, StoredSample, TotalSeries
from exporter.stalwart.client import Detector, StalwartClient
from exporter.stalwart.jmap.client import JmapClient
from exporter.stalwart.live import LiveClient
from exporter.stalwart.streams.live_stream import LiveStream


class SwitchingClient:
    """
    The `StalwartClient` of the generation that was detected last; REST before the first detection.

    Attributes:
        generation: The generation in use.
    """

    def __init__(self, *, rest: StalwartClient, jmap: JmapClient) -> None:
        self._rest = rest
        self._jmap = jmap
        self._current: StalwartClient = rest
        self.generation = rest.generation

    def use(self, generation: Generation) -> None:
        """Send further requests as *generation*; ``UNKNOWN`` changes nothing."""
        if generation is not Generation.UNKNOWN:
            self._current = self._jmap if generation is Generation.JMAP else self._rest
            self.generation = generation

    async def fetch_queue(self, *, max_messages: int) -> QueueSnapshot:
        return await self._current.fetch_queue(max_messages=max_messages)

    async def fetch_queue_running(self) -> bool | None:
        return await self._current.fetch_queue_running()

    async def fetch_outgoing_reports(self) -> OutgoingReports:
        return await self._current.fetch_outgoing_reports()

    async def fetch_native_totals(self) -> ServerTotals:
        return await self._current.fetch_native_totals()

    async def fetch_stored_metrics(self, *, after: datetime) -> Sequence[StoredSample]:
        return await self._current.fetch_stored_metrics(after=after)

    async def fetch_earlier_totals(
        self, series: Collection[TotalSeries], *, before: datetime
    ) -> Mapping[TotalSeries, StoredSample | None]:
        return await self._current.fetch_earlier_totals(series, before=before)

    async def fetch_newest_log_lines(self, *, limit: int) -> LogPage:
        return await self._current.fetch_newest_log_lines(limit=limit)

    async def fetch_older_log_lines(self, page: LogPage, *, limit: int) -> LogPage:
        return await self._current.fetch_older_log_lines(page, limit=limit)

    async def send_small_request(self) -> None:
        await self._current.send_small_request()

    async def fetch_logged_version(self) -> str:
        return await self._current.fetch_logged_version()

    async def fetch_trace_ids(self, *, after: datetime) -> Sequence[int]:
        return await self._current.fetch_trace_ids(after=after)

    async def fetch_traces(self, ids: Sequence[int]) -> Sequence[Trace]:
        return await self._current.fetch_traces(ids)

    async def fetch_report_ids(self, kind: ReportKind, *, page: int, limit: int) -> ReportIds:
        return await self._current.fetch_report_ids(kind, page=page, limit=limit)

    @property
    def reports_at_once(self) -> int:
        return self._current.reports_at_once

    async def fetch_reports(self, kind: ReportKind, source_ids: Sequence[str]) -> Sequence[Incoming]:
        return await self._current.fetch_reports(kind, source_ids)

    async def fetch_inventory(self) -> Inventory:
        return await self._current.fetch_inventory()

    async def fetch_accounts(self) -> AccountSums:
        return await self._current.fetch_accounts()

    async def fetch_settings_digests(self, key: bytes) -> SettingsDigests:
        return await self._current.fetch_settings_digests(key)

    async def fetch_domains(self) -> Sequence[ServerDomain]:
        return await self._current.fetch_domains()

    @property
    def domains_at_once(self) -> int:
        return self._current.domains_at_once

    async def fetch_wanted_records(self, domains: Sequence[ServerDomain]) -> Sequence[DomainWants]:
        return await self._current.fetch_wanted_records(domains)

    async def fetch_report_patterns(self) -> Sequence[str]:
        return await self._current.fetch_report_patterns()

    async def aclose(self) -> None:
        """Close the connections of both generations."""
        await self._rest.aclose()
        await self._jmap.aclose()


class SwitchingLiveClient:
    """
    The `LiveClient` of the generation that *client* uses when a stream is opened.

    An open stream keeps the decoder of its generation, even after the server is detected as the other one.
    """

    def __init__(self, client: SwitchingClient, *, rest: LiveClient, jmap: LiveClient) -> None:
        self._client = client
        self._rest = rest
        self._jmap = jmap

    async def open(self, kind: StreamKind) -> LiveStream:
        current = self._jmap if self._client.generation is Generation.JMAP else self._rest
        return await current.open(kind)

    def forget_transport(self) -> None:
        """Forget the transports of both generations."""
        self._rest.forget_transport()
        self._jmap.forget_transport()

    async def aclose(self) -> None:
        """Close the connections of both generations."""
        await self._rest.aclose()
        await self._jmap.aclose()


class SwitchingDetector:
    """The `Detector` that switches *client* to the generation it detects."""

    def __init__(self, rest: Detector, jmap: JmapClient, client: SwitchingClient) -> None:
        self._rest = rest
        self._jmap = jmap
        self._client = client

    async def detect(self) -> ServerIdentity:
        """
        Identify the server.

        *rest* determines the generation without credentials; a JMAP server is then identified over JMAP.
        """
        identity = await self._rest.detect()
        if identity.generation is Generation.JMAP:
            identity = await self._jmap.identify()
        self._client.use(identity.generation)
        return identity
