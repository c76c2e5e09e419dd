"""The facts of the status page, taken from the boards, and the recent history that its verdict needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from exporter import __version__
from exporter.clock import Clock
from exporter.collectors.advice import advice_for, lacking_for
from exporter.collectors.inventory import in_use
from exporter.ingest.loops.subscriber import CAPABILITIES
from exporter.model.inventory import Certificate, TaskState
from exporter.model.live import StreamKind
from exporter.model.queue import LOCAL_QUEUE, OTHER_DOMAIN, QueueSnapshot, RecipientStatus
from exporter.model.server import Capability, CapabilityStatus, Generation
from exporter.stalwart.log_problems import LOG_PROBLEM_WORDS
from exporter.state.board import CollectorHealth, ServerBoard
from exporter.state.streams import StreamHealth
from exporter.state.tally import TallyBook
from exporter.state.webhooks import INCOMPLETE, REPEATED, STORED
from exporter.store.stats import StoreStats
from exporter.web.interfaces import (
    CapabilityRow,
    CollectorState,
    CollectorStatus,
    Link,
    QueueFacts,
    ServerStatus,
    StatusPage,
    StoreStatus,
    StreamStatus,
    WebhookFacts,
)
from exporter.web.verdict.deliveries import DELIVERED_REMOTELY, OUTCOMES
from exporter.web.verdict.events import is_watched
from exporter.web.verdict.history import EVENT, History
from exporter.web.verdict.queue import MESSAGES
from exporter.web.verdict.server import LOG_GAPS, server_conditions
from exporter.web.verdict.thresholds import Thresholds
from exporter.web.verdict.webhooks import REFUSED

OBSERVE_SECONDS = 15.0
"""How often conditions are evaluated, so that the page can show since when they hold."""

MOST = 25
"""How many destinations and certificates of a server are examined."""

LINKS = (
    Link(text="metrics", url="metrics"),
    Link(text="health", url="-/healthy"),
    Link(text="readiness", url="-/ready"),
)


class Status:
    """The content of ``/``, and the readiness of the exporter."""

    def __init__(
        self,
        servers: Callable[[], Iterable[tuple[ServerBoard, str]]],
        store: StoreStats,
        store_path: Path,
        clock: Clock,
        *,
        limits: Thresholds,
    ) -> None:
        self._servers = servers
        self._store = store
        self._store_path = store_path
        self._clock = clock
        self._limits = limits
        self._started_at = clock.now()
        self._histories: dict[str, tuple[ServerBoard, History]] = {}

    def status(self) -> StatusPage:
        """Return the current content of the page."""
        return StatusPage(
            version=__version__,
            started_at=self._started_at,
            servers=[server_status(board, url, self._history(board)) for board, url in self._servers()],
            store=StoreStatus(
                path=str(self._store_path),
                size_bytes=self._store.size_bytes,
                ok=self._store.ok,
                error=self._store.error,
            ),
            links=LINKS,
            limits=self._limits,
        )

    async def run(self) -> NoReturn:
        """Observe until cancelled."""
        while True:
            self.observe()
            await self._clock.sleep(OBSERVE_SECONDS)

    def observe(self) -> None:
        """Take a sample of each server, and record which conditions hold."""
        present = dict(self._servers())
        self._histories = {
            name: (board, history) for name, (board, history) in self._histories.items() if board in present
        }
        for board, url in present.items():
            history = self._history(board)
            history.record(numbers(board))
            server = server_status(board, url, history)
            history.hold(condition.key for condition in server_conditions(server, self._limits, self._clock.now()))

    def _history(self, board: ServerBoard) -> History:
        """Return the history of *board*; a new one if the board has replaced another."""
        known = self._histories.get(board.name)
        if known is not None and known[0] is board:
            return known[1]
        history = History(monotonic=self._clock.monotonic)
        self._histories[board.name] = board, history
        return history

    def ready(self) -> tuple[bool, str]:
        """Return whether every server has been contacted, with any result, and a message."""
        waiting = [board.name for board, _ in self._servers() if not board.asked]
        return (False, f"not polled yet: {', '.join(waiting)}") if waiting else (True, "ready")


def server_status(board: ServerBoard, url: str, history: History | None = None) -> ServerStatus:
    """Return one server as the page shows it."""
    identity = board.identity
    inventory = board.inventory
    return ServerStatus(
        name=board.name,
        url=url,
        generation=identity.generation.value if identity else "",
        edition=identity.edition.value if identity else "",
        version=identity.version if identity else "",
        up=board.up,
        refused=board.refused,
        note=board.trouble or (identity.note if identity else ""),
        capabilities=[
            CapabilityRow(name=c.value, status=s.value, words=_words(board, c) or _advice(board, c, s))
            for c, s in sorted(board.capabilities.items())
        ],
        collectors=[collector_status(health) for health in board.collectors.values()],
        streams=[*(stream_status(stream, board) for stream in board.streams.values()), *webhook_rows(board)],
        queue=queue_facts(board.queue) if board.queue is not None else None,
        certificates=_certificates(inventory.certificates or ()) if inventory is not None else {},
        failed_tasks=_failed(inventory.tasks or {}) if inventory is not None else {},
        unusual_senders=max(board.senders.unusual.values(), default=0) if board.senders is not None else 0,
        metrics_source=board.metrics_source,
        clock_skew_seconds=board.clock_skew_seconds,
        log_problem=LOG_PROBLEM_WORDS[board.log_problem] if board.log_problem is not None else "",
        webhook=WebhookFacts(last_post_at=board.webhook.last_post_at) if board.webhook is not None else None,
        recent=history,
    )


def _certificates(certificates: Iterable[Certificate]) -> Mapping[str, datetime]:
    """Return the expiry of certificates in use; the soonest only."""
    return dict(sorted(in_use(list(certificates)).items(), key=lambda item: item[1])[:MOST])


def _failed(tasks: Mapping[tuple[str, TaskState], int]) -> Mapping[str, int]:
    return {kind: number for (kind, state), number in tasks.items() if state is TaskState.FAILED and number}


def queue_facts(queue: QueueSnapshot) -> QueueFacts:
    """Return the facts about the queue for the verdict."""
    temporary, permanent = RecipientStatus.TEMPORARY_FAILURE, RecipientStatus.PERMANENT_FAILURE
    deferring = {
        domain: number
        for (domain, status), number in queue.domains.items()
        if status is temporary and domain != OTHER_DOMAIN
    }
    return QueueFacts(
        running=queue.running,
        messages=queue.messages,
        overdue=sum(queue.overdue.values()),
        expired=sum(queue.expired.values()),
        failing=sum(n for (_, status), n in queue.recipients.items() if status in (temporary, permanent)),
        held_local=sum(held.recipients for (name, _), held in queue.held.items() if name == LOCAL_QUEUE),
        oldest_created_at=queue.oldest_created_at,
        deferring=dict(sorted(deferring.items(), key=lambda item: (-item[1], item[0]))[:MOST]),
    )


def numbers(board: ServerBoard) -> Mapping[str, float]:
    """Return the numbers of a server that are kept in the history."""
    book = board.tallies
    found: dict[str, float] = dict.fromkeys(OUTCOMES, 0.0)
    for (outcome, *_), number in book.family("deliveries").items():
        found[outcome] = found.get(outcome, 0.0) + number
    found[DELIVERED_REMOTELY] = book.value(("events", ("delivery.delivered",)))
    found |= _events(book)
    found[LOG_GAPS] = board.log_gaps
    if board.webhook is not None:
        posts = board.webhook.posts.items()
        found |= {REFUSED + result: float(n) for result, n in posts if result not in (STORED, REPEATED, INCOMPLETE)}
    if board.queue is not None:
        found[MESSAGES] = board.queue.messages
    return found


def _events(book: TallyBook) -> Mapping[str, float]:
    return {EVENT + event: number for (event,), number in book.family("events").items() if is_watched(event)}


def stream_status(stream: StreamHealth, board: ServerBoard) -> StreamStatus:
    """Return one live stream as the page shows it."""
    offer = board.capabilities.get(CAPABILITIES[StreamKind(stream.name)], CapabilityStatus.AVAILABLE)
    return StreamStatus(
        name=stream.name,
        connected=stream.connected,
        transport=stream.transport,
        last_event_at=stream.last_event_at,
        off="" if offer is CapabilityStatus.AVAILABLE else offer.value,
    )


def webhook_rows(board: ServerBoard) -> Iterator[StreamStatus]:
    """Yield the webhook as a row among the live streams, if there is one."""
    if board.webhook is not None:
        last = board.webhook.last_post_at
        off = "no post yet" if last is None else ""
        yield StreamStatus(name="webhook", connected=last is not None, transport="", last_event_at=last, off=off)


def _advice(board: ServerBoard, capability: Capability, status: CapabilityStatus) -> str:
    identity = board.identity
    generation = identity.generation if identity else Generation.UNKNOWN
    held = identity.permissions if identity else None
    return advice_for(capability, status, generation, lacking=lacking_for(capability, generation, held))


def _words(board: ServerBoard, capability: Capability) -> str:
    """Return what is wrong with the server's log; empty for other capabilities and without a problem."""
    problem = board.log_problem if capability is Capability.LOGS else None
    return "" if problem is None else LOG_PROBLEM_WORDS[problem]


def collector_status(health: CollectorHealth) -> CollectorStatus:
    """Return one collector as the page shows it."""
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
