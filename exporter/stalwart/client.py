"""The interface through which the exporter reads a server of any generation."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from exporter.model.delivery import LogPage, Trace
from exporter.model.incoming_reports import Incoming, ReportIds
from exporter.model.inventory import AccountSums, Inventory, SettingsDigests
from exporter.model.posture import DomainWants, ServerDomain
from exporter.model.queue import OutgoingReports, QueueSnapshot
from exporter.model.report_words import ReportKind
from exporter.model.server import Generation, ServerIdentity
from exporter.model.telemetry import ServerTotals, StoredSample, TotalSeries


class StalwartClient(Protocol):
    """
    A client of one server, for one generation, with one set of credentials.

    Each method sends as few requests as possible, each with a deadline, and raises a `TargetError`:
    `TargetUnsupported` for what the server lacks, `TargetForbidden` for what the key may not read.
    """

    generation: Generation

    async def fetch_queue(self, *, max_messages: int) -> QueueSnapshot:
        """Walk the queue by id cursor, adding up each page; at most *max_messages* messages (0: no limit)."""

    async def fetch_queue_running(self) -> bool | None:
        """Return whether the queue is running; ``None`` if the server does not report it."""

    async def fetch_outgoing_reports(self) -> OutgoingReports:
        """Fetch the reports about other domains that wait to be sent."""

    async def fetch_native_totals(self) -> ServerTotals:
        """Fetch the server's own Prometheus page with its own login; known faults of the page are repaired."""

    async def fetch_stored_metrics(self, *, after: datetime) -> Sequence[StoredSample]:
        """Fetch the stored samples taken at or after *after*, ascending."""

    async def fetch_earlier_totals(
        self, series: Collection[TotalSeries], *, before: datetime
    ) -> Mapping[TotalSeries, StoredSample | None]:
        """
        Fetch the newest stored running total of each of *series* before *before*.

        A series without an earlier total maps to ``None``; one whose history is too long to search is absent.
        """

    async def fetch_newest_log_lines(self, *, limit: int) -> LogPage:
        """Fetch the newest *limit* lines (fewer if the log is shorter), newest first, as if from one response."""

    async def fetch_older_log_lines(self, page: LogPage, *, limit: int) -> LogPage:
        """
        Fetch at most *limit* lines older than those of *page*, without gaps or duplicates.

        Empty if the log has no older lines, or if its files have changed so that they cannot be found.
        """

    async def send_small_request(self) -> None:
        """
        Send a request with a small response that needs no particular permission.

        If the server logs responses in full, the newest one in its log is then not an earlier page of the log.
        """

    async def fetch_logged_version(self) -> str:
        """Fetch the version from the newest log line about a server start; empty if there is no such line."""

    async def fetch_trace_ids(self, *, after: datetime) -> Sequence[int]:
        """Fetch the ids of finished delivery attempts that began after *after*, newest first, without duplicates."""

    async def fetch_traces(self, ids: Sequence[int]) -> Sequence[Trace]:
        """Fetch the traces with *ids*, in that order; one that no longer exists is left out."""

    async def fetch_report_ids(self, kind: ReportKind, *, page: int, limit: int) -> ReportIds:
        """Fetch page *page* (1-based, of *limit* ids) of the received reports, newest first, with one request."""

    @property
    def reports_at_once(self) -> int:
        """The most reports that one request can fetch; at least 1."""

    async def fetch_reports(self, kind: ReportKind, source_ids: Sequence[str]) -> Sequence[Incoming]:
        """
        Fetch up to `reports_at_once` received reports with one request, in that order.

        One that no longer exists is left out. One that cannot be parsed is an `UnreadableReport`; fetching it again
        does not help. A `TargetError` concerns the server or the whole batch: a `PayloadError`, `TargetServerError` or
        `TargetTimeout` may be caused by a single report.
        """

    async def fetch_inventory(self) -> Inventory:
        """Fetch what the server manages besides mail, as far as the key may read it."""

    async def fetch_accounts(self) -> AccountSums:
        """Walk the accounts, adding up each page; without names, and never with secrets."""

    async def fetch_settings_digests(self, key: bytes) -> SettingsDigests:
        """Fetch the settings, as far as the key may read them, and return their digests with *key*."""

    async def fetch_domains(self) -> Sequence[ServerDomain]:
        """Fetch the server's domains; those that are disabled, or whose name is invalid, are left out."""

    @property
    def domains_at_once(self) -> int:
        """The most domains whose records one request can fetch; at least 1."""

    async def fetch_wanted_records(self, domains: Sequence[ServerDomain]) -> Sequence[DomainWants]:
        """
        Fetch the DNS records that the server wants for up to `domains_at_once` domains, with one request.

        A domain that no longer exists is left out.
        """

    async def fetch_report_patterns(self) -> Sequence[str]:
        """
        Fetch the addresses whose incoming reports the server analyses, such as ``dmarc@*``.

        Empty if the server does not disclose them, or not to this key.
        """

    async def aclose(self) -> None:
        """Close the connections."""


class Detector(Protocol):
    """Detects which server responds, at first without credentials, and where possible the key's permissions."""

    async def detect(self) -> ServerIdentity:
        """
        Identify the server. Credentials are sent only after the generation is known from requests without them.

        Raises `TargetRefused` after one request with refused credentials.
        """
