"""A TCP listener that serves HTTP/1.1 to an ASGI application, and can be closed and reopened."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from typing import Any, Protocol

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from exporter.simulator.world.telemetry.events import Span

KEEP_ALIVE_SECONDS = 75

_SILENT = logging.getLogger(f"{__name__}.uvicorn")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False


class ConnectionHooks(Protocol):
    """Callbacks for connections."""

    def opened(self, ip: str, port: int, local_port: int) -> Span | None:
        """Handle a new connection; None drops it without a byte."""

    def closed(self, span: Span, seconds: float) -> None:
        """Handle the end of an accepted connection."""


class _Connection(HttpToolsProtocol):
    """
    One client; the scope's `state` passes it to the application.

    Attributes:
        reader: Receives incoming data, once the connection no longer speaks HTTP.
    """

    def __init__(self, config: uvicorn.Config, state: ServerState, hooks: ConnectionHooks | None) -> None:
        super().__init__(config, state, {})
        self.logger = _SILENT
        self.access_log = False
        self._hooks = hooks
        self._span: Span | None = None
        self._opened = time.monotonic()
        self.gone = asyncio.Event()
        self.reader: Callable[[bytes], None] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self._hooks is None or self.client is None:
            return
        local_port = self.server[1] if self.server is not None else None
        self._span = self._hooks.opened(self.client[0], self.client[1], local_port or 0)
        if self._span is None:
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.gone.set()
        if self._hooks is not None and self._span is not None:
            self._hooks.closed(self._span, time.monotonic() - self._opened)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self.reader is not None:
            self.reader(data)
        else:
            super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"] = {"transport": self.transport, "span": self._span, "connection": self}


class Listener:
    """
    Listens for one application.

    Attributes:
        port: The port that is listened on; kept when the listener is closed and reopened.
    """

    def __init__(self, app: Any, host: str, port: int, hooks: ConnectionHooks | None = None) -> None:
        self.host = host
        self.port = port
        self._hooks = hooks
        self._config = uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
        self._config.load()
        self._state = ServerState()
        self._server: asyncio.Server | None = None
        self._placeholder: socket.socket | None = None

    @property
    def url(self) -> str:
        """The URL of the listener."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def connections(self) -> int:
        """The number of connected clients."""
        return len(self._state.connections)

    async def open(self) -> None:
        """Start listening; raises OSError if the port is taken."""
        if self._server is not None:
            return
        bound = self._bind()
        try:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(self._connect, sock=bound, backlog=1024)
        except BaseException:
            bound.close()
            raise
        self.port = bound.getsockname()[1]
        self._release()

    def _bind(self) -> socket.socket:
        """Return a socket bound to the port. Without `listen`, it reserves the port and refuses clients."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((self.host, self.port))
        except BaseException:
            bound.close()
            raise
        return bound

    def _release(self) -> None:
        if self._placeholder is not None:
            self._placeholder.close()
            self._placeholder = None

    def _connect(self) -> _Connection:
        return _Connection(self._config, self._state, self._hooks)

    async def close(self, *, keep_port: bool = True) -> None:
        """Stop listening and drop every client; with *keep_port* no other program can take the port."""
        if not keep_port:
            self._release()
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        if keep_port:
            self._placeholder = self._bind()
        connections = self._clients()
        self.drop()
        tasks = list(self._state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
        await asyncio.gather(*(connection.gone.wait() for connection in connections))

    def drop(self, ip: str | None = None) -> None:
        """Drop every client, or those of one address; the latter still receive data already written."""
        for connection in self._clients():
            if ip is None:
                connection.transport.abort()
            elif connection.client is not None and connection.client[0] == ip:
                connection.transport.close()

    def _clients(self) -> list[_Connection]:
        return [connection for connection in self._state.connections if isinstance(connection, _Connection)]
