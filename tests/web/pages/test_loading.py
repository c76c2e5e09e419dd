"""A page's first import does not hold up the event loop."""

from __future__ import annotations

import asyncio
import threading

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from exporter.clock import SystemClock
from exporter.web.pages.answering import Answering
from exporter.web.pages.routes import PageRoute
from exporter.web.pages.visit import Page, Visit
from tests.support.listener.app import FixedStatus, browsing, serving, status_page


def test_a_page_is_imported_in_a_thread():
    """Other requests are answered while a page is imported for the first time."""
    importing, imported = threading.Event(), threading.Event()

    async def page(visit: Visit) -> Response:
        return PlainTextResponse("page")

    def load() -> Page:
        importing.set()
        assert imported.wait(60)
        return page

    async def slow(request: Request) -> Response:
        answering = Answering(source=FixedStatus(status_page()), history=None, clock=SystemClock())
        return await answering.answer(PageRoute("/slow", load), request)

    async def quick(request: Request) -> Response:
        return PlainTextResponse("quick")

    async def scenario() -> None:
        app = Starlette(routes=[Route("/slow", slow), Route("/quick", quick)])
        async with serving(app) as server, browsing(server) as client:
            first = asyncio.create_task(client.get("/slow", timeout=60))
            await asyncio.to_thread(importing.wait, 60)
            assert (await client.get("/quick", timeout=60)).text == "quick"
            imported.set()
            assert (await first).text == "page"

    asyncio.run(scenario())
