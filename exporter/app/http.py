"""The HTTP listener: the pages, behind the web configuration if there is one."""

from __future__ import annotations

import resource
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from exporter.app.servers.supervise import LongRun
from exporter.clock import Clock
from exporter.settings import ListenAddress
from exporter.web.protocol import HttpLimits
from exporter.web.server import WebServer

if TYPE_CHECKING:
    from exporter.web.config.live import LiveWebConfig


OWN_DESCRIPTORS = 32
"""File descriptors that clients may not use: history file, log, reloaded certificates, name resolution."""

DESCRIPTORS_OF_SERVER = 4
"""File descriptors per server: one connection for requests, one per live stream, one being opened."""

FEWEST_CONNECTIONS = 8


def limits_for(servers: int) -> HttpLimits:
    """Return the limits for clients: fewer connections if the process may open only few files."""
    most = HttpLimits().connections
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed == resource.RLIM_INFINITY:
        return HttpLimits()
    spare = allowed - OWN_DESCRIPTORS - DESCRIPTORS_OF_SERVER * servers
    return HttpLimits(connections=max(FEWEST_CONNECTIONS, min(most, spare)))


class HttpFront:
    """
    The listener and the web configuration in front of the pages.

    Raises `SettingsError` if the web configuration is unusable.
    """

    def __init__(
        self,
        app: ASGIApp,
        listen: ListenAddress,
        config_file: Path | None,
        *,
        servers: int,
        clock: Clock,
        changed: Callable[[], None],
    ) -> None:
        """*changed* is called when the web configuration has reloaded itself."""
        self._live: LiveWebConfig | None = None
        if config_file is not None:
            # Import lazily: YAML and bcrypt take a megabyte that most installations never need.
            from exporter.web.config.document import load_web_config
            from exporter.web.config.live import LiveWebConfig
            from exporter.web.guard import Guard

            config = load_web_config(config_file)
            guard = Guard(app, config)
            self._live = LiveWebConfig(config, guard=guard, clock=clock, changed=changed)
            app = guard
        context = None if self._live is None else self._live.ssl_context
        self._server = WebServer(
            app,
            host=listen.host,
            port=listen.port,
            clock=clock,
            ssl_context=context,
            limits=limits_for(servers),
        )

    @property
    def port(self) -> int:
        """The port that is listened on, once started."""
        return self._server.port

    @property
    def is_current(self) -> bool:
        """Whether the latest content of the web configuration is in effect."""
        return self._live is None or not self._live.problems

    async def start(self) -> None:
        """Listen; raises OSError with a readable message if the port is not available."""
        await self._server.start()

    async def stop(self) -> None:
        """Stop within two seconds."""
        await self._server.stop()

    async def reload(self) -> None:
        """Reload the web configuration; raises `SettingsError`."""
        if self._live is not None:
            await self._live.reload()

    def runs(self) -> Mapping[str, LongRun]:
        """Return the tasks that must run while it is serving, by name."""
        runs: dict[str, LongRun] = {"web": self._server.serve_forever}
        if self._live is not None:
            runs["web-config"] = self._live.run
        return runs
