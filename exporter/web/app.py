"""The endpoints as one ASGI application: metrics, health, reload and the status page."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from exporter.clock import Clock
from exporter.errors import ExporterError, SettingsError
from exporter.web.interfaces import Health, MetricsSource, Reloader, StatusSource
from exporter.web.metrics import MetricsEndpoint

if TYPE_CHECKING:
    from exporter.web.pages.status import StatusRenderer

log = structlog.get_logger("exporter.web")

_PLAIN_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def create_app(
    *, metrics: MetricsSource, health: Health, status: StatusSource | None, reloader: Reloader | None, clock: Clock
) -> Starlette:
    """Return the application; ``None`` for *reloader* or *status* disables the reload endpoint or the page."""
    pages = _Pages(health=health, status=status, reloader=reloader, clock=clock)
    app = Starlette(
        routes=[
            Route("/metrics", MetricsEndpoint(metrics), methods=["GET"]),
            Route("/", pages.status),
            Route("/-/healthy", pages.healthy),
            Route("/-/ready", pages.ready),
            Route("/-/reload", pages.reload, methods=["POST"]),
        ],
        exception_handlers={HTTPException: _refuse},
    )
    # A redirect would repeat the client's own Host header.
    app.router.redirect_slashes = False
    return app


@cache
def _renderer() -> StatusRenderer:
    """Import and create lazily: the template engine takes three megabytes, which scrapes do not need."""
    from exporter.web.pages.status import StatusRenderer

    return StatusRenderer()


class _Pages:
    """The endpoints besides ``/metrics``."""

    def __init__(self, *, health: Health, status: StatusSource | None, reloader: Reloader | None, clock: Clock) -> None:
        self._health = health
        self._status = status
        self._reloader = reloader
        self._clock = clock

    async def status(self, request: Request) -> Response:
        if self._status is None:
            return _plain("the status page is disabled in the configuration; /metrics has the same data", 404)
        renderer = _renderer()
        page = renderer.render(self._status.status(), now=self._clock.now())
        return Response(page, headers=renderer.headers)

    async def healthy(self, request: Request) -> Response:
        return _plain("ok")

    async def ready(self, request: Request) -> Response:
        ready, reason = self._health.ready()
        return _plain(reason, 200 if ready else 503)

    async def reload(self, request: Request) -> Response:
        if self._reloader is None:
            return _plain("reloading over HTTP is disabled; send SIGHUP, or set web.enable_reload", 403)
        if "origin" in request.headers:
            return _plain("requests from web pages cannot reload the configuration", 403)
        try:
            await self._reloader.reload()
        except SettingsError as error:
            log.warning("web.reload_failed", problems=error.problems)
            return _plain("\n".join(("the previous configuration stays in force:", *error.problems)), 500)
        except ExporterError as error:
            log.warning("web.reload_failed", error=str(error))
            return _plain(f"the previous configuration stays in force:\n{error}", 500)
        return _plain("reloaded")


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - the framework pairs type and handler
    response = _plain(error.detail.lower(), error.status_code)
    response.headers.update(error.headers or {})
    return response


def _plain(text: str, status: int = 200) -> Response:
    return PlainTextResponse(text + "\n", status, headers=_PLAIN_HEADERS)
