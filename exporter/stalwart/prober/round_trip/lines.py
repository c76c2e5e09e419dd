"""
One connection to a mail listener: lines, bounded in length and number, and TLS before any of them that matters.

Deadlines are the caller's. What a server says is not repeated in errors: it may contain addresses.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from exporter.errors import PayloadError, TargetTimeout, TargetTLSError, TargetUnreachable
from exporter.stalwart.http.resolver import Resolver

LINE_BYTES = 64 * 1024
"""The longest line; the result of a search is one."""

MOST_BYTES = 1024 * 1024
"""The most bytes to read from one connection."""

MOST_ADDRESSES = 4
_READ_BYTES = 4 * LINE_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """
    Where one protocol is spoken.

    Attributes:
        implicit_tls: TLS from the first byte; otherwise STARTTLS, without which nothing is sent.
        tls_name: The name that the certificate must have.
    """

    host: str
    port: int
    implicit_tls: bool
    tls_name: str
    tls: ssl.SSLContext


class Lines:
    """Sends and receives lines over one connection. Errors are those that `translated` knows."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, listener: Listener) -> None:
        self._reader = reader
        self._writer = writer
        self._listener = listener
        self._held = bytearray()
        self._left = MOST_BYTES

    @classmethod
    async def connect(cls, listener: Listener, resolver: Resolver, *, timeout_seconds: float) -> Lines:
        """Connect to the first address that accepts; each has its share of *timeout_seconds*."""
        found = await resolver.addresses(listener.host, timeout_seconds=timeout_seconds)
        addresses = found[:MOST_ADDRESSES]
        trouble: Exception = OSError("no address")
        for address in addresses:
            try:
                async with asyncio.timeout(timeout_seconds / len(addresses)):
                    return await cls._connect(listener, address)
            except (TimeoutError, OSError) as error:
                trouble = error
        raise trouble

    @classmethod
    async def _connect(cls, listener: Listener, address: str) -> Lines:
        tls = listener.tls if listener.implicit_tls else None
        reader, writer = await asyncio.open_connection(
            address, listener.port, limit=LINE_BYTES, ssl=tls, server_hostname=listener.tls_name if tls else None
        )
        return cls(reader, writer, listener)

    async def receive(self) -> bytes:
        """Return the next line without its end."""
        searched = 0
        while (end := self._held.find(b"\n", searched)) < 0:
            searched = len(self._held)
            if searched > LINE_BYTES:
                raise PayloadError("a line that does not end")
            await self._read()
        if end > LINE_BYTES:
            raise PayloadError("a line that does not end")
        line = bytes(self._held[:end])
        del self._held[: end + 1]
        return line.removesuffix(b"\r")

    async def receive_exactly(self, size_bytes: int) -> bytes:
        """Return the next bytes, which may not be more than `LINE_BYTES`."""
        if size_bytes > LINE_BYTES:
            raise PayloadError("a text that is too long")
        while len(self._held) < size_bytes:
            await self._read()
        data = bytes(self._held[:size_bytes])
        del self._held[:size_bytes]
        return data

    async def send(self, data: bytes) -> None:
        """Send *data* as it is, with a line end."""
        self._writer.write(data + b"\r\n")
        await self._writer.drain()

    async def start_tls(self) -> None:
        """Shake hands, unless something was sent in the clear that would count as sent under TLS."""
        if self._held:
            raise TargetTLSError("text after the answer to STARTTLS, before TLS")
        if self._reader.at_eof():
            raise EOFError
        await self._writer.start_tls(self._listener.tls, server_hostname=self._listener.tls_name)

    async def aclose(self, farewell: bytes = b"") -> None:
        """Send *farewell* if the connection takes it at once, and close without waiting for an answer."""
        if farewell and not self._writer.is_closing():
            self._writer.write(farewell + b"\r\n")
        self._writer.transport.abort()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def _read(self) -> None:
        # Everything that is there, so that nothing of the clear remains unseen in the reader when TLS begins.
        piece = await self._reader.read(_READ_BYTES)
        if not piece:
            raise EOFError
        self._left -= len(piece)
        if self._left < 0:
            raise PayloadError(f"more than {MOST_BYTES} bytes")
        self._held += piece


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise errors of the connection as `TargetError`, beginning with *what*."""
    try:
        yield
    except TimeoutError as error:
        raise TargetTimeout(f"{what}: no answer in time") from error
    except ssl.SSLError as error:
        reason = (error.reason or "handshake failed").lower().replace("_", " ")
        raise TargetTLSError(f"{what}: TLS: {reason}") from error
    except EOFError as error:
        raise TargetUnreachable(f"{what}: the server closed the connection") from error
    except OSError as error:
        raise TargetUnreachable(f"{what}: the connection failed ({type(error).__name__})") from error
    except PayloadError as error:
        raise PayloadError(f"{what}: {error}") from error
