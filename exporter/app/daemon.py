"""The daemon: starts everything in order, waits for a signal, and stops within five seconds of it."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack

import structlog

from exporter.app.assembly import Assembly, assemble
from exporter.app.history import History
from exporter.app.http import HttpFront
from exporter.app.reload import LoadSettings
from exporter.app.servers.fleet import Fleet
from exporter.app.servers.supervise import Supervisor, end_all
from exporter.app.service.notify import READY, STOPPING, Notifier
from exporter.clock import Clock, SystemClock
from exporter.errors import StoreError
from exporter.settings import ListenAddress, Settings
from exporter.store.patience import Patience
from exporter.store.steps.steps import STEP_SECONDS
from exporter.store.store import Store

log = structlog.get_logger("exporter.app")


SAVE_SECONDS = 2.5
"""Time to save what was counted after the daemon is asked to stop; another process may have locked the file."""


class Daemon:
    """One run of the exporter. *on_ready* is called with the port once it is serving."""

    def __init__(
        self,
        settings: Settings,
        *,
        load: LoadSettings,
        on_ready: Callable[[int], None] | None = None,
        clock: Clock | None = None,
        reraise_bugs: bool = False,
        step_seconds: int = STEP_SECONDS,
    ) -> None:
        """*step_seconds* is the length of the steps of the pages' pictures; only the demo has shorter ones."""
        self._settings = settings
        self._load = load
        self._on_ready = on_ready
        self._clock = clock or SystemClock()
        self._rng = random.Random()  # noqa: S311 - jitter, not a secret
        self._reraise_bugs = reraise_bugs
        self._step_seconds = step_seconds
        self._stop_requested = asyncio.Event()
        self._reload_requested = asyncio.Event()
        self._checking = Patience()
        self._manager = Notifier(os.environ, clock=self._clock)

    def stop(self) -> None:
        """Make `run` end, even while it is checking a large history file."""
        self._stop_requested.set()
        self._checking.end_within(0)

    async def run(self) -> None:
        """
        Run until `stop` or SIGTERM.

        Raises `StoreError` if the history file is unusable, `SettingsError` for unusable certificates, and OSError if
        the port is not available.
        """
        async with AsyncExitStack() as stack:
            self._handle_signals(stack)
            try:
                store = await Store.open(self._settings.store.path, now=self._clock.now(), checking=self._checking)
            except StoreError:
                if not self._stop_requested.is_set():
                    raise
            else:
                history = History(store, clock=self._clock, rng=self._rng)
                stack.push_async_callback(history.aclose)
                await self._serve(history)
        log.info("exporter.stopped")

    async def _serve(self, history: History) -> None:
        """Start all other parts, wait for the request to stop, and stop them in reverse order."""
        settings = self._settings
        async with AsyncExitStack() as stack:
            group = asyncio.TaskGroup()
            parts = self._assemble(history, group)
            await parts.front.start()
            stack.push_async_callback(parts.front.stop)
            changes = await parts.fleet.prepare(settings.servers)
            # Enter the group only now: failures before this are raised as they are, not in an exception group.
            await stack.enter_async_context(group)
            stack.push_async_callback(_stop, parts.fleet, parts.front)
            await parts.fleet.swap(changes)
            stack.push_async_callback(end_all, self._begin(parts, group))
            port = parts.front.port
            listening: dict[str, object] = {"host": parts.front.addresses[0][0], "port": port}
            if len(addresses := parts.front.addresses) > 1:
                listening["addresses"] = [str(ListenAddress(host, port)) for host, port in addresses]
            if parts.front.webhooks_port is not None:
                listening["webhooks_port"] = parts.front.webhooks_port
            log.info("exporter.started", **listening, servers=len(settings.servers))
            self._manager.send(READY)
            if self._on_ready is not None:
                self._on_ready(port)
            await self._stop_requested.wait()
            self._manager.send(STOPPING)
            history.hurry(SAVE_SECONDS)

    def _assemble(self, history: History, group: asyncio.TaskGroup) -> Assembly:
        return assemble(
            self._settings,
            history,
            group,
            load=self._load,
            reload_requested=self._reload_requested,
            clock=self._clock,
            rng=self._rng,
            reraise_bugs=self._reraise_bugs,
            step_seconds=self._step_seconds,
        )

    def _begin(self, parts: Assembly, group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        supervisor = Supervisor(clock=self._clock, rng=self._rng, reraise_bugs=self._reraise_bugs)
        return [
            group.create_task(self._manager.run(), name="watchdog"),
            *(group.create_task(run(), name=name) for name, run in parts.essential.items()),
            *(
                group.create_task(supervisor.keep_running(run, task=name), name=name)
                for name, run in parts.supervised.items()
            ),
        ]

    def _handle_signals(self, stack: AsyncExitStack) -> None:
        """Handle signals until *stack* closes; process 1 of a container does not receive unhandled ones."""
        loop = asyncio.get_running_loop()
        handlers = {signal.SIGTERM: self.stop, signal.SIGINT: self.stop, signal.SIGHUP: self._reload_requested.set}
        for number, handle in handlers.items():
            loop.add_signal_handler(number, handle)
            stack.callback(loop.remove_signal_handler, number)


async def _stop(fleet: Fleet, front: HttpFront) -> None:
    """Stop both concurrently: each may take seconds."""
    for outcome in await asyncio.gather(fleet.stop(), front.stop(), return_exceptions=True):
        if outcome is not None:
            raise outcome
