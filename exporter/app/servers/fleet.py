"""
The watched servers: built, swapped on a reload or for another history file, supervised, stopped.

Steps that can fail come before any running server is touched: `Fleet.prepare` reads certificates, builds connections
and reads the history. `Fleet.swap` only exchanges servers.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import structlog

from exporter.app.servers.checking import Checking
from exporter.app.servers.connection import ServerConnection, connect
from exporter.app.servers.saved import Saved
from exporter.app.servers.supervise import Supervisor, end_all
from exporter.app.servers.watched import WatchedServer
from exporter.app.servers.webhook import WebhookLimits
from exporter.clock import Clock
from exporter.collectors.exposition import Exposition
from exporter.settings import ServerSettings, TrailSettings
from exporter.state.board import ServerBoard
from exporter.state.costs import ApiCosts
from exporter.store.store import Store
from exporter.web.webhooks import Target

log = structlog.get_logger("exporter.fleet")

CLOSE_SECONDS = 1.0
"""Connections that take longer to close are abandoned; they are no longer needed."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """
    A server that is ready to be watched; none of its tasks is running.

    Attributes:
        costs: Where *connection* counts its requests.
        saved: The server's state in the history; ``None`` if the current runtime of that name hands over its own.
    """

    settings: ServerSettings
    connection: ServerConnection
    costs: ApiCosts
    saved: Saved | None


@dataclass(frozen=True, slots=True)
class Changes:
    """
    The difference between a new list of servers and the watched ones.

    Attributes:
        kept: Names of servers with unchanged settings.
        candidates: New servers, and those with changed settings.
        trail: What is kept of the mail of all servers; if that has changed, so has every server.
    """

    kept: frozenset[str]
    candidates: Sequence[Candidate]
    trail: TrailSettings

    async def aclose(self) -> None:
        """Close the candidates' connections, if the changes are not applied."""
        await _close_all((candidate.settings.name, candidate.connection) for candidate in self.candidates)


