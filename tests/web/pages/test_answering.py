"""Access to pages, and what becomes of one that cannot be made."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from exporter.clock import SystemClock
from exporter.errors import StoreError
from exporter.store.reader import HistoryReader
from exporter.store.reading import History
from exporter.store.store import Store
from exporter.web.config.document import WebConfig
from exporter.web.guard import Guard
from exporter.web.pages.answering import Answering
from exporter.web.pages.routes import PAGES, Page, PageRoute
from exporter.web.pages.visit import Visit
from tests.support.listener.app import (
    HASH,
    FixedStatus,
    Run,
    application,
    basic,
    browsing,
    connected,
    serving,
    status_page,
    until,
)
from tests.support.listener.status import read

PERSONAL = [
    route.path.format(name="a", server="a", queue_id="1", kind="arf", id="1") for route in PAGES if route.personal
]

ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"


def app_of(page: Page, history: HistoryReader | None = None) -> Starlette:
    """An application with one page, at ``/deep/page``."""
    answering = Answering(source=FixedStatus(status_page()), history=history, clock=SystemClock())
    route = PageRoute("/deep/page", lambda: page)
    return Starlette(routes=[Route(route.path, partial(answering.answer, route))])


@pytest.mark.parametrize("path", PERSONAL)
def test_pages_with_addresses_need_a_login_unless_the_client_is_here(run: Run, path: str):
    """A name that is not this machine's is refused with what to set; a login is enough by any name."""

    async def scenario() -> None:
        foreign = {"Host": "mail.example.org"}
        async with serving(application()) as server, browsing(server) as client:
            here = await client.get(path)
            refused = await client.get(path, headers=foreign)
        guarded = Guard(application(), WebConfig(path=Path("web.yml"), users={"me": HASH}))
        async with serving(guarded) as server, browsing(server) as client:
            logged_in = await client.get(path, headers={**foreign, **basic("me", "s3cret")})

        assert refused.status_code == 403
        assert "basic_auth_users" in read(refused.text).text
        assert here.status_code != 403
        assert logged_in.status_code == here.status_code

    run(scenario())


def test_a_history_that_cannot_be_read_is_a_page_with_the_reason(run: Run):
    """Its links still lead to the other pages."""

    async def broken(visit: Visit) -> Response:
        raise StoreError("/h: disk I/O error")

    async def scenario() -> None:
        async with serving(app_of(broken)) as server, browsing(server) as client:
            response = await client.get("/deep/page")

        assert response.status_code == 503
        page = read(response.text)
        assert "The history cannot be read /h: disk I/O error" in page.text
        assert {"../", "../alerts"} <= set(page.attributes("href"))

    run(scenario())


def test_a_client_that_leaves_ends_the_reading_for_it(run: Run, tmp_path: Path):
    """The endless query of a client that has gone frees its thread for the next one."""
    begun = threading.Semaphore(0)

    def endless(history: History) -> int:
        begun.release()
        return int(history.execute(ENDLESS).fetchone()[0])

    async def scenario() -> None:
        store = await Store.open(tmp_path / "history.sqlite3", now=datetime.now(UTC))
        await store.aclose()
        reader = HistoryReader(store.path, seconds=3600.0)

        async def page(visit: Visit) -> Response:
            return PlainTextResponse(str(await reader.read(endless)))

        async with serving(app_of(page)) as server:
            for _ in range(4):
                async with connected(server) as (_, writer):
                    writer.write(b"GET /deep/page HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    await until(lambda: begun.acquire(blocking=False))
            assert await reader.read(lambda history: history.execute("SELECT 1").fetchone()[0]) == 1

    run(scenario())


def test_a_scrape_does_not_wait_for_pages(run: Run, tmp_path: Path):
    """While every reading thread is busy, the metrics are answered all the same."""
    begun = threading.Semaphore(0)

    def endless(history: History) -> int:
        begun.release()
        return int(history.execute(ENDLESS).fetchone()[0])

    async def scenario() -> None:
        store = await Store.open(tmp_path / "history.sqlite3", now=datetime.now(UTC))
        await store.aclose()
        reader = HistoryReader(store.path, seconds=3600.0)
        async with serving(application(history=reader)) as server, browsing(server) as client:
            busy = [asyncio.create_task(reader.read(endless)) for _ in range(6)]
            await until(lambda: begun.acquire(blocking=False))
            assert (await client.get("/metrics")).status_code == 200
            for task in busy:
                task.cancel()
            await asyncio.wait(busy)

    run(scenario())
