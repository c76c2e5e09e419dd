"""
Clients that hold what others need: ``python -m tests.support.crowd KIND PORT COUNT``.

Writes ``holding`` once every client holds its connection or waits for the answer to its login, and goes on until
standard input ends. A client whose connection is closed comes back after `RETURN_SECONDS`.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator

RETURN_SECONDS = 0.2
DRIP_SECONDS = 0.5

_numbers = itertools.count()

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Behaviour = Callable[[Streams, asyncio.Event], Awaitable[None]]


async def _idle(streams: Streams, held: asyncio.Event) -> None:
    """Gets a page and keeps the connection for nothing."""
    reader, writer = streams
    writer.write(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readuntil(b"ok\n")
    held.set()
    await reader.read()


async def _slow(streams: Streams, held: asyncio.Event) -> None:
    """Sends a request a byte at a time."""
    _, writer = streams
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: ")
    held.set()
    while not writer.transport.is_closing():
        writer.write(b"x")
        await asyncio.sleep(DRIP_SECONDS)


async def _silent(streams: Streams, held: asyncio.Event) -> None:
    """Sends nothing at all."""
    held.set()
    await streams[0].read()


async def _unread(streams: Streams, held: asyncio.Event) -> None:
    """Asks for some pages and reads none."""
    _, writer = streams
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 10)
    held.set()
    while not writer.transport.is_closing():
        await asyncio.sleep(DRIP_SECONDS)
        writer.write(b"\r\n")


async def _wrong(streams: Streams, held: asyncio.Event) -> None:
    """Tries one password after the other."""
    reader, writer = streams
    while True:
        login = base64.b64encode(f"prometheus:{os.getpid()}-{next(_numbers)}".encode())
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Basic " + login + b"\r\n\r\n")
        await writer.drain()
        held.set()
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.split()[1] in (b"401", b"429"), head
        await reader.readuntil(b"\n")


BEHAVIOURS: dict[str, Behaviour] = {
    "idle": _idle,
    "slow": _slow,
    "silent": _silent,
    "unread": _unread,
    "wrong-logins": _wrong,
}


async def _client(behaviour: Behaviour, port: int, held: asyncio.Event) -> None:
    while True:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                await behaviour((reader, writer), held)
            finally:
                writer.transport.abort()
        await asyncio.sleep(RETURN_SECONDS)


async def _run(kind: str, port: int, count: int) -> None:
    held = [asyncio.Event() for _ in range(count)]
    tasks = [asyncio.create_task(_client(BEHAVIOURS[kind], port, event)) for event in held]
    for event in held:
        await event.wait()
    sys.stdout.write("holding\n")
    sys.stdout.flush()
    ended = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    await asyncio.wait([ended, *tasks], return_when=asyncio.FIRST_COMPLETED)


@contextlib.contextmanager
def crowd(kind: str, port: int, count: int) -> Iterator[None]:
    """*count* clients of a kind, in a process of their own, for as long as the block runs."""
    command = [sys.executable, "-m", "tests.support.crowd", kind, str(port), str(count)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"holding\n"
        yield
        assert process.poll() is None, "the crowd went away"
    finally:
        process.kill()
        process.communicate()


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