class Fleet:
    """
    The watched servers by name; their tasks run in *group*.

    Attributes:
        changing: Held while the watched servers change, from `prepare` to the end of `swap`.
    """

    def __init__(
        self,
        group: asyncio.TaskGroup,
        store: Store,
        exposition: Exposition,
        *,
        trail: TrailSettings,
        webhooks: WebhookLimits,
        checking: Checking | None = None,
        clock: Clock,
        rng: random.Random,
        reraise_bugs: bool = False,
    ) -> None:
        self.changing = asyncio.Lock()
        self._group = group
        self._store = store
        self._exposition = exposition
        self._trail = trail
        self._webhook_limits = webhooks
        self._checking = checking
        self._clock = clock
        self._rng = rng
        self._reraise_bugs = reraise_bugs
        self._supervisor = Supervisor(clock=clock, rng=rng, reraise_bugs=reraise_bugs)
        self._listeners: list[Callable[[], None]] = []
        self._watched: dict[str, WatchedServer] = {}
        self._tasks: dict[str, Sequence[asyncio.Task[None]]] = {}

    @property
    def servers(self) -> Sequence[WatchedServer]:
        """The watched servers, in the order in which they were started."""
        return list(self._watched.values())

    @property
    def boards(self) -> Sequence[ServerBoard]:
        """The boards of the watched servers."""
        return [watched.board for watched in self._watched.values()]

    def find_webhook(self, path: str) -> Target | None:
        """Return the webhook to which a server posts at *path*; ``None`` if there is none."""
        for watched in self._watched.values():
            if watched.webhook is not None and watched.webhook.path == path:
                return watched.webhook.target
        return None

    def earliest_now(self) -> datetime:
        """Return the earliest time of any server's clock: reports are stamped with their server's time."""
        return min((one.connection.server_clock.now() for one in self.servers), default=self._clock.now())

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call *listener* after every change of a server or of the list of servers; it must return quickly."""
        self._listeners.append(listener)

    async def prepare(self, wanted: Sequence[ServerSettings], trail: TrailSettings | None = None) -> Changes:
        """
        Build what is needed to watch *wanted* beyond the watched servers, and start nothing.

        *trail* is `None` if it has not changed. Raises `SettingsError` for an unusable certificate or key, and
        `StoreError` if the history cannot be read; nothing is changed then.
        """
        trail = trail or self._trail
        same = {name for name, watched in self._watched.items() if watched.settings in wanted and trail == self._trail}
        kept = frozenset(s.name for s in wanted if s.name in same)
        async with AsyncExitStack() as opened:
            candidates = []
            for settings in wanted:
                if settings.name not in kept:
                    costs, before = ApiCosts(), self._watched.get(settings.name)
                    server_clock = None if before is None else before.connection.server_clock
                    connection = connect(settings, observer=costs, clock=self._clock, server_clock=server_clock)
                    opened.push_async_callback(connection.aclose)
                    saved = None if before is not None else await self._load(connection, settings.name, self._store)
                    candidates.append(Candidate(settings, connection, costs, saved))
            opened.pop_all()
        return Changes(kept, candidates, trail)

    async def swap(self, changes: Changes) -> None:
        """
        Stop the servers that are in neither part of *changes*, and start its candidates.

        If cancelled, no candidate is watched, and `stop` ends the servers that are still running.
        """
        leaving = [watched for name, watched in self._watched.items() if name not in changes.kept]
        try:
            await self._end(leaving)
            handed_over = {watched.settings.name: watched.hand_over() for watched in leaving}
            await _close_all((watched.settings.name, watched.connection) for watched in leaving)
        except BaseException:
            await changes.aclose()
            raise
        self._trail = changes.trail
        for candidate in changes.candidates:
            saved = candidate.saved or handed_over[candidate.settings.name]
            self._begin(self._assemble(candidate.settings, candidate.connection, candidate.costs, saved, self._store))

    async def retry(self, names: Iterable[str]) -> None:
        """Try the servers of these *names* again, even after refused credentials."""
        for name in names:
            await self._watched[name].retry()

    async def adopt(self, store: Store) -> None:
        """
        Restart watching from what *store* holds of each server, over the existing connections.

        Raises `StoreError` if *store* cannot be read; everything continues as before then.
        """
        async with self.changing:
            saved = {name: await self._load(watched.connection, name, store) for name, watched in self._watched.items()}
            before = list(self._watched.values())
            await self._end(before)
            self._store = store
            for watched in before:
                name = watched.settings.name
                self._begin(
                    self._assemble(watched.settings, watched.connection, watched.board.costs, saved[name], store)
                )

    async def stop(self) -> None:
        """Stop watching, and save everything that was counted, as far as the file can be written."""
        leaving = list(self._watched.values())
        await self._end(leaving)
        await _close_all((watched.settings.name, watched.connection) for watched in leaving)

    async def _load(self, connection: ServerConnection, name: str, store: Store) -> Saved:
        return await Saved.load(name, store, clock=connection.server_clock)

    def _assemble(
        self, settings: ServerSettings, connection: ServerConnection, costs: ApiCosts, saved: Saved, store: Store
    ) -> WatchedServer:
        return WatchedServer.assemble(
            settings,
            connection,
            costs,
            saved,
            store,
            trail=self._trail,
            webhooks=self._webhook_limits,
            checking=self._checking,
            clock=self._clock,
            rng=self._rng,
            reraise_bugs=self._reraise_bugs,
        )

    def _begin(self, watched: WatchedServer) -> None:
        name = watched.settings.name
        watched.board.subscribe(self._changed)
        for source in watched.sources:
            self._exposition.add(source, server=name)
        self._watched[name] = watched
        self._tasks[name] = [
            self._group.create_task(
                self._supervisor.keep_running(
                    run, server=name, task=task, ended=partial(watched.board.count_crash, task)
                ),
                name=f"{name}-{task}-supervisor",
            )
            for task, run in watched.runs()
        ]
        self._changed()

    def _changed(self) -> None:
        for listener in self._listeners:
            listener()

    async def _end(self, leaving: Sequence[WatchedServer]) -> None:
        """
        Stop all tasks of *leaving* concurrently, and save their ledgers.

        If cancelled, they stay in the fleet for `stop` to end.
        """
        await end_all(task for watched in leaving for task in self._tasks[watched.settings.name])
        await _all_of(((watched.settings.name, watched.settle()) for watched in leaving), "ledger.settle_failed")
        for watched in leaving:
            name = watched.settings.name
            del self._watched[name], self._tasks[name]
            self._exposition.remove(name)
        self._changed()


async def _close_all(connections: Iterable[tuple[str, ServerConnection]]) -> None:
    closing = ((server, asyncio.wait_for(one.aclose(), CLOSE_SECONDS)) for server, one in connections)
    await _all_of(closing, "connection.close_failed")


async def _all_of(steps: Iterable[tuple[str, Coroutine[Any, Any, None]]], failed: str) -> None:
    """Run all *steps*, each with its server's name, to their end; log an exception as the event *failed*."""
    begun = list(steps)
    outcomes = await asyncio.gather(*(step for _, step in begun), return_exceptions=True)
    for (server, _), outcome in zip(begun, outcomes, strict=True):
        if isinstance(outcome, Exception):
            log.error(failed, server=server, exc_info=outcome)
