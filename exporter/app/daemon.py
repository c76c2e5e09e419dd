"""The daemon: opens the store, watches every server, answers scrapes, and ends within five seconds when told to."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from datetime import datetime, timedelta

import structlog

from exporter.app.expose import Exposer
from exporter.app.history import History
from exporter.app.http import HttpFront
from exporter.app.logging import set_up_logging
from exporter.app.own_registry import OwnRegistry
from exporter.app.status import Status
from exporter.app.watched import WatchedServer
from exporter.clock import Clock, SystemClock
from exporter.collectors.exposition import Exposition
from exporter.collectors.health import ExporterSource
from exporter.errors import ExporterError, SettingsError, StoreError
from exporter.ingest.retention import Retention
from exporter.settings import ServerSettings, Settings, WebSettings
from exporter.state.board import ServerBoard
from exporter.store.store import Store
from exporter.web.app import create_app
from exporter.web.verdict.thresholds import load_thresholds, shipped

log = structlog.get_logger("exporter.app")

WEB = tuple(WebSettings.model_fields)

LoadSettings = Callable[[], Settings]


class Daemon:
    """
    One run of the exporter.

    Attributes:
        port: Where it listens; known once `run` has called *on_ready*.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        load: LoadSettings,
        on_ready: Callable[[Daemon], None] | None = None,
        clock: Clock | None = None,
        reraise_bugs: bool = False,
    ) -> None:
        self.port = 0
        self._settings = settings
        self._load = load
        self._on_ready = on_ready
        self._clock = clock or SystemClock()
        self._rng = random.Random()  # noqa: S311 - jitter, not a secret
        self._reraise_bugs = reraise_bugs
        self._watched: dict[str, WatchedServer] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stop = asyncio.Event()
        self._reload_lock = asyncio.Lock()
        self._loaded_at = self._clock.now()
        self._reload_ok = True
        self._exposition = Exposition(extra=OwnRegistry().families, monotonic=self._clock.monotonic)
        self._exposer = Exposer(self._exposition, self._boards, self._clock)
        self._history: History | None = None
        self._front: HttpFront | None = None
        self._retention: Retention | None = None
        self._status: Status | None = None

    def stop(self) -> None:
        """Ends `run`."""
        self._stop.set()

    async def run(self) -> None:
        """
        Runs until `stop` or SIGTERM.

        Raises `StoreError` if the history file cannot be used, and OSError if the port cannot be had.
        """
        async with AsyncExitStack() as stack:
            store = await Store.open(self._settings.store.path, now=self._clock.now())
            history = self._history = History(
                store, adopt=self._watch_anew, changed=self._exposer.changed, clock=self._clock, rng=self._rng
            )
            stack.push_async_callback(history.aclose)
            front = self._front = self._http(store)
            await front.start()
            stack.push_async_callback(front.stop)
            self.port = front.port
            self._exposition.add(ExporterSource(store.stats, self._reload_state), server=None)
            for settings in self._settings.servers:
                await self._watch(settings)
            stack.push_async_callback(self._unwatch_all)
            self._handle_signals(stack)
            retention = self._retention = Retention(
                store,
                keep_seconds=self._settings.store.retention,
                clock=self._clock,
                reraise_bugs=self._reraise_bugs,
            )
            background = [
                asyncio.create_task(self._exposer.run(), name="exposer"),
                asyncio.create_task(retention.run(), name="retention"),
                asyncio.create_task(history.keep(), name="history"),
                asyncio.create_task(history.measure(), name="store-stats"),
                *(asyncio.create_task(run, name=name) for name, run in front.runs().items()),
                *self._observing(),
            ]
            stack.push_async_callback(_cancel, background)
            log.info(
                "exporter.started", host=self._settings.web.listen.host, port=self.port, servers=len(self._watched)
            )
            if self._on_ready is not None:
                self._on_ready(self)
            await self._until_stopped(background)
        log.info("exporter.stopped")

    def _observing(self) -> Iterable[asyncio.Task[None]]:
        if self._status is not None and self._settings.web.status_page:
            yield asyncio.create_task(self._status.run(), name="status")

    async def _until_stopped(self, background: list[asyncio.Task[None]]) -> None:
        stopped = asyncio.create_task(self._stop.wait(), name="stop")
        done, _ = await asyncio.wait([stopped, *background], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        for task in done - {stopped}:
            task.result()

    def _http(self, store: Store) -> HttpFront:
        web = self._settings.web
        limits = load_thresholds(web.thresholds_file) if web.thresholds_file else shipped()
        status = self._status = Status(self._pages, store.stats, store.path, self._clock, limits=limits)
        app = create_app(
            metrics=self._exposition,
            health=status,
            status=status if web.status_page else None,
            reloader=self if web.enable_reload else None,
            clock=self._clock,
        )
        return HttpFront(
            app,
            web.listen,
            web.config_file,
            servers=len(self._settings.servers),
            clock=self._clock,
            changed=self._exposer.changed,
        )

    def _pages(self) -> Iterable[tuple[ServerBoard, str]]:
        return [(watched.board, watched.settings.url) for watched in self._watched.values()]

    def _boards(self) -> Iterable[ServerBoard]:
        return [watched.board for watched in self._watched.values()]

    def _reload_state(self) -> tuple[bool, datetime]:
        web_is_current = self._front is None or self._front.is_current
        return self._reload_ok and web_is_current, self._loaded_at

    async def _watch(self, settings: ServerSettings) -> None:
        if self._history is None:
            raise StoreError("the store is not open")
        self._begin(await self._build(settings, self._history.store))

    async def _build(self, settings: ServerSettings, store: Store) -> WatchedServer:
        return await WatchedServer.build(
            settings, store, clock=self._clock, rng=self._rng, reraise_bugs=self._reraise_bugs
        )

    def _begin(self, watched: WatchedServer) -> None:
        name = watched.settings.name
        watched.board.subscribe(self._exposer.changed)
        for source in watched.sources:
            self._exposition.add(source, server=name)
        self._watched[name] = watched
        task = asyncio.create_task(watched.run(), name=f"server-{name}")
        if self._reraise_bugs:
            task.add_done_callback(self._bug_ends_all)
        self._tasks[name] = task
        self._exposer.changed()

    async def _watch_anew(self, store: Store) -> None:
        """
        Watches every server as after a start, with what *store* knows of it.

        Raises `StoreError` and goes on as before if *store* cannot be read.
        """
        async with self._reload_lock:
            built: list[WatchedServer] = []
            try:
                for watched in self._watched.values():
                    built.append(await self._build(watched.settings, store))
            except StoreError:
                for watched in built:
                    await watched.aclose()
                raise
            await self._unwatch_all()
            for watched in built:
                self._begin(watched)
            if self._retention is not None:
                self._retention.store = store

    def _bug_ends_all(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self.stop()

    async def _unwatch(self, name: str) -> None:
        await _cancel([self._tasks.pop(name)])
        await self._watched.pop(name).aclose()
        self._exposition.remove(name)
        self._exposer.changed()

    async def _unwatch_all(self) -> None:
        for name in list(self._watched):
            await self._unwatch(name)

    async def reload(self) -> None:
        """
        Applies the configuration anew; servers whose settings are the same go on undisturbed.

        Raises `SettingsError` and leaves everything as it was if the new one cannot be used.
        """
        async with self._reload_lock:
            try:
                new = await asyncio.to_thread(self._load)
                self._refuse_fixed_changes(new)
                if self._front is not None:
                    await self._front.reload()
            except SettingsError:
                self._reload_ok = False
                self._exposer.changed()
                raise
            await self._apply(new)

    async def _apply(self, new: Settings) -> None:
        wanted = {settings.name: settings for settings in new.servers}
        for name, watched in list(self._watched.items()):
            if wanted.get(name) != watched.settings:
                await self._unwatch(name)
        for name, settings in wanted.items():
            if name in self._watched:
                await self._watched[name].retry()
            else:
                await self._watch(settings)
        if new.log != self._settings.log:
            set_up_logging(level=new.log.level, style=new.log.format)
        if self._retention is not None:
            self._retention.keep = timedelta(seconds=new.store.retention)
        self._settings = new
        self._reload_ok, self._loaded_at = True, self._clock.now()
        self._exposer.changed()
        log.info("exporter.reloaded", servers=len(wanted))

    def _refuse_fixed_changes(self, new: Settings) -> None:
        before = self._settings
        fixed = [
            f"{path}: takes effect at the next start only"
            for path, old, wanted in (
                *((f"web.{name}", getattr(before.web, name), getattr(new.web, name)) for name in WEB),
                ("store.path", before.store.path, new.store.path),
            )
            if old != wanted
        ]
        if fixed:
            raise SettingsError(fixed)

    def _handle_signals(self, stack: AsyncExitStack) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
            stack.callback(loop.remove_signal_handler, number)
        reloads: set[asyncio.Task[None]] = set()

        def hang_up() -> None:
            task = asyncio.ensure_future(self._reload_on_signal())
            reloads.add(task)
            task.add_done_callback(reloads.discard)

        loop.add_signal_handler(signal.SIGHUP, hang_up)
        stack.callback(loop.remove_signal_handler, signal.SIGHUP)

    async def _reload_on_signal(self) -> None:
        try:
            await self.reload()
        except SettingsError as error:
            log.error("exporter.reload_failed", problems=list(error.problems))
        except ExporterError as error:
            log.error("exporter.reload_failed", error=str(error))


async def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
