"""Answers a request for a page: access, failures, and the end of the work when the client goes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from exporter.clock import Clock
from exporter.errors import FilterError, StoreError
from exporter.store.reader import HistoryReader, ReadRefused
from exporter.web.access import REFUSAL, domain_limit, may_see_personal_data
from exporter.web.interfaces import StatusSource
from exporter.web.pages.routes import PageRoute
from exporter.web.pages.visit import Visit, root_of, segments_of

TENANT_WORDS = "Search and messages are on /mail; this page would show other domains as well."


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """What all pages are made from; `answer` makes one."""

    source: StatusSource
    history: HistoryReader | None
    clock: Clock

    async def answer(self, route: PageRoute, request: Request) -> Response:
        """Return the page, or a page that says why it cannot be shown."""
        visit = self._visit(request)
        if route.personal and not visit.personal:
            return _message(visit, "This page needs a login", REFUSAL, status=403)
        if visit.only_domain is not None and not route.limited:
            return _message(visit, "This login sees the mail of one domain only", TENANT_WORDS, status=403)
        try:
            return await _while_connected(request, route, visit)
        except FilterError as error:
            return _message(visit, "A filter in the address is wrong", str(error), status=400)
        except ReadRefused as error:
            return _message(visit, "This page cannot be made now", str(error), status=503)
        except StoreError as error:
            return _message(visit, "The history cannot be read", str(error), status=503)

    def _visit(self, request: Request) -> Visit:
        return Visit(
            root=root_of(request.scope),
            segments=segments_of(request.scope["path"]),
            arguments=request.path_params,
            query=request.query_params,
            personal=may_see_personal_data(request.scope),
            only_domain=domain_limit(request.scope),
            source=self.source,
            history=self.history,
            now=self.clock.now(),
        )


async def _while_connected(request: Request, route: PageRoute, visit: Visit) -> Response:
    """Make the page; if the client disconnects first, what is still being read for it is cancelled."""
    making = asyncio.ensure_future(_make(route, visit))
    leaving = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait((making, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not making.done():
            return Response(status_code=499)
        return making.result()
    finally:
        for task in (making, leaving):
            task.cancel()
        await asyncio.wait((making, leaving))


async def _make(route: PageRoute, visit: Visit) -> Response:
    """Make the page; its first import takes a tenth of a second, for which no scrape shall wait."""
    page = await asyncio.to_thread(route.load)
    return await page(visit)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _message(visit: Visit, title: str, text: str, *, status: int) -> Response:
    # Imported here: the template engine takes three megabytes, which scrapes do not need.
    from exporter.web.pages.base import respond

    return respond(visit, "message.html", title=title, status=status, kind="wait", text=text)
