"""Reloads the configuration, as a whole or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NoReturn, Protocol

import structlog

from exporter.app.logging import set_up_logging
from exporter.app.servers.fleet import Changes, Fleet
from exporter.clock import Clock
from exporter.errors import ExporterError, SettingsError
from exporter.ingest.loops.guard import catching_bugs
from exporter.ingest.loops.retention import Retention
from exporter.ingest.loops.trail_retention import TrailRetention
from exporter.settings import Settings, WebhooksSettings, WebSettings

log = structlog.get_logger("exporter.app")

WEB = tuple(WebSettings.model_fields)
WEBHOOKS = tuple(WebhooksSettings.model_fields)

LoadSettings = Callable[[], Settings]


class Reloadable(Protocol):
    """
    A part with files of its own to reload.

    Attributes:
        is_current: Whether the latest content of the files is in effect.
    """

    @property
    def is_current(self) -> bool: ...

    async def reload(self) -> None:
        """Apply the files; if they are unusable, raise `SettingsError` and change nothing."""


class Reloader:
    """
    Applies a changed configuration to *fleet* and *retention*; *settings* are in effect until then.

    *load* blocks on the disk and raises `SettingsError`.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        load: LoadSettings,
        fleet: Fleet,
        retention: Retention,
        trail_retention: TrailRetention,
        changed: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._load = load
        self._fleet = fleet
        self._retention = retention
        self._trail_retention = trail_retention
        self._changed = changed
        self._clock = clock
        self._also: list[Reloadable] = []
        self._loaded_at = clock.now()
        self._successful = True

    def include(self, part: Reloadable) -> None:
        """Reload *part* as well; if it raises `SettingsError`, nothing is applied."""
        self._also.append(part)

    def state(self) -> tuple[bool, datetime]:
        """Return whether the last reload succeeded, and when the configuration in effect was loaded."""
        return self._successful and all(part.is_current for part in self._also), self._loaded_at

    async def reload(self, *, retries: bool = True) -> None:
        """
        Load and apply the configuration; servers with unchanged settings are not interrupted.

        With *retries*, credentials that a server has refused are sent once more. Raises an `ExporterError` if the
        configuration is unusable or the history cannot be read; nothing is changed then.
        """
        async with self._fleet.changing:
            try:
                await catching_bugs(self._apply(retries=retries), server="", task="reload")
            except ExporterError:
                self._successful = False
                raise
            finally:
                self._changed()

    async def run(self, requested: asyncio.Event) -> NoReturn:
        """Reload each time *requested* is set, as by SIGHUP, until cancelled; failures are logged."""
        while True:
            await requested.wait()
            requested.clear()
            await self._try_reload(retries=True)

    async def follow_files(self) -> None:
        """
        Reload since files of servers have changed; failures are logged.

        A program may change files often, and nobody has asked to send refused credentials again: each time would count
        towards a ban.
        """
        await self._try_reload(retries=False)

    async def _try_reload(self, *, retries: bool) -> None:
        try:
            await self.reload(retries=retries)
        except SettingsError as error:
            log.error("exporter.reload_failed", problems=list(error.problems))
        except ExporterError as error:
            log.error("exporter.reload_failed", error=str(error))

    async def _apply(self, *, retries: bool) -> None:
        new = await asyncio.to_thread(self._load)
        self._refuse_fixed_changes(new)
        changes = await self._fleet.prepare(new.servers, new.trail)
        await self._reload_others(changes)
        await self._fleet.swap(changes)
        if retries:
            await self._fleet.retry(changes.kept)
        if new.log != self._settings.log:
            set_up_logging(level=new.log.level, style=new.log.format)
        self._retention.keep = timedelta(seconds=new.store.retention)
        self._trail_retention.keep_seconds = new.trail.keep
        self._trail_retention.max_bytes = new.trail.max_size
        self._settings = new
        self._successful, self._loaded_at = True, self._clock.now()
        log.info("exporter.reloaded", servers=len(new.servers))

    async def _reload_others(self, changes: Changes) -> None:
        try:
            for part in self._also:
                await part.reload()
        except BaseException:
            await changes.aclose()
            raise

    def _refuse_fixed_changes(self, new: Settings) -> None:
        before = self._settings
        fixed = [
            f"{path}: takes effect only after a restart"
            for path, old, wanted in (
                *((f"web.{name}", getattr(before.web, name), getattr(new.web, name)) for name in WEB),
                ("store.path", before.store.path, new.store.path),
                *(
                    (f"webhooks.{name}", getattr(before.webhooks, name), getattr(new.webhooks, name))
                    for name in WEBHOOKS
                ),
                ("checks", before.checks, new.checks),
                ("discovery.directory", before.discovery.directory, new.discovery.directory),
            )
            if old != wanted
        ]
        if fixed:
            raise SettingsError(fixed)
