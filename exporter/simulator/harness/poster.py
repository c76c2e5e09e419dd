"""Posts the webhooks of the simulated server over HTTP."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import time
from collections.abc import Callable
from typing import NoReturn
from urllib.parse import urlsplit

from exporter.simulator.common.responses import encode
from exporter.simulator.world.telemetry.webhooks import Webhook, Webhooks

REDIRECTS = (301, 302)
MAX_REDIRECTS = 10


class Poster:
    """
    Sends what a world's webhooks have to post, one post at a time each.

    Attributes:
        lost_answers: How many of the next answers do not reach the server, by webhook; the receiver sees them taken.
        hung_up: How many of the next posts end before an answer, by webhook: the connection is closed at once.
    """

    def __init__(self, hooks: Webhooks, *, keeps_alive: Callable[[], bool]) -> None:
        self.lost_answers: dict[str, int] = {}
        self.hung_up: dict[str, int] = {}
        self._hooks = hooks
        self._keeps_alive = keeps_alive
        self._woken: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[NoReturn]] = {}
        self._connections: dict[str, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}
        hooks.on_event = self._wake

    def begin(self) -> None:
        """Start posting for webhooks that have none yet; call it in the simulator's loop."""
        for name in self._hooks.postings:
            if name not in self._tasks:
                self._woken[name] = asyncio.Event()
                self._tasks[name] = asyncio.create_task(self._run(name), name=f"webhook {name}")

    async def stop(self) -> None:
        """Stop posting; posts under way are cut off."""
        tasks, self._tasks = list(self._tasks.values()), {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for name in list(self._connections):
            self._drop(name)

    async def flush(self) -> None:
        """Post once what no post has contained yet, as an orderly end does; failed batches are not posted again."""
        await self.stop()
        for name, posting in self._hooks.postings.items():
            posting.failed = []
            if (body := self._hooks.take(name)) is not None:
                accepted = await self._post(name, posting.hook, encode(body))
                self._hooks.finish(name, accepted=accepted, seconds=0.0)
            self._drop(name)

    def _wake(self, name: str) -> None:
        if name in self._woken:
            self._woken[name].set()

    async def _run(self, name: str) -> NoReturn:
        while True:
            posting = self._hooks.postings[name]
            if not posting.due:
                await self._woken[name].wait()
            self._woken[name].clear()
            began = time.monotonic()
            body = self._hooks.take(name)
            if body is None:
                continue
            accepted = await self._post(name, posting.hook, encode(body))
            took = time.monotonic() - began
            self._hooks.finish(name, accepted=accepted, seconds=took)
            if took > posting.hook.throttle:
                self._woken[name].clear()  # What came meanwhile waits for a further event.
            await asyncio.sleep(max(0.0, posting.hook.throttle - took))

    async def _post(self, name: str, hook: Webhook, body: bytes) -> bool:
        """Return whether the post was accepted."""
        try:
            async with asyncio.timeout(hook.timeout):
                status = await self._exchange(name, hook, body)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
            self._drop(name)
            return False
        if not self._keeps_alive():
            self._drop(name)
        if self.lost_answers.get(name, 0) > 0:
            self.lost_answers[name] -= 1
            self._drop(name)
            return False
        return 200 <= status < 300

    async def _exchange(self, name: str, hook: Webhook, body: bytes) -> int:
        target, method = hook.url, "POST"
        for _ in range(MAX_REDIRECTS):
            reader, writer = await self._connect(name, target)
            writer.write(self._head(hook, method, target, body) + (body if method == "POST" else b""))
            await writer.drain()
            if self.hung_up.get(name, 0) > 0:
                self.hung_up[name] -= 1
                raise ConnectionError("hung up")
            status, location = await _answer(reader)
            if status not in REDIRECTS or not location:
                return status
            # As the real server: a GET without the body, whose success counts.
            target, method = location, "GET"
            self._drop(name)
        return 0

    async def _connect(self, name: str, target: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if name not in self._connections or self._connections[name][1].is_closing():
            parts = urlsplit(target)
            self._connections[name] = await asyncio.open_connection(parts.hostname, parts.port or 80)
        return self._connections[name]

    def _head(self, hook: Webhook, method: str, target: str, body: bytes) -> bytes:
        parts = urlsplit(target)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = [f"{method} {path} HTTP/1.1", "content-type: application/json"]
        if hook.key is not None:
            digest = hmac.digest(hook.key.encode(), body, "sha256")
            lines.append(f"x-signature: {base64.b64encode(digest).decode()}")
        lines.append("accept: */*")
        if self._keeps_alive():
            lines.append("accept-encoding: gzip,deflate")
        lines.append(f"host: {parts.netloc}")
        if method == "POST":
            lines.append(f"content-length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def _drop(self, name: str) -> None:
        connection = self._connections.pop(name, None)
        if connection is not None:
            connection[1].transport.abort()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, str]:
    """Return an answer's status and ``Location``, after reading its body."""
    status = int((await reader.readuntil(b"\r\n")).split()[1])
    headers: dict[bytes, bytes] = {}
    while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
        field, _, value = line.partition(b":")
        headers[field.strip().lower()] = value.strip()
    with contextlib.suppress(KeyError):
        await reader.readexactly(int(headers[b"content-length"]))
    return status, headers.get(b"location", b"").decode("latin-1")
