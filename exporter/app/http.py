"""Where scrapes arrive: the pages, behind the web configuration if there is one."""

from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp

from exporter.clock import Clock
from exporter.settings import ListenAddress
from exporter.web.server import WebServer

if TYPE_CHECKING:
    from exporter.web.live_config import LiveWebConfig


class HttpFront:
    """
    The listener with what stands in front of the pages.

    Raises `SettingsError` if the web configuration cannot be used.
    """

    def __init__(self, app: ASGIApp, listen: ListenAddress, config_file: Path | None, *, clock: Clock) -> None:
        self._live: LiveWebConfig | None = None
        if config_file is not None:
            # YAML and bcrypt take a megabyte that most installations never need.
            from exporter.web.guard import Guard
            from exporter.web.live_config import LiveWebConfig
            from exporter.web.web_config import load_web_config

            config = load_web_config(config_file)
            guard = Guard(app, config)
            self._live = LiveWebConfig(config, guard=guard, clock=clock)
            app = guard
        context = None if self._live is None else self._live.ssl_context
        self._server = WebServer(app, host=listen.host, port=listen.port, clock=clock, ssl_context=context)

    @property
    def port(self) -> int:
        """The port listened on, once started."""
        return self._server.port

    async def start(self) -> None:
        """Listens; raises OSError in words if the port cannot be had."""
        await self._server.start()

    async def stop(self) -> None:
        """Ends within two seconds."""
        await self._server.stop()

    async def reload(self) -> None:
        """Reads the web configuration again; raises `SettingsError`."""
        if self._live is not None:
            await self._live.reload()

    def runs(self) -> dict[str, Coroutine[Any, Any, None]]:
        """What has to run while it serves, by task name."""
        runs: dict[str, Coroutine[Any, Any, None]] = {"web": self._server.serve_forever()}
        if self._live is not None:
            runs["web-config"] = self._live.run()
        return runs
