"""The daemon: starts everything in order, waits for the signal to stop, and ends within five seconds of it."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import AsyncExitStack
from typing import Any

import structlog

from exporter.app.expose import Exposer
from exporter.app.fleet import Fleet
from exporter.app.history import History
from exporter.app.http import HttpFront
from exporter.app.own_registry import OwnRegistry
from exporter.app.reload import LoadSettings, Reloader
from exporter.app.status import Status
from exporter.app.supervise import LongRun, Supervisor
from exporter.clock import Clock, SystemClock
from exporter.collectors.exposition import Exposition
from exporter.collectors.health import ExporterSource
from exporter.errors import StoreError
from exporter.ingest.loops.retention import Retention
from exporter.settings import Settings
from exporter.state.board import ServerBoard
from exporter.store.patience import Patience
from exporter.store.store import Store
from exporter.web.app import create_app
from exporter.web.verdict.thresholds import load_thresholds, shipped

log = structlog.get_logger("exporter.app")


SAVE_SECONDS = 2.5
"""For the history to take what was counted, once the daemon is to stop and the file may be locked by another."""


class Daemon:
    """One run of the exporter. *on_ready* is called with the port once it serves."""

    def __init__(
        self,
        settings: Settings,
        *,
        load: LoadSettings,
        on_ready: Callable[[int], None] | None = None,
        clock: Clock | None = None,
        reraise_bugs: bool = False,
    ) -> None:
        self._settings = settings
        self._load = load
        self._on_ready = on_ready
        self._clock = clock or SystemClock()
        self._rng = random.Random()  # noqa: S311 - jitter, not a secret
        self._reraise_bugs = reraise_bugs
        self._stop = asyncio.Event()
        self._hung_up = asyncio.Event()
        self._checking = Patience()

    def stop(self) -> None:
        """End `run`, also while it checks the history file, which takes long if that is large."""
        self._stop.set()
        self._checking.end_within(0)

    async def run(self) -> None:
        """
        Run until `stop` or SIGTERM.

        Raises `StoreError` if the history file cannot be used, `SettingsError` for certificates that cannot, and
        OSError if the port is not available.
        """
        settings, clock = self._settings, self._clock
        async with AsyncExitStack() as stack:
            self._handle_signals(stack)
            try:
                store = await Store.open(settings.store.path, now=clock.now(), checking=self._checking)
            except StoreError:
                if self._stop.is_set():
                    log.info("exporter.stopped")
                    return
                raise
            stack.push_async_callback(store.aclose)
            group = asyncio.TaskGroup()
            exposition = Exposition(extra=OwnRegistry().families, monotonic=clock.monotonic)
            fleet = Fleet(group, store, exposition, clock=clock, rng=self._rng, reraise_bugs=self._reraise_bugs)
            exposer = Exposer(exposition, lambda: fleet.boards, clock)
            fleet.subscribe(exposer.changed)
            retention = Retention(
                store,
                keep_seconds=settings.store.retention,
                clock=clock,
                now=fleet.earliest_now,
                reraise_bugs=self._reraise_bugs,
            )
            history = History(store, users=(fleet, retention), changed=exposer.changed, clock=clock, rng=self._rng)
            stack.push_async_callback(history.aclose)
            reloader = Reloader(
                settings, load=self._load, fleet=fleet, retention=retention, changed=exposer.changed, clock=clock
            )
            exposition.add(ExporterSource(store.stats, reloader.state), server=None)
            status = self._status(fleet, store)
            front = self._http(exposition, status, reloader, exposer.changed)
            reloader.include(front)
            await front.start()
            stack.push_async_callback(front.stop)
            changes = await fleet.prepare(settings.servers)
            await stack.enter_async_context(group)
            stack.push_async_callback(_at_once, fleet.stop, front.stop)
            await fleet.swap(changes)
            self._handle_reloads(stack, group, reloader)
            background = [
                group.create_task(run, name=name) for name, run in {"exposer": exposer.run(), **front.runs()}.items()
            ]
            kept = {"retention": retention.run, "history": history.keep, "store-stats": history.measure}
            kept |= {"status": status.run} if settings.web.status_page else {}
            background += self._supervised(group, kept)
            stack.push_async_callback(_cancel, background)
            log.info("exporter.started", host=settings.web.listen.host, port=front.port, servers=len(settings.servers))
            if self._on_ready is not None:
                self._on_ready(front.port)
            await self._stop.wait()
            history.hurry(SAVE_SECONDS)
        log.info("exporter.stopped")

    def _supervised(self, group: asyncio.TaskGroup, runs: Mapping[str, LongRun]) -> list[asyncio.Task[None]]:
        supervisor = Supervisor(clock=self._clock, rng=self._rng, reraise_bugs=self._reraise_bugs)
        return [group.create_task(supervisor.keep_running(run, task=name), name=name) for name, run in runs.items()]

    def _status(self, fleet: Fleet, store: Store) -> Status:
        def pages() -> Iterable[tuple[ServerBoard, str]]:
            return [(watched.board, watched.settings.url) for watched in fleet.servers]

        thresholds = self._settings.web.thresholds_file
        limits = load_thresholds(thresholds) if thresholds else shipped()
        return Status(pages, store.stats, store.path, self._clock, limits=limits)

    def _http(
        self, exposition: Exposition, status: Status, reloader: Reloader, changed: Callable[[], None]
    ) -> HttpFront:
        web = self._settings.web
        app = create_app(
            metrics=exposition,
            health=status,
            status=status if web.status_page else None,
            reloader=reloader if web.enable_reload else None,
            clock=self._clock,
        )
        return HttpFront(
            app,
            web.listen,
            web.config_file,
            servers=len(self._settings.servers),
            clock=self._clock,
            changed=changed,
        )

    def _handle_signals(self, stack: AsyncExitStack) -> None:
        """Handle signals until *stack* closes: process 1 of a container does not get those that it does not handle."""
        loop = asyncio.get_running_loop()
        handlers = {signal.SIGTERM: self.stop, signal.SIGINT: self.stop, signal.SIGHUP: self._hung_up.set}
        for number, handle in handlers.items():
            loop.add_signal_handler(number, handle)
            stack.callback(loop.remove_signal_handler, number)

    def _handle_reloads(self, stack: AsyncExitStack, group: asyncio.TaskGroup, reloader: Reloader) -> None:
        """Reload on SIGHUP until *stack* closes, and at once if it came while the daemon started."""
        loop = asyncio.get_running_loop()
        reloads: set[asyncio.Task[None]] = set()

        def hang_up() -> None:
            task = group.create_task(reloader.on_signal(), name="reload")
            reloads.add(task)
            task.add_done_callback(reloads.discard)

        stack.push_async_callback(_cancel, reloads)
        loop.add_signal_handler(signal.SIGHUP, hang_up)
        stack.callback(loop.add_signal_handler, signal.SIGHUP, self._hung_up.set)
        if self._hung_up.is_set():
            hang_up()


async def _at_once(*steps: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async with asyncio.TaskGroup() as group:
        for step in steps:
            group.create_task(step())


async def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    cancelled = list(tasks)
    for task in cancelled:
        task.cancel()
    if cancelled:
        await asyncio.wait(cancelled)
