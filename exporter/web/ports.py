"""What the web layer needs from the rest of the exporter, and the status page as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from exporter.collectors.exposition import Format as Format


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
        """Raises `SettingsError` if the new configuration cannot be used; the old one then stays in force."""


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
class CapabilityStatus:
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
    """

    name: str
    connected: bool
    transport: str
    last_event_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """
    One watched server.

    Attributes:
        url: Without credentials.
        version: The server's own; empty if unknown.
        up: What ``stalwart_up`` says; ``None`` before the first answer.
        note: One sentence where something is out of the ordinary, else empty.
    """

    name: str
    url: str
    generation: str
    edition: str
    version: str
    up: bool | None
    note: str = ""
    capabilities: Sequence[CapabilityStatus] = ()
    collectors: Sequence[CollectorStatus] = ()
    streams: Sequence[StreamStatus] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStatus:
    """The history file; *error* is empty while *ok*."""

    path: str
    size_bytes: int
    ok: bool
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A further page; only a path, ``http`` and ``https`` become links."""

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
    """

    version: str
    started_at: datetime
    servers: Sequence[ServerStatus]
    store: StoreStatus | None
    links: Sequence[Link] = ()
