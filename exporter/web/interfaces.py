"""What the web layer requires from the rest of the exporter, and the facts of the pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from exporter.collectors.exposition import Format as Format
from exporter.web.verdict.thresholds import Thresholds


class MetricsSource(Protocol):
    """The source of the exposition."""

    def exposition(self, fmt: Format, gzip: bool) -> tuple[bytes, str]:
        """Return the body, compressed if *gzip*, and its content type: prepared bytes, since every scrape waits."""


class Health(Protocol):
    """The readiness of the exporter."""

    def ready(self) -> tuple[bool, str]:
        """Return whether every server has been contacted once, and a message of one line."""


class Reloader(Protocol):
    """Reloads the configuration."""

    async def reload(self) -> None:
        """
        Reload.

        Raises `SettingsError` if the new configuration is unusable, and another `ExporterError` if it cannot be applied
        now; the old one then stays in effect.
        """


class StatusSource(Protocol):
    """The source of the pages' facts."""

    def status(self) -> StatusPage:
        """Return the current facts; free of secrets, with texts from untrusted sources unescaped."""


class CollectorState(StrEnum):
    """The state of a collector."""

    OK = "ok"
    FAILING = "failing"
    WAITING = "waiting"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class CapabilityRow:
    """
    One capability of a server.

    Attributes:
        status: As in ``stalwart_exporter_capability``; ``available`` means no problem.
        words: What the status means here and what to do about it, for the operator; may be empty.
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
        error: Message of the last failure; empty unless failing.
        reason: Its kind, as in ``stalwart_exporter_collector_failures_total``; empty unless failing.
    """

    name: str
    state: CollectorState
    last_success_at: datetime | None
    interval_seconds: float
    error: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStatus:
    """
    One live stream of one server.

    Attributes:
        transport: ``websocket``, ``sse``, or empty while unknown.
        last_event_at: Aware, in UTC; ``None`` before the first event.
        off: The capability's status if the server does not offer the stream, otherwise empty.
    """

    name: str
    connected: bool
    transport: str
    last_event_at: datetime | None
    off: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFacts:
    """
    The facts about the outbound queue.

    Attributes:
        running: ``None`` if the server does not report it.
        overdue: Recipients whose next retry is more than five minutes overdue.
        expired: Recipients past their expiry.
        failing: Recipients in temporary or permanent failure.
        held_local: Recipients in local mailboxes that an outbound limit of the server itself holds back.
        deferring: Recipients in temporary failure by destination, largest first; without ``other``.
        rejecting: The same for permanent failure.
        truncated: Whether the queue is larger than what is read of it; every number is then a lower bound.
    """

    running: bool | None
    messages: int
    overdue: int = 0
    expired: int = 0
    failing: int = 0
    held_local: int = 0
    oldest_created_at: datetime | None = None
    deferring: Mapping[str, int] = field(default_factory=dict)
    rejecting: Mapping[str, int] = field(default_factory=dict)
    truncated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookFacts:
    """
    The webhook of a server.

    Attributes:
        last_post_at: Aware, in UTC; ``None`` before the first accepted post.
    """

    last_post_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """
    The messages of a domain that reporters have seen within thirty days.

    Attributes:
        domain: ``other`` stands for all others together.
        aligned: Messages that passed DMARC.
    """

    domain: str
    aligned: int
    failed: int

    @property
    def messages(self) -> int:
        """All messages."""
        return self.aligned + self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRow:
    """
    The requests of one kind that a server has been sent since it is watched.

    Attributes:
        statuses: Their number by HTTP status, or by the name of the failure.
    """

    endpoint: str
    statuses: Mapping[str, int]
    mean_seconds: float
    response_bytes: int

    @property
    def requests(self) -> int:
        """All requests."""
        return sum(self.statuses.values())


class Recent(Protocol):
    """The recent history of one server's numbers and conditions."""

    def names(self) -> Iterable[str]:
        """Return the names of the numbers with samples."""

    def covered_seconds(self, name: str) -> float:
        """Return the age of the oldest sample of *name*."""

    def increase(self, name: str, window_seconds: float) -> float:
        """Return the increase of a counter within the window."""

    def slope(self, name: str, window_seconds: float) -> float | None:
        """Return the slope of a gauge per second; ``None`` if unknown."""

    def held_seconds(self, condition: str) -> float:
        """Return how long *condition* has held without interruption."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """
    One watched server.

    Attributes:
        url: Without credentials.
        version: The server's version; empty if unknown.
        up: The value of ``stalwart_up``; ``None`` before the first response.
        refused: Whether the server is down because it refuses our credentials.
        note: One sentence about anything unusual, otherwise empty.
        queue: ``None`` while unknown.
        certificates: Expiry of the certificates in use, by name.
        failed_tasks: Background tasks that failed permanently, by type.
        unusual_senders: Accounts that exceed what their own past allows, the most of any reason.
        metrics_source: As in ``stalwart_exporter_metrics_source``; empty if there is none.
        clock_skew_seconds: The server's clock minus ours; ``None`` if unknown.
        log_problem: Why the log cannot be read in full, for the operator; empty without a problem.
        webhook: ``None`` if none is configured.
        recent: ``None`` without a history.
        alignment: By domain, the busiest first; empty without reports.
        checks: The results of the checks of its domains, by domain and check.
        requests: What the server is asked, the most frequent first.
        account: The name of the exporter's account as the server reports it, or empty.
        permissions: Those of the exporter's key; ``None`` if the server does not report them.
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
    unusual_senders: int = 0
    metrics_source: str = ""
    clock_skew_seconds: float | None = None
    log_problem: str = ""
    webhook: WebhookFacts | None = None
    recent: Recent | None = None
    alignment: Sequence[Alignment] = ()
    checks: Mapping[tuple[str, str], str] = field(default_factory=dict)
    requests: Sequence[RequestRow] = ()
    account: str = ""
    permissions: Sequence[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStatus:
    """The history file; *error* is empty while *ok*."""

    path: str
    size_bytes: int
    ok: bool
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link to another page; only relative paths, ``http`` and ``https`` URLs are rendered as links."""

    text: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPage:
    """
    The facts of all pages.

    Attributes:
        version: The exporter's version.
        started_at: Aware, in UTC.
        store: ``None`` if there is no history file.
        limits: The thresholds of the verdict; the shipped ones if ``None``.
        step_seconds: The length of the steps in the history behind the pictures.
    """

    version: str
    started_at: datetime
    servers: Sequence[ServerStatus]
    store: StoreStatus | None
    links: Sequence[Link] = ()
    limits: Thresholds | None = None
    step_seconds: int = 300
