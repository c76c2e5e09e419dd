"""What the rest of the exporter may ask of a server, whichever generation it is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from exporter.model.delivery import Trace
from exporter.model.incoming_reports import Incoming, ReportIds
from exporter.model.inventory import Inventory
from exporter.model.log import LogPage
from exporter.model.outgoing import OutgoingReports
from exporter.model.queue import QueueSnapshot
from exporter.model.report_words import ReportKind
from exporter.model.server import Generation, ServerIdentity
from exporter.model.telemetry import ServerTotals, StoredSample, TotalSeries


class StalwartClient(Protocol):
    """
    One server, of one generation, with one set of credentials.

    Each method makes the fewest requests that answer it, each under a deadline, and raises a `TargetError`.
    `TargetUnsupported` and `TargetForbidden` say what the server cannot or will not give.
    """

    generation: Generation

    async def fetch_queue(self, *, max_messages: int) -> QueueSnapshot:
        """Walks the queue by id cursor, folding each page; at most *max_messages* messages (0: no limit)."""

    async def fetch_queue_running(self) -> bool | None:
        """Whether the server delivers; ``None`` where it cannot be read."""

    async def fetch_outgoing_reports(self) -> OutgoingReports:
        """The reports about others that wait to be sent."""

    async def fetch_native_totals(self) -> ServerTotals:
        """The server's own Prometheus page, read with its own login and repaired."""

    async def fetch_stored_metrics(self, *, after: datetime) -> Sequence[StoredSample]:
        """Stored samples taken at or after *after*, ascending."""

    async def fetch_earlier_totals(
        self, series: Collection[TotalSeries], *, before: datetime
    ) -> Mapping[TotalSeries, StoredSample | None]:
        """
        The newest stored running total of each of *series* before *before*; ``None`` where the first is not before.

        A series is absent if its history is too long to be searched.
        """

    async def fetch_newest_log_lines(self, *, limit: int) -> LogPage:
        """The newest *limit* lines (fewer if the log is shorter), newest first, as if from one answer."""

    async def fetch_older_log_lines(self, page: LogPage, *, limit: int) -> LogPage:
        """
        At most *limit* lines that come before those of *page*, none left out and none twice.

        Without lines if the log has none, or if its files have changed so that they cannot be found.
        """

    async def send_small_request(self) -> None:
        """
        One request with a small response, whatever the key may do.

        Where responses are logged in full, the newest one in the log is then not that of an earlier look at the log.
        """

    async def fetch_logged_version(self) -> str:
        """The version in the newest line about a start of the server; empty if the log has none any more."""

    async def fetch_trace_ids(self, *, after: datetime) -> Sequence[int]:
        """Ids of the finished delivery attempts that began after *after*, newest first, each once."""

    async def fetch_traces(self, ids: Sequence[int]) -> Sequence[Trace]:
        """Those attempts, in that order; one that is gone is left out."""

    async def fetch_report_ids(self, kind: ReportKind, *, page: int, limit: int) -> ReportIds:
        """The *page*-th *limit* ids (from 1) of the reports that the server has received, newest first; one request."""

    @property
    def reports_at_once(self) -> int:
        """How many reports one request can bring; 1 at least."""

    async def fetch_reports(self, kind: ReportKind, source_ids: Sequence[str]) -> Sequence[Incoming]:
        """
        Up to `reports_at_once` received reports, in that order; one request. One that is gone is left out.

        What came and could not be read is an `UnreadableReport`, which asking again does not change. A `TargetError` is
        about the server, or about several reports together: a `PayloadError`, `TargetServerError` or `TargetTimeout`
        may be due to one of them.
        """

    async def fetch_inventory(self) -> Inventory:
        """What the server holds beside mail, as far as our key may see it."""

    async def aclose(self) -> None:
        """Closes the connections."""


class Detector(Protocol):
    """Finds out which server it is, without credentials first; tells, once known, what permissions the key has."""

    async def detect(self) -> ServerIdentity:
        """
        Asks the server who it is. Unauthenticated probes first; credentials go only to a generation they are for.

        Raises `TargetRefused` after one request with refused credentials.
        """
