"""
Connections for httpx, with name lookups off the event loop and bounded reads.

The HTTP library parses everything that one read returned without yielding, so the size of a read is limited here.
"""

from __future__ import annotations

import asyncio
import errno
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

import httpcore
import httpx

from exporter.stalwart.http.resolver import Resolver

HEAD_BYTES = 64 * 1024
"""The size limit of a response head, including preceding 1xx responses."""

HEAD_PIECE_BYTES = 8 * 1024
BODY_PIECE_BYTES = 1024 * 1024
"""The most bytes per read of a body with a known length."""

CHUNKED_PIECE_BYTES = 16 * 1024
"""The same for any other body: a chunk may be as small as one byte, and a trailer may follow."""

STAGGER_SECONDS = 0.25
"""The delay before the next address is tried in parallel (RFC 8305)."""

_NOT_REACHED = {
    *(errno.ECONNREFUSED, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT),
    *(errno.ETIMEDOUT, errno.ENETDOWN, errno.EHOSTDOWN),
}

T = TypeVar("T")


class HeadTooLong(httpcore.RemoteProtocolError):
    """A response head longer than `HEAD_BYTES`."""


class NetworkTransport(httpx.AsyncHTTPTransport):
    """A transport for ``httpx.AsyncClient`` that opens its connections through `Network`."""

    def __init__(self, resolver: Resolver, *, verify: ssl.SSLContext | bool, limits: httpx.Limits) -> None:
        super().__init__(verify=verify, trust_env=False, http2=False, limits=limits)
        # The library has no setting for this.
        self._pool._network_backend = Network(resolver)


class Network(httpcore.AsyncNetworkBackend):
    """The network backend of one server."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """
        Connect to *host*; the lookup and the connection have *timeout* seconds each.

        Raises ``httpcore.ConnectTimeout`` and ``httpcore.ConnectError``.
        """

        async def connect(address: str) -> httpcore.AsyncNetworkStream:
            return await self._sockets.connect_tcp(address, port, timeout, local_address, socket_options)

        try:
            addresses = await self._resolver.addresses(host, timeout_seconds=timeout or 0.0)
        except OSError as error:
            raise httpcore.ConnectError("no address") from error
        try:
            async with asyncio.timeout(timeout):
                return MeteredStream(await first_connected(addresses, connect, _close_stream))
        except TimeoutError as error:
            raise httpcore.ConnectTimeout("no connection") from error

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class MeteredStream(httpcore.AsyncNetworkStream):
    """
    A connection that is read in small pieces until a response head is complete.

    The reader of the head then calls `begin_body`; the next request starts a new head.
    """

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._head_bytes = 0
        self._piece_bytes = HEAD_PIECE_BYTES
        self._in_head = True

    def begin_body(self, piece_bytes: int) -> None:
        """Treat what follows as a body, and read at most *piece_bytes* of it at once."""
        self._in_head, self._piece_bytes = False, piece_bytes

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read a piece; raise `HeadTooLong` if the head exceeds `HEAD_BYTES`."""
        await asyncio.sleep(0)  # Buffered TLS data is returned without yielding.
        piece = await self._stream.read(min(max_bytes, self._piece_bytes), timeout)
        if self._in_head:
            self._head_bytes += len(piece)
            if self._head_bytes > HEAD_BYTES:
                raise HeadTooLong(f"more than {HEAD_BYTES} bytes")
        return piece

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send part of a request."""
        self._in_head, self._head_bytes, self._piece_bytes = True, 0, HEAD_PIECE_BYTES
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        """Start TLS; the certificate is verified against *server_hostname*, not the address."""
        return MeteredStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        try:
            return self._stream.get_extra_info(info)
        except AttributeError:  # uvloop: the server has closed the socket; the next operation reports it.
            return None


def begin_body(response: httpx.Response, *, piece_bytes: int | None = None) -> None:
    """Read the body of *response* in pieces of *piece_bytes*; the default depends on whether it has a length."""
    stream = response.extensions.get("network_stream")
    if isinstance(stream, MeteredStream):
        has_length = "content-length" in response.headers and "transfer-encoding" not in response.headers
        stream.begin_body(piece_bytes or (BODY_PIECE_BYTES if has_length else CHUNKED_PIECE_BYTES))


async def first_connected(
    addresses: Sequence[str], connect: Callable[[str], Awaitable[T]], close: Callable[[T], Awaitable[None]]
) -> T:
    """
    Return the first connection to one of *addresses*, trying them in parallel with a delay of `STAGGER_SECONDS`.

    If every attempt fails, raises the error of the first address that accepted a connection, else of the first address.
    """
    order = _families_in_turn(addresses)
    waiting = list(order)
    running: dict[asyncio.Future[T], str] = {}
    failures: dict[str, BaseException] = {}
    try:
        while waiting or running:
            if waiting:
                address = waiting.pop(0)
                running[asyncio.ensure_future(connect(address))] = address
            pause = STAGGER_SECONDS if waiting else None
            done, _ = await asyncio.wait(running, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
            for attempt in done:
                address = running.pop(attempt)
                error = attempt.exception()
                if error is None:
                    return attempt.result()
                failures[address] = error
        raise min((failures[address] for address in order), key=_was_not_reached)
    finally:
        await _end(running, close)


def _was_not_reached(error: BaseException) -> bool:
    """Whether no connection was accepted; an error after that, such as a bad certificate, is more useful."""
    return isinstance(error, OSError) and not isinstance(error, ssl.SSLError) and error.errno in _NOT_REACHED


async def _end(attempts: Iterable[asyncio.Future[T]], close: Callable[[T], Awaitable[None]]) -> None:
    attempts = list(attempts)
    for attempt in attempts:
        attempt.cancel()
    for result in await asyncio.gather(*attempts, return_exceptions=True):
        if not isinstance(result, BaseException):
            await close(result)


async def _close_stream(stream: httpcore.AsyncNetworkStream) -> None:
    await stream.aclose()


def _families_in_turn(addresses: Sequence[str]) -> list[str]:
    """Return the addresses with both families interleaved, starting with the family that the system prefers."""
    first_is_6 = ":" in addresses[0]
    preferred = [address for address in addresses if (":" in address) is first_is_6]
    other = [address for address in addresses if (":" in address) is not first_is_6]
    longest = max(len(preferred), len(other))
    pairs = ((rows[i] for rows in (preferred, other) if i < len(rows)) for i in range(longest))
    return [address for pair in pairs for address in pair]
