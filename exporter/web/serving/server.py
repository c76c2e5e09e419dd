"""The HTTP server: uvicorn's protocol and parser in an existing event loop."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Sequence
from email.utils import format_datetime
from functools import partial

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.server import ServerState

from exporter.clock import Clock
from exporter.web.serving.listener import bind_all
from exporter.web.serving.protocol import TAKEN, BoundedProtocol, HttpLimits
from exporter.web.serving.slots import Seat, Slots

log = structlog.get_logger("exporter.web")

GRACE_SECONDS = 1.0
ABORT_SECONDS = 0.5
ACCEPT_RETRY_SECONDS = 0.05

_OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_CONNECTION = "connection"


class WebServer:
    """
    Serves one ASGI application, without changing signal handlers or log handlers.

    Connections are accepted here instead of by an `asyncio.Server`: their limit includes unfinished TLS handshakes, the
    one that was idle longest can make room for a new one, and every connection is closed when `stop` returns.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        listen: Sequence[tuple[str, int]] = (),
        passed: Sequence[socket.socket] = (),
        clock: Clock,
        ssl_context: ssl.SSLContext | None = None,
        limits: HttpLimits | None = None,
    ) -> None:
        """Listen on the hosts and ports of *listen*, and on the sockets that were *passed* to the process."""
        self._listen = listen
        self._passed = passed
        self._clock = clock
        self._ssl_context = ssl_context
        self._limits = limits or HttpLimits()
        self._config = _uvicorn_config(app, self._limits)
        self._state = ServerState()
        self._exhausted = False
        self._stopped = False
        self._slots = Slots(self._limits.connections)
        self._listeners: list[socket.socket] = []
        self._accepting: list[asyncio.Task[None]] = []
        self._connections: dict[asyncio.Task[None], Seat] = {}

    @property
    def port(self) -> int:
        """The first port that is listened on, once started; chosen by the kernel if the configured port is 0."""
        return self.addresses[0][1]

    @property
    def addresses(self) -> Sequence[tuple[str, int]]:
        """The hosts and ports that are listened on, once started."""
        return [listener.getsockname()[:2] for listener in self._listeners]

    async def start(self) -> None:
        """Listen; clients wait until `serve_forever`. Raises `OSError` with a readable message if the port is taken."""
        self._config.load()
        self._listeners = [*self._passed, *await bind_all(self._listen)]

    async def serve_forever(self) -> None:
        """Accept connections until cancelled or stopped; call `stop` in either case."""
        if self._stopped:
            return
        async with asyncio.TaskGroup() as group:
            self._accepting = [group.create_task(self._stamp_dates(), name="web.dates")]
            for listener in self._listeners:
                self._accepting.append(group.create_task(self._accept(listener), name="web.accept"))

    async def stop(self) -> None:
        """Stop listening, give pending responses one second, then close all connections."""
        self._stopped = True
        for task in self._accepting:
            task.cancel()
        if self._accepting:
            await asyncio.wait(self._accepting)
        for listener in self._listeners:
            listener.close()
        for task, seat in self._connections.items():
            if seat.protocol.transport is None:
                task.cancel()
            else:
                seat.protocol.shutdown()
        await self._wait_for_connections(GRACE_SECONDS)
        for task in self._connections:
            task.cancel()
        await self._wait_for_connections(ABORT_SECONDS)
        for request in self._state.tasks:
            request.cancel()
        if self._state.tasks:
            await asyncio.wait(self._state.tasks, timeout=ABORT_SECONDS)

    async def _wait_for_connections(self, timeout_seconds: float) -> None:
        if self._connections:
            await asyncio.wait(self._connections, timeout=timeout_seconds)

    async def _stamp_dates(self) -> None:
        while True:
            date = format_datetime(self._clock.now(), usegmt=True)
            self._state.default_headers = [(b"date", date.encode())]
            await self._clock.sleep(1.0)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, (address, *_) = await loop.sock_accept(listener)
            except OSError as error:
                await self._recover(error)
                continue
            self._close(self._slots.crowded_out(address, now=loop.time()))
            self._admit(connection, address)
            # Accept one client per loop iteration, so that earlier ones can send their requests during a flood.
            await asyncio.sleep(0)

    async def _recover(self, error: OSError) -> None:
        """Recover from a failed accept: close a connection if that frees what the next one needs."""
        if error.errno in _OUT_OF_RESOURCES:
            self._close(self._slots.least_missed(now=asyncio.get_running_loop().time()))
        if error.errno != errno.ECONNABORTED:
            self._note_exhaustion(error.strerror or str(error))
            await self._clock.sleep(ACCEPT_RETRY_SECONDS)

    def _admit(self, connection: socket.socket, address: str) -> None:
        app_state: dict[str, BoundedProtocol] = {}
        protocol = BoundedProtocol(self._config, self._state, app_state, limits=self._limits)
        app_state[_CONNECTION] = protocol
        task = asyncio.get_running_loop().create_task(self._serve(connection, protocol), name="web.connection")
        seat = Seat(address, protocol, task)
        self._slots.add(seat)
        self._connections[task] = seat
        task.add_done_callback(self._forget)

    def _close(self, seat: Seat | None) -> None:
        """Close a connection at once, to make room."""
        if seat is None:
            return
        self._slots.discard(seat)
        self._note_exhaustion("all connections are in use")
        if seat.protocol.transport is None:
            seat.task.cancel()
        else:
            seat.protocol.abort()

    def _note_exhaustion(self, reason: str) -> None:
        """Log when clients start to displace each other, and again only after half of the slots were free."""
        if not self._exhausted:
            self._exhausted = True
            log.warning("web.connections_exhausted", limit=self._slots.limit, reason=reason)

    async def _serve(self, connection: socket.socket, protocol: BoundedProtocol) -> None:
        """Serve a connection until its end; cancellation closes it at once."""
        loop = asyncio.get_running_loop()
        handshake = self._limits.handshake_seconds if self._ssl_context else None
        try:
            await loop.connect_accepted_socket(
                lambda: protocol, connection, ssl=self._ssl_context, ssl_handshake_timeout=handshake
            )
            await protocol.closed.wait()
        except OSError as error:
            # Port scanners, clients that do not trust our certificate, clients that disconnected.
            log.debug("web.handshake_failed", error=str(error))
        finally:
            protocol.abort()

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._slots.discard(self._connections.pop(task))
        if len(self._connections) * 2 <= self._slots.limit:
            self._exhausted = False
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("web.connection_failed", exc_info=error)


def _noting_status(app: ASGIApp) -> ASGIApp:
    """Return an application that records each response's status on its connection, and can ask whether it arrived."""

    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        connection: BoundedProtocol = scope["state"].pop(_CONNECTION)
        scope.setdefault("extensions", {})[TAKEN] = partial(connection.response_taken, connection.cycle)

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                connection.latest_status = message["status"]
            await send(message)

        await app(scope, receive, noted)

    return noting


def _uvicorn_config(app: ASGIApp, limits: HttpLimits) -> Config:
    return Config(
        _noting_status(app),
        interface="asgi3",
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=limits.keep_alive_seconds,
    )
