"""Reloads the web configuration when its files change."""

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
    Reloads the configuration and its certificates when a file changes, or on request.

    New connections and requests use the new configuration. An unusable configuration leaves the old one in effect and
    is retried every second, since the problem may be in a file that it refers to.

    Attributes:
        ssl_context: The listener's permanent context; ``None`` for plain HTTP.
        problems: Why the latest content of the files is not in effect; empty if it is.
    """

    def __init__(
        self, config: WebConfig, *, guard: Guard, clock: Clock, changed: Callable[[], None] = lambda: None
    ) -> None:
        """*changed* is called whenever `problems` changes without a call of `reload`."""
        self._config = config
        self._guard = guard
        self._clock = clock
        self._changed = changed
        self.problems: Sequence[str] = ()
        self.ssl_context = SwitchableContext(config.ssl_context) if config.ssl_context else None

    async def run(self) -> NoReturn:
        """Check for changes every second until cancelled."""
        while True:
            await self._clock.sleep(CHECK_SECONDS)
            stale = await asyncio.to_thread(self._is_stale)
            if stale or self.problems:
                await self._try_reload()

    async def reload(self) -> None:
        """Reload now; raises `SettingsError` if the configuration is unusable."""
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
        """Reject turning TLS on or off, or authentication off: a file that is being written may look empty."""
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
