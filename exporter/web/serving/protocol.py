"""One HTTP connection: uvicorn's protocol, with time and size limits for everything a client can delay."""

from __future__ import annotations

import asyncio
import fcntl
import struct
import termios
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """
    Limits for clients; with the defaults, an idle connection outlives the usual scrape interval of one minute.

    Attributes:
        connections: Open connections; for a further client, the one that was idle longest is closed.
        request_seconds: From the start of a connection, or a request's first byte, to the request's last byte.
        response_seconds: From writing a response's last byte until the client has taken it.
        head_bytes: Size of request line and headers.
        body_bytes: Size of a request's body, which no page reads.
        is_upload: Whether bodies are received at a path; for these, the next two limits hold instead.
    """

    connections: int = 128
    handshake_seconds: float = 5.0
    request_seconds: float = 5.0
    response_seconds: float = 60.0
    keep_alive_seconds: int = 75
    head_bytes: int = 16_384
    body_bytes: int = 65_536
    is_upload: Callable[[str], bool] = lambda path: False
    upload_bytes: int = 65_536
    upload_seconds: float = 60.0


TAKEN = "exporter.response_taken"
"""The key in a scope's ``extensions`` of `BoundedProtocol.response_taken`."""


ERROR_STATUS = 400


class HeadTooLarge(Exception):
    """Raised in a parser callback, which makes uvicorn respond with 400 and close."""


class BoundedProtocol(HttpToolsProtocol):
    """
    uvicorn's HTTP/1.1 protocol, which alone waits forever for a request, and for a client to take a response.

    Attributes:
        closed: Set when the connection is closed.
        idle_since: Loop time of the end of the latest response, otherwise of the connection's start. Bytes of an
            unfinished
            request do not count.
        latest_status: Status of the latest response; 0 before the first one.
        was_taken: Whether the client had the whole response when the connection was closed.
    """

    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any], *, limits: HttpLimits
    ) -> None:
        super().__init__(config, server_state, app_state)
        self.closed = asyncio.Event()
        self.idle_since = self.loop.time()
        self.latest_status = 0
        self.was_taken = False
        self._limits = limits
        self._request_timer: asyncio.TimerHandle | None = None
        self._response_timer: asyncio.TimerHandle | None = None
        self._in_message = False
        self._message_bytes = 0
        self._allowed_bytes = 0

    @property
    def is_answering(self) -> bool:
        """Whether a request is waiting for its response, not for the client to take an earlier one."""
        if self.cycle is None or self.cycle.response_complete or self.transport is None:
            return False
        return self.transport.get_write_buffer_size() == 0

    @property
    def was_served(self) -> bool:
        """Whether the client has received a successful response completely."""
        return 0 < self.latest_status < ERROR_STATUS and self.transport.get_write_buffer_size() == 0

    @property
    def was_refused(self) -> bool:
        """Whether the latest response was an error."""
        return self.latest_status >= ERROR_STATUS

    def response_taken(self, cycle: RequestResponseCycle) -> bool | None:
        """
        Return whether the client's machine has acknowledged the whole response of *cycle*; ``None`` while that is open.

        It may still get lost behind a proxy, or if the client ends at this moment.
        """
        if cycle.response_complete and self.cycle is not cycle:
            return True  # The client has sent its next request.
        if self.closed.is_set():
            return self.was_taken
        return True if cycle.response_complete and self._is_all_acknowledged() else None

    def _is_all_acknowledged(self) -> bool:
        if self.transport is None or self.transport.get_write_buffer_size() > 0:
            return False
        connection = self.transport.get_extra_info("socket")
        try:
            (waiting,) = struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0" * 4))
        except (OSError, ValueError):
            return False
        return bool(waiting == 0)

    def abort(self) -> None:
        """Close the connection at once, discarding unsent data."""
        if self.transport is not None:
            self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        complete = self.cycle is not None and self.cycle.response_complete
        self.was_taken = complete and exc is None and self._is_all_acknowledged()
        super().connection_lost(exc)
        self._stop_request_timer()
        if self._response_timer is not None:
            self._response_timer.cancel()
        self._unset_keepalive_if_required()
        self.closed.set()

    def data_received(self, data: bytes) -> None:
        self._expect_request()
        super().data_received(data)
        if self._in_message:
            self._message_bytes += len(data)
            if self._message_bytes > self._allowed_bytes and not self.transport.is_closing():
                self.send_400_response("Request too large.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        # The start of a pipelined request may arrive together with the end of the previous one.
        self._expect_request()
        self._in_message = True
        self._message_bytes = 0
        self._allowed_bytes = self._limits.head_bytes

    def on_headers_complete(self) -> None:
        # A head that arrived in one piece has not been counted yet.
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > self._limits.head_bytes:
            raise HeadTooLarge
        if self._limits.is_upload(self.url.partition(b"?")[0].decode("latin-1")):
            self._allowed_bytes += self._limits.upload_bytes
            self._expect_request(self._limits.upload_seconds)
        else:
            self._allowed_bytes += self._limits.body_bytes
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_message = False
        self._stop_request_timer()

    def on_response_complete(self) -> None:
        self.idle_since = self.loop.time()
        super().on_response_complete()
        if self._response_timer is not None:
            self._response_timer.cancel()
        if self.closed.is_set():
            return
        self._response_timer = self.loop.call_later(self._limits.response_seconds, self._abort_if_unsent)

    def timeout_keep_alive_handler(self) -> None:
        self._abort_if_unsent()
        super().timeout_keep_alive_handler()

    def _expect_request(self, longer_seconds: float = 0.0) -> None:
        """Limit the time for a request, if it is not limited already; always from now on if it may take *longer*."""
        if longer_seconds:
            self._stop_request_timer()
        if self._request_timer is None:
            self._request_timer = self.loop.call_later(longer_seconds or self._limits.request_seconds, self.abort)

    def _stop_request_timer(self) -> None:
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None

    def _abort_if_unsent(self) -> None:
        # A normal close would wait for the client to take the rest, which may never happen.
        if self.transport.get_write_buffer_size() > 0:
            self.transport.abort()
