"""The endpoints as one ASGI application: metrics, health, reload and the pages."""

from __future__ import annotations

from functools import partial

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from exporter.clock import Clock
from exporter.errors import ExporterError, SettingsError
from exporter.store.reader import HistoryReader
from exporter.web.interfaces import Health, MetricsSource, Reloader, StatusSource
from exporter.web.metrics import MetricsEndpoint
from exporter.web.pages.answering import Answering
from exporter.web.pages.routes import PAGES

log = structlog.get_logger("exporter.web")

METRICS_PATH = "/metrics"

_PLAIN_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def create_app(
    *,
    metrics: MetricsSource,
    health: Health,
    status: StatusSource | None,
    reloader: Reloader | None,
    clock: Clock,
    history: HistoryReader | None = None,
    telemetry_path: str = METRICS_PATH,
) -> Starlette:
    """Return the application; ``None`` for *reloader* or *status* disables the reload endpoint or the pages."""
    endpoints = _Endpoints(health=health, reloader=reloader)
    answering = Answering(source=status, history=history, clock=clock) if status is not None else None
    app = Starlette(
        routes=[
            Route(telemetry_path, MetricsEndpoint(metrics), methods=["GET"]),
            Route("/-/healthy", endpoints.healthy),
            Route("/-/ready", endpoints.ready),
            Route("/-/reload", endpoints.reload, methods=["POST"]),
            *(Route(page.path, partial(answering.answer, page) if answering else _no_pages) for page in PAGES),
        ],
        exception_handlers={HTTPException: _refuse},
    )
    # A redirect would repeat the client's own Host header.
    app.router.redirect_slashes = False
    return app


class _Endpoints:
    """The endpoints besides ``/metrics`` and the pages."""

    def __init__(self, *, health: Health, reloader: Reloader | None) -> None:
        self._health = health
        self._reloader = reloader

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


async def _no_pages(request: Request) -> Response:
    return _plain("the pages are disabled in the configuration; /metrics has the same data", 404)


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - the framework pairs type and handler
    response = _plain(error.detail.lower(), error.status_code)
    response.headers.update(error.headers or {})
    return response


def _plain(text: str, status: int = 200) -> Response:
    return PlainTextResponse(text + "\n", status, headers=_PLAIN_HEADERS)
