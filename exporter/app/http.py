"""The HTTP listener: the pages, behind the web configuration if there is one."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from exporter.app.servers.supervise import LongRun
from exporter.clock import Clock
from exporter.settings import ListenAddress
from exporter.web.serving.protocol import HttpLimits
from exporter.web.serving.server import WebServer
from exporter.web.webhooks import FindTarget, WebhookReceiver

if TYPE_CHECKING:
    from exporter.web.config.live import LiveWebConfig


OWN_DESCRIPTORS = 32
"""File descriptors that clients may not use: history file, log, reloaded certificates, name resolution."""

DESCRIPTORS_OF_SERVER = 4
"""File descriptors per server: one connection for requests, one per live stream, one being opened."""

FEWEST_CONNECTIONS = 8

RECEIVER_CONNECTIONS = 32
"""Connections to the address for webhook posts: each node of a server has one."""


def limits_for(servers: int) -> HttpLimits:
    """Return the limits for clients: fewer connections if the process may open only few files."""
    most = HttpLimits().connections
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed == resource.RLIM_INFINITY:
        return HttpLimits()
    spare = allowed - OWN_DESCRIPTORS - DESCRIPTORS_OF_SERVER * servers
    return HttpLimits(connections=max(FEWEST_CONNECTIONS, min(most, spare)))


@dataclass(frozen=True, slots=True)
class Webhooks:
    """
    Where webhook posts are received.

    Attributes:
        find: Returns the webhook at a path.
        listen: An address of their own; ``None``: that of the pages.
    """

    find: FindTarget
    listen: ListenAddress | None
    max_body_bytes: int

    def limited(self, limits: HttpLimits) -> HttpLimits:
        """Return *limits* that let posts through."""
        return replace(limits, is_upload=lambda path: self.find(path) is not None, upload_bytes=self.max_body_bytes)


class HttpFront:
    """
    The listener and the web configuration in front of the pages.

    Raises `SettingsError` if the web configuration is unusable.
    """

    def __init__(
        self,
        app: ASGIApp,
        listen: Sequence[ListenAddress],
        config_file: Path | None,
        *,
        passed: Sequence[socket.socket] = (),
        servers: int,
        webhooks: Webhooks,
        open_paths: Collection[str] = (),
        tenants: Mapping[str, str] | None = None,
        clock: Clock,
        changed: Callable[[], None],
    ) -> None:
        """
        Sockets that were *passed* to the process are served as well. *open_paths* need no login; *tenants* are logins
        that may see the mail of one domain only. *changed* is called when the web configuration has reloaded itself.
        """
        self._live: LiveWebConfig | None = None
        if config_file is not None:
            # Import lazily: YAML and bcrypt take a megabyte that most installations never need.
            from exporter.web.config.document import load_web_config
            from exporter.web.config.live import LiveWebConfig
            from exporter.web.guard import Guard

            config = load_web_config(config_file)
            guard = Guard(app, config, open_paths=open_paths, tenants=tenants)
            self._live = LiveWebConfig(config, guard=guard, clock=clock, changed=changed)
            app = guard
        context = None if self._live is None else self._live.ssl_context
        limits, own = limits_for(servers), webhooks.listen
        if own is None:
            # In front of the login: the signature of a post is checked instead.
            app, limits = WebhookReceiver(webhooks.find, clock=clock, otherwise=app), webhooks.limited(limits)
        self._server = WebServer(
            app,
            listen=[(address.host, address.port) for address in listen],
            passed=passed,
            clock=clock,
            ssl_context=context,
            limits=limits,
        )
        self._receiver: WebServer | None = None
        if own is not None:
            receiver = WebhookReceiver(webhooks.find, clock=clock)
            small = replace(webhooks.limited(limits), connections=min(limits.connections, RECEIVER_CONNECTIONS))
            self._receiver = WebServer(receiver, listen=[(own.host, own.port)], clock=clock, limits=small)

    @property
    def port(self) -> int:
        """The first port that is listened on, once started."""
        return self._server.port

    @property
    def addresses(self) -> Sequence[tuple[str, int]]:
        """The hosts and ports of the pages, once started."""
        return self._server.addresses

    @property
    def is_current(self) -> bool:
        """Whether the latest content of the web configuration is in effect."""
        return self._live is None or not self._live.problems

    @property
    def webhooks_port(self) -> int | None:
        """The port for webhook posts, once started; ``None`` if it is that of the pages."""
        return None if self._receiver is None else self._receiver.port

    async def start(self) -> None:
        """Listen; raises OSError with a readable message if a port is not available."""
        await self._server.start()
        if self._receiver is not None:
            try:
                await self._receiver.start()
            except OSError:
                await self._server.stop()
                raise

    async def stop(self) -> None:
        """Stop within two seconds."""
        servers = [server for server in (self._server, self._receiver) if server is not None]
        await asyncio.gather(*(server.stop() for server in servers))

    async def reload(self) -> None:
        """Reload the web configuration; raises `SettingsError`."""
        if self._live is not None:
            await self._live.reload()

    def runs(self) -> Mapping[str, LongRun]:
        """Return the tasks that must run while it is serving, by name."""
        runs: dict[str, LongRun] = {"web": self._server.serve_forever}
        if self._receiver is not None:
            runs["webhook-receiver"] = self._receiver.serve_forever
        if self._live is not None:
            runs["web-config"] = self._live.run
        return runs
