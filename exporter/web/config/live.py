"""Keeps the web configuration in force as its files change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import NoReturn

import structlog

from exporter.clock import Clock
from exporter.errors import SettingsError
from exporter.web.config.document import WebConfig, load_web_config
from exporter.web.config.files import stamp_files
from exporter.web.config.tls import SwitchableContext
from exporter.web.guard import Guard

log = structlog.get_logger("exporter.web.config")

CHECK_SECONDS = 1.0


class LiveWebConfig:
    """
    Reads the configuration and its certificates again when one of the files changes, or when told to.

    New connections and new requests see the new one. A configuration that cannot be used leaves the old one in force
    and is tried again every second, since what it lacks may be a file that it names.

    Attributes:
        ssl_context: For the listener, for good; ``None`` for plain HTTP.
        problems: What keeps the files' newest content from being in force; empty if it is.
    """

    def __init__(
        self, config: WebConfig, *, guard: Guard, clock: Clock, changed: Callable[[], None] = lambda: None
    ) -> None:
        """*changed* is called whenever `problems` has changed by itself."""
        self._config = config
        self._guard = guard
        self._clock = clock
        self._changed = changed
        self.problems: Sequence[str] = ()
        self.ssl_context = SwitchableContext(config.ssl_context) if config.ssl_context else None

    async def run(self) -> NoReturn:
        """Looks for changes every second until cancelled."""
        while True:
            await self._clock.sleep(CHECK_SECONDS)
            stale = await asyncio.to_thread(self._is_stale)
            if stale or self.problems:
                await self._try_reload()

    async def reload(self) -> None:
        """Reads everything now; raises `SettingsError` if it cannot be used."""
        try:
            config = await asyncio.to_thread(load_web_config, self._config.path)
            self._refuse_to_open(config)
        except SettingsError as error:
            self.problems = error.problems
            raise
        self.problems = ()
        if self.ssl_context is not None and config.ssl_context is not None:
            self.ssl_context.current = config.ssl_context
        self._guard.use(config)
        self._config = config

    def _refuse_to_open(self, config: WebConfig) -> None:
        """A file that is just being written can look for a moment as if it asked for nothing."""
        if (config.ssl_context is None) != (self.ssl_context is None):
            raise SettingsError([f"{config.path}: TLS can be turned on or off only by a restart"])
        if self._config.users and not config.users:
            raise SettingsError([f"{config.path}: authentication can be turned off only by a restart"])

    def _is_stale(self) -> bool:
        return stamp_files(self._config.stamps) != self._config.stamps

    async def _try_reload(self) -> None:
        known = self.problems
        try:
            await self.reload()
        except SettingsError as error:
            if error.problems != known:
                log.error("web_config.reload_failed", problems=error.problems)
                self._changed()
        else:
            log.info("web_config.reloaded", path=str(self._config.path))
            self._changed()
