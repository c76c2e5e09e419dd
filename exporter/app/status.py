"""The facts of the pages, taken from the boards, and the recent history that the verdict needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NoReturn

from exporter import __version__
from exporter.app.facts import Watched, server_status
from exporter.clock import Clock
from exporter.state.board import ServerBoard
from exporter.state.tally import TallyBook
from exporter.state.webhooks import INCOMPLETE, REPEATED, STORED
from exporter.store.stats import StoreStats
from exporter.store.steps.steps import STEP_SECONDS
from exporter.web.interfaces import Link, StatusPage, StoreStatus
from exporter.web.verdict.deliveries import DELIVERED_REMOTELY, OUTCOMES
from exporter.web.verdict.events import is_watched
from exporter.web.verdict.history import EVENT, History
from exporter.web.verdict.queue import MESSAGES
from exporter.web.verdict.server import LOG_GAPS, server_conditions
from exporter.web.verdict.thresholds import Thresholds
from exporter.web.verdict.webhooks import REFUSED

OBSERVE_SECONDS = 15.0
"""How often conditions are evaluated, so that the page can show since when they hold."""

LINKS = (
    Link(text="metrics", url="metrics"),
    Link(text="health", url="-/healthy"),
    Link(text="readiness", url="-/ready"),
)


class Status:
    """The facts of the pages, and the readiness of the exporter."""

    def __init__(
        self,
        servers: Callable[[], Iterable[Watched]],
        store: StoreStats,
        store_path: Path,
        clock: Clock,
        *,
        limits: Thresholds,
        step_seconds: int = STEP_SECONDS,
    ) -> None:
        self._servers = servers
        self._store = store
        self._store_path = store_path
        self._clock = clock
        self._limits = limits
        self._step_seconds = step_seconds
        self._started_at = clock.now()
        self._histories: dict[str, tuple[ServerBoard, History]] = {}

    def status(self) -> StatusPage:
        """Return the current content of the page."""
        return StatusPage(
            version=__version__,
            started_at=self._started_at,
            servers=[server_status(watched, self._history(watched.board)) for watched in self._servers()],
            store=StoreStatus(
                path=str(self._store_path),
                size_bytes=self._store.size_bytes,
                ok=self._store.ok,
                error=self._store.error,
            ),
            links=LINKS,
            limits=self._limits,
            step_seconds=self._step_seconds,
        )

    async def run(self) -> NoReturn:
        """Observe until cancelled."""
        while True:
            self.observe()
            await self._clock.sleep(OBSERVE_SECONDS)

    def observe(self) -> None:
        """Take a sample of each server, and record which conditions hold."""
        present = list(self._servers())
        boards = {watched.board for watched in present}
        self._histories = {
            name: (board, history) for name, (board, history) in self._histories.items() if board in boards
        }
        for watched in present:
            history = self._history(watched.board)
            history.record(numbers(watched.board))
            server = server_status(watched, history)
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
        waiting = [watched.board.name for watched in self._servers() if not watched.board.asked]
        return (False, f"not polled yet: {', '.join(waiting)}") if waiting else (True, "ready")


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
