"""The pages of a history file, served in a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx

from exporter.clock import SystemClock
from exporter.store.reader import HistoryReader
from tests.support.listener.app import application, serving
from tests.support.listener.status import Page, read


class StandingClock(SystemClock):
    """Wall time that stands still."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now


@dataclass(frozen=True)
class Site:
    """Pages at *url*, and a client of them."""

    url: str
    client: httpx.Client

    def page(self, path: str, *, status: int = 200) -> Page:
        """A page as a parser reads it."""
        answer = self.client.get(path)
        assert answer.status_code == status, (path, answer.text)
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        return read(answer.text)


@contextmanager
def site(path: Path, *, now: datetime) -> Iterator[Site]:
    """Serves the pages of the history at *path* as of *now*."""
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()
    begun: list[int] = []
    started = threading.Event()

    async def serve() -> None:
        app = application(history=HistoryReader(path), clock=StandingClock(now))
        async with serving(app) as server:
            begun.append(server.port)
            started.set()
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    started.wait(30)
    try:
        url = f"http://127.0.0.1:{begun[0]}"
        with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
            yield Site(url, client)
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()
