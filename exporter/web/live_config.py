"""Keeps the web configuration in force as its files change."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NoReturn

import structlog

from exporter.clock import Clock
from exporter.errors import SettingsError
from exporter.web.file_stamps import stamp_files
from exporter.web.guard import Guard
from exporter.web.tls import SwitchableContext
from exporter.web.web_config import WebConfig, load_web_config

log = structlog.get_logger("exporter.web.config")

CHECK_SECONDS = 1.0


class LiveWebConfig:
    """
    Reads the configuration and its certificates again when one of the files changes, or when told to.

    New connections and new requests see the new one. A configuration that cannot be used leaves the old one in force
    and is tried again every second, since what it lacks may be a file that it names.

    Attributes:
        ssl_context: For the listener, for good; ``None`` for plain HTTP.
    """

    def __init__(self, config: WebConfig, *, guard: Guard, clock: Clock) -> None:
        self._config = config
        self._guard = guard
        self._clock = clock
        self._problems: Sequence[str] = ()
        self.ssl_context = SwitchableContext(config.ssl_context) if config.ssl_context else None

    async def run(self) -> NoReturn:
        """Looks for changes every second until cancelled."""
        while True:
            await self._clock.sleep(CHECK_SECONDS)
            stale = await asyncio.to_thread(self._is_stale)
            if stale or self._problems:
                await self._try_reload()

    async def reload(self) -> None:
        """Reads everything now; raises `SettingsError` if it cannot be used."""
        config = await asyncio.to_thread(load_web_config, self._config.path)
        if (config.ssl_context is None) != (self.ssl_context is None):
            raise SettingsError([f"{config.path}: TLS can be turned on or off only by a restart"])
        if self.ssl_context is not None and config.ssl_context is not None:
            self.ssl_context.current = config.ssl_context
        self._guard.use(config)
        self._config = config
        self._problems = ()

    def _is_stale(self) -> bool:
        return stamp_files(self._config.stamps) != self._config.stamps

    async def _try_reload(self) -> None:
        try:
            await self.reload()
        except SettingsError as error:
            if error.problems != self._problems:
                log.error("web_config.reload_failed", problems=error.problems)
            self._problems = error.problems
        else:
            log.info("web_config.reloaded", path=str(self._config.path))
