"""The status page's facts, read off the boards."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from exporter import __version__
from exporter.collectors.advice import advice_for
from exporter.model.server import Capability, Generation
from exporter.stalwart.log_problems import LOG_PROBLEM_WORDS
from exporter.state.board import CollectorHealth, ServerBoard
from exporter.store.stats import StoreStats
from exporter.web.ports import (
    CapabilityStatus,
    CollectorState,
    CollectorStatus,
    Link,
    ServerStatus,
    StatusPage,
    StoreStatus,
    StreamStatus,
)

LINKS = (
    Link(text="metrics", url="/metrics"),
    Link(text="health", url="/-/healthy"),
    Link(text="readiness", url="/-/ready"),
)


class Status:
    """What people see at ``/``, and whether there is something to scrape."""

    def __init__(
        self,
        servers: Callable[[], Iterable[tuple[ServerBoard, str]]],
        store: StoreStats,
        store_path: Path,
        started_at: datetime,
    ) -> None:
        self._servers = servers
        self._store = store
        self._store_path = store_path
        self._started_at = started_at

    def status(self) -> StatusPage:
        """The state of affairs now."""
        return StatusPage(
            version=__version__,
            started_at=self._started_at,
            servers=[server_status(board, url) for board, url in self._servers()],
            store=StoreStatus(
                path=str(self._store_path),
                size_bytes=self._store.size_bytes,
                ok=self._store.ok,
                error=self._store.error,
            ),
            links=LINKS,
        )

    def ready(self) -> tuple[bool, str]:
        """Ready once every server has been asked, whatever it answered."""
        waiting = [board.name for board, _ in self._servers() if not board.asked]
        return (False, f"not asked yet: {', '.join(waiting)}") if waiting else (True, "ready")


def server_status(board: ServerBoard, url: str) -> ServerStatus:
    """One server as the page shows it."""
    identity = board.identity
    generation = identity.generation if identity else Generation.UNKNOWN
    return ServerStatus(
        name=board.name,
        url=url,
        generation=identity.generation.value if identity else "",
        edition=identity.edition.value if identity else "",
        version=identity.version if identity else "",
        up=board.up,
        note=board.trouble or (identity.note if identity else ""),
        capabilities=[
            CapabilityStatus(name=c.value, status=s.value, words=_words(board, c) or advice_for(c, s, generation))
            for c, s in sorted(board.capabilities.items())
        ],
        collectors=[collector_status(health) for health in board.collectors.values()],
        streams=[
            StreamStatus(
                name=stream.name,
                connected=stream.connected,
                transport=stream.transport,
                last_event_at=stream.last_event_at,
            )
            for stream in board.streams.values()
        ],
    )


def _words(board: ServerBoard, capability: Capability) -> str:
    """What is wrong with the server's log; empty for other capabilities and where nothing is."""
    problem = board.log_problem if capability is Capability.LOGS else None
    return "" if problem is None else LOG_PROBLEM_WORDS[problem]


def collector_status(health: CollectorHealth) -> CollectorStatus:
    """One collector as the page shows it."""
    if health.off:
        state = CollectorState.OFF
    elif health.success is None:
        state = CollectorState.WAITING
    else:
        state = CollectorState.OK if health.success else CollectorState.FAILING
    return CollectorStatus(
        name=health.name,
        state=state,
        last_success_at=health.last_success_at,
        interval_seconds=health.interval_seconds,
        error=health.off or health.error,
    )
