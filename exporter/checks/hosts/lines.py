"""Lines of a mail protocol, within bounds, as client."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from exporter.checks.hosts.access import HostWrong

MOST_LINES = 100
LINE_BYTES = 2048


class Lines(Protocol):
    """Sends and receives lines without their ends; text that is not ASCII is replaced."""

    async def receive(self) -> str:
        """Return the next line. Raises `HostWrong` beyond the bounds, and EOFError at the end."""

    async def send(self, line: str) -> None:
        """Send a line."""


class PlainLines:
    """Lines of a connection without TLS; *reader* must have a limit of `LINE_BYTES`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._left = MOST_LINES

    async def receive(self) -> str:
        self._left -= 1
        if self._left < 0:
            raise HostWrong("the reply does not end")
        try:
            return decoded(await self._reader.readuntil(b"\n"))
        except asyncio.LimitOverrunError as error:
            raise HostWrong("a line of its reply does not end") from error

    async def send(self, line: str) -> None:
        self._writer.write(encoded(line))
        await self._writer.drain()


class BufferedLines:
    """Lines over any transport, in pieces as they come."""

    def __init__(self, read: Callable[[], Awaitable[bytes]], write: Callable[[bytes], Awaitable[None]]) -> None:
        self._read = read
        self._write = write
        self._held = b""
        self._left = MOST_LINES

    async def receive(self) -> str:
        self._left -= 1
        while b"\n" not in self._held:
            if len(self._held) > LINE_BYTES or self._left < 0:
                raise HostWrong("the reply does not end")
            piece = await self._read()
            if not piece:
                raise EOFError
            self._held += piece
        line, _, self._held = self._held.partition(b"\n")
        return decoded(line)

    async def send(self, line: str) -> None:
        await self._write(encoded(line))


def decoded(line: bytes) -> str:
    """Return a line as text."""
    return line.decode("ascii", "replace").strip()


def encoded(line: str) -> bytes:
    """Return a line as it is sent."""
    return f"{line}\r\n".encode("ascii", "replace")
