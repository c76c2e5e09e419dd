"""
Opening of a server's live streams, each on its own connection.

Contract: Stalwart v0.10-v0.16, Enterprise. The documentation describes WebSockets, but real servers respond to the
handshake with Server-Sent Events; both carry the same messages. A token is needed only to open a stream.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Literal

import httpx

from exporter.clock import Clock
from exporter.errors import PayloadError, TargetError, TargetRefused, TargetServerError, TargetUnreachable
from exporter.stalwart.http.allowlist import Endpoint
from exporter.stalwart.http.endpoint import target_of
from exporter.stalwart.http.network import NetworkTransport, begin_body
from exporter.stalwart.http.network_errors import NETWORK_ERRORS, translate
from exporter.stalwart.http.observer import RequestObserver
from exporter.stalwart.http.pace import Pace
from exporter.stalwart.http.resolver import Resolver
from exporter.stalwart.http.responses import SMALL_BYTES, AuthenticationRequired, RawResponse, check_response
from exporter.stalwart.http.throttle import Throttle
from exporter.stalwart.streams.sse import MAX_BYTES, SseDecoder
from exporter.stalwart.streams.stream import EventStream
from exporter.stalwart.streams.websocket import OrdinaryAnswer, open_websocket

Mode = Literal["auto", "websocket", "sse"]

EVENT_STREAM = "text/event-stream"
USER_AGENT = "stalwart-exporter"

PIECE_BYTES = 16 * 1024
"""The most bytes per read of a stream."""

PARSED_BYTES = 2048
"""The most bytes parsed without yielding: a thousand of the shortest lines."""

_HEADERS = {
    "Accept": EVENT_STREAM,
    "Accept-Encoding": "identity",
    "Cache-Control": "no-store",
    "User-Agent": USER_AGENT,
}


class SseStream:
    """An open stream of Server-Sent Events; their names are ignored."""

    transport = "sse"

    def __init__(self, response: httpx.Response, label: str, *, most_bytes: int = MAX_BYTES) -> None:
        self._response = response
        self._label = label
        begin_body(response, piece_bytes=PIECE_BYTES)
        self._pieces: AsyncIterator[bytes] = response.aiter_raw()
        self._decoder = SseDecoder(most_bytes=most_bytes)
        self._pace = Pace()

    async def receive(self) -> Sequence[bytes]:
        """Return the messages received; wait for at least one complete message."""
        while True:
            try:
                piece = await anext(self._pieces)
            except StopAsyncIteration:
                raise TargetUnreachable(f"{self._label}: the server ended the stream") from None
            except NETWORK_ERRORS as error:
                # The library's message quotes received data, which may contain anything.
                cause = None if isinstance(error, httpx.ProtocolError) else error
                raise TargetUnreachable(f"{self._label}: the stream was interrupted") from cause
            messages = await self._decode(piece)
            if messages:
                return messages

    async def _decode(self, piece: bytes) -> list[bytes]:
        messages: list[bytes] = []
        for start in range(0, len(piece), PARSED_BYTES):
            part = piece[start : start + PARSED_BYTES]
            messages += [event.data for event in self._decoder.feed(part)]
            await self._pace.step(1 + part.count(b"\n") + part.count(b"\r"))
        return messages

    async def aclose(self) -> None:
        """Close the connection."""
        await self._response.aclose()


class StreamOpener:
    """
    Opens the streams of `Endpoint` with the transport that the server supports.

    With *mode* ``auto`` it requests a WebSocket, as documented. If the server sends an ordinary response instead, it
    requests Server-Sent Events at once, and from then on only these until `forget`. Each request to open a stream waits
    for the server's *throttle*.

    Attributes:
        base_url: The same as in the server's `Transport`.
    """

    def __init__(
        self,
        *,
        base_url: str,
        mode: Mode,
        throttle: Throttle,
        clock: Clock,
        tls: ssl.SSLContext | None = None,
        connect_timeout_seconds: float = 5.0,
        answer_timeout_seconds: float = 10.0,
        most_bytes: int = MAX_BYTES,
        observer: RequestObserver | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._mode = mode
        self._found: Mode | None = None
        self._throttle = throttle
        self._clock = clock
        self._tls = tls if tls is not None else ssl.create_default_context()
        self._connect_timeout_seconds = connect_timeout_seconds
        self._answer_timeout_seconds = answer_timeout_seconds
        self._most_bytes = most_bytes
        self._observer = observer
        self._resolver = resolver or Resolver()
        # Its debug lines contain URLs with tokens.
        logging.getLogger("websockets").setLevel(logging.CRITICAL + 1)
        self._http = httpx.AsyncClient(
            headers=_HEADERS,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(None, connect=connect_timeout_seconds, write=answer_timeout_seconds),
            transport=NetworkTransport(
                self._resolver,
                verify=self._tls,
                limits=httpx.Limits(max_connections=8, max_keepalive_connections=0),
            ),
        )

    async def open(
        self,
        endpoint: Endpoint,
        *,
        token: str,
        params: Mapping[str, str | int] | None = None,
        offers_websocket: bool = True,
    ) -> EventStream:
        """
        Open a stream with a fresh *token*; raises a `TargetError`, whose message never contains the token.

        Without *offers_websocket* (the server documents no WebSocket), ``auto`` requests Server-Sent Events.
        """
        url = self._base_url + target_of(endpoint, {**(params or {}), "token": token}, ())
        mode = self._found or self._mode
        if self._mode == "auto" and not offers_websocket:
            mode = "sse"
        if mode != "sse":
            stream = await self._ask_for_websocket(endpoint, url)
            if not isinstance(stream, OrdinaryAnswer):
                self._found = "websocket"
                return stream
            if self._mode == "websocket":
                raise self._error_of(endpoint, stream, token)
        # If it fails, the server may be a different one by now.
        self._found = None
        found = await self._ask_for_events(endpoint, url, token)
        self._found = "sse"
        return found

    def forget(self) -> None:
        """Determine the transport again at the next `open`, unless the mode forces one."""
        self._found = None

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _ask_for_websocket(self, endpoint: Endpoint, url: str) -> EventStream | OrdinaryAnswer:
        await self._throttle.wait()
        started = self._clock.monotonic()
        status = "unreachable"
        try:
            answer = await open_websocket(
                url,
                label=endpoint.label,
                tls=self._tls,
                connect_timeout_seconds=self._connect_timeout_seconds,
                answer_timeout_seconds=self._answer_timeout_seconds,
                most_bytes=self._most_bytes,
                user_agent=USER_AGENT,
                resolver=self._resolver,
            )
            status = str(answer.status) if isinstance(answer, OrdinaryAnswer) else "101"
        except TargetError as error:
            status = error.reason if error.reason in ("timeout", "tls") else "unreachable"
            raise
        finally:
            self._report(endpoint, status, started)
        return answer

    async def _ask_for_events(self, endpoint: Endpoint, url: str, token: str) -> EventStream:
        await self._throttle.wait()
        started = self._clock.monotonic()
        status = "cut"
        try:
            async with asyncio.timeout(self._connect_timeout_seconds + self._answer_timeout_seconds):
                response = await self._http.send(self._http.build_request("GET", url), stream=True)
            status = str(response.status_code)
        except NETWORK_ERRORS as error:
            seconds = self._clock.monotonic() - started
            trouble = translate(error, endpoint=endpoint.label, answering=False, seconds=seconds)
            status = trouble.status
            raise trouble.error from trouble.cause
        finally:
            self._report(endpoint, status, started)
        if response.status_code == 200 and _is_event_stream(response.headers.get("content-type", "")):
            return SseStream(response, endpoint.label, most_bytes=self._most_bytes)
        raise await self._refusal(endpoint, response, token)

    async def _refusal(self, endpoint: Endpoint, response: httpx.Response, token: str) -> TargetError:
        body = bytearray()
        pace = Pace()
        begin_body(response)
        try:
            async with asyncio.timeout(self._answer_timeout_seconds):
                async for piece in response.aiter_raw():
                    body += piece
                    if len(body) >= SMALL_BYTES:
                        break
                    await pace.step()
        except NETWORK_ERRORS:
            body.clear()  # The status is enough.
        finally:
            await response.aclose()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return self._error_of(endpoint, OrdinaryAnswer(response.status_code, headers, bytes(body)), token)

    def _error_of(self, endpoint: Endpoint, answer: OrdinaryAnswer, token: str) -> TargetError:
        """Return the error for a response that is not the requested stream."""
        label = endpoint.label
        if answer.status == 200 and _is_event_stream(answer.content_type):
            return PayloadError(
                f"{label}: the server offers Server-Sent Events, not WebSocket: set transport to auto or sse"
            )
        raw = RawResponse(
            status=answer.status,
            content_type=answer.content_type,
            retry_after=answer.headers.get("retry-after", ""),
            body=answer.body,
            authenticated=False,
            secrets=(token,),
        )
        try:
            check_response(endpoint, raw)
        except AuthenticationRequired:
            # A token is not one of our credentials: the next may be accepted, and a refusal leads to no ban.
            return TargetServerError(f"{label}: the server rejected the token that it had just issued (HTTP 401)")
        except TargetRefused as error:
            return TargetServerError(str(error))
        except TargetError as error:
            return error
        return PayloadError(f"{label}: a response instead of a stream")

    def _report(self, endpoint: Endpoint, status: str, started: float) -> None:
        if self._observer is not None:
            self._observer.request_finished(
                endpoint=endpoint.label,
                status=status,
                seconds=self._clock.monotonic() - started,
                response_bytes=0,
            )


def _is_event_stream(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == EVENT_STREAM
