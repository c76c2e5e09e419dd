"""What the web layer needs from the rest of the exporter, and the status page as data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from exporter.collectors.exposition import Format as Format
from exporter.web.verdict.thresholds import Thresholds


class MetricsSource(Protocol):
    """Where a scrape's bytes lie ready."""

    def exposition(self, fmt: Format, gzip: bool) -> tuple[bytes, str]:
        """
        The body and its content type; compressed with gzip if asked.

        Called on the event loop for every scrape: it hands out what is ready and builds nothing.
        """


class Health(Protocol):
    """Whether the exporter has something to show."""

    def ready(self) -> tuple[bool, str]:
        """Whether each server has been asked once, and the reason in one line either way."""


class Reloader(Protocol):
    """Applies the configuration anew."""

    async def reload(self) -> None:
        """
        Raises `SettingsError` if the new configuration cannot be used, and another `ExporterError` if it cannot be
        applied now; the old one then stays in force.
        """


class StatusSource(Protocol):
    """Where the status page's facts come from."""

    def status(self) -> StatusPage:
        """The state of affairs now; free of secrets, every text as hostile as its origin."""


class CollectorState(StrEnum):
    """How a collector fares."""

    OK = "ok"
    FAILING = "failing"
    WAITING = "waiting"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class CapabilityRow:
    """
    One thing that a server can give.

    Attributes:
        status: As in ``stalwart_exporter_capability``; ``available`` is the good one.
        words: What it means here and what to do about it, for people; may be empty.
    """

    name: str
    status: str
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorStatus:
    """
    One collector of one server.

    Attributes:
        last_success_at: Aware, in UTC; ``None`` before the first success.
        error: The last failure in words; empty unless failing.
    """

    name: str
    state: CollectorState
    last_success_at: datetime | None
    interval_seconds: float
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStatus:
    """
    One live stream of one server.

    Attributes:
        transport: ``websocket``, ``sse`` or empty while that is not known.
        last_event_at: Aware, in UTC; ``None`` before the first event.
        off: The capability's status where the server does not offer the stream, else empty.
    """

    name: str
    connected: bool
    transport: str
    last_event_at: datetime | None
    off: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFacts:
    """
    The outbound queue, as far as the verdict is about it.

    Attributes:
        running: ``None`` where the server does not report it.
        overdue: Recipients whose next retry is over five minutes past.
        expired: Recipients past their expiry.
        failing: Recipients in temporary or permanent failure.
        deferring: Recipients in temporary failure by destination, the most first; without the rest in ``other``.
    """

    running: bool | None
    messages: int
    overdue: int = 0
    expired: int = 0
    failing: int = 0
    oldest_created_at: datetime | None = None
    deferring: Mapping[str, int] = field(default_factory=dict)


class Recent(Protocol):
    """The recent past of one server's numbers and conditions."""

    def names(self) -> Iterable[str]:
        """The names of the numbers that there are samples of."""

    def covered_seconds(self, name: str) -> float:
        """How far back the samples of *name* reach."""

    def increase(self, name: str, window_seconds: float) -> float:
        """By how much a counter has grown in the window."""

    def slope(self, name: str, window_seconds: float) -> float | None:
        """The slope of a gauge per second; ``None`` if not known."""

    def held_seconds(self, condition: str) -> float:
        """For how long *condition* has held without a break."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """
    One watched server.

    Attributes:
        url: Without credentials.
        version: The server's own; empty if unknown.
        up: What ``stalwart_up`` says; ``None`` before the first answer.
        refused: Whether the server is not up because it refuses our credentials.
        note: One sentence where something is out of the ordinary, else empty.
        queue: ``None`` while it is not known.
        certificates: When those in use expire, by name.
        failed_tasks: Background tasks that the server gave up, by type.
        metrics_source: As in ``stalwart_exporter_metrics_source``; empty if none feeds.
        clock_skew_seconds: The server's clock minus ours; ``None`` if not known.
        log_problem: What keeps the log from being read in full, for people; empty if nothing does.
        recent: ``None`` if nothing is remembered.
    """

    name: str
    url: str
    generation: str
    edition: str
    version: str
    up: bool | None
    refused: bool = False
    note: str = ""
    capabilities: Sequence[CapabilityRow] = ()
    collectors: Sequence[CollectorStatus] = ()
    streams: Sequence[StreamStatus] = ()
    queue: QueueFacts | None = None
    certificates: Mapping[str, datetime] = field(default_factory=dict)
    failed_tasks: Mapping[str, int] = field(default_factory=dict)
    metrics_source: str = ""
    clock_skew_seconds: float | None = None
    log_problem: str = ""
    recent: Recent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStatus:
    """The history file; *error* is empty while *ok*."""

    path: str
    size_bytes: int
    ok: bool
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A further page; only a path relative to this page, ``http`` and ``https`` become links."""

    text: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPage:
    """
    Everything that the status page shows.

    Attributes:
        version: The exporter's.
        started_at: Aware, in UTC.
        store: ``None`` if there is no history file.
        limits: What the verdict compares with; the shipped thresholds if ``None``.
    """

    version: str
    started_at: datetime
    servers: Sequence[ServerStatus]
    store: StoreStatus | None
    links: Sequence[Link] = ()
    limits: Thresholds | None = None
