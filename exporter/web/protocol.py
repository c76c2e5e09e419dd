"""One HTTP connection: uvicorn's, with an end to everything that a client could drag out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """
    What clients may take; the defaults let an idle connection outlive the usual scrape interval of a minute.

    Attributes:
        connections: Open at once; for a further client the idlest one is closed.
        request_seconds: From a connection's beginning, or a request's first byte, to the request's last byte.
        response_seconds: From the answer's last byte written to its last byte taken.
        head_bytes: Request line and headers.
        body_bytes: A request's body, which no page reads.
    """

    connections: int = 128
    handshake_seconds: float = 5.0
    request_seconds: float = 5.0
    response_seconds: float = 60.0
    keep_alive_seconds: int = 75
    head_bytes: int = 16_384
    body_bytes: int = 65_536


ERROR_STATUS = 400


class HeadTooLarge(Exception):
    """Raised through the parser, which makes uvicorn answer 400 and close."""


class BoundedProtocol(HttpToolsProtocol):
    """
    uvicorn's protocol for HTTP/1.1, which by itself waits for ever for a request, and for its answer to be taken.

    Attributes:
        closed: Set when the connection is gone.
        idle_since: When the client was last of use, by the loop's clock: the end of the latest response, else the
            connection's beginning. Bytes of an unfinished request do not count.
        latest_status: Of the latest response; 0 before the first one.
    """

    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any], *, limits: HttpLimits
    ) -> None:
        super().__init__(config, server_state, app_state)
        self.closed = asyncio.Event()
        self.idle_since = self.loop.time()
        self.latest_status = 0
        self._limits = limits
        self._request_timer: asyncio.TimerHandle | None = None
        self._response_timer: asyncio.TimerHandle | None = None
        self._in_message = False
        self._message_bytes = 0
        self._allowed_bytes = 0

    @property
    def is_answering(self) -> bool:
        """Whether a request waits for its response, and not for the client to take an earlier one."""
        if self.cycle is None or self.cycle.response_complete or self.transport is None:
            return False
        return self.transport.get_write_buffer_size() == 0

    @property
    def was_served(self) -> bool:
        """Whether the client got a successful response and has taken all of it."""
        return 0 < self.latest_status < ERROR_STATUS and self.transport.get_write_buffer_size() == 0

    @property
    def was_refused(self) -> bool:
        """Whether the latest response was an error."""
        return self.latest_status >= ERROR_STATUS

    def abort(self) -> None:
        """Ends the connection at once, whatever is still to be sent."""
        if self.transport is not None:
            self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
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
        # A pipelined request's beginning can come with the end of the one before.
        self._expect_request()
        self._in_message = True
        self._message_bytes = 0
        self._allowed_bytes = self._limits.head_bytes

    def on_headers_complete(self) -> None:
        # What came in one piece was not counted yet.
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > self._limits.head_bytes:
            raise HeadTooLarge
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

    def _expect_request(self) -> None:
        if self._request_timer is None:
            self._request_timer = self.loop.call_later(self._limits.request_seconds, self.abort)

    def _stop_request_timer(self) -> None:
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None

    def _abort_if_unsent(self) -> None:
        # Closing would wait for the client to take the rest, which it need never do.
        if self.transport.get_write_buffer_size() > 0:
            self.transport.abort()
