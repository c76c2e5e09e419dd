"""``/``: whether there is a problem, and each server's state."""

from __future__ import annotations

from starlette.responses import Response

from exporter.web.interfaces import CollectorState, StreamStatus
from exporter.web.pages.base import respond
from exporter.web.pages.visit import Visit
from exporter.web.verdict.judge import judge


async def overview(visit: Visit) -> Response:
    """Return the overview."""
    page = visit.source.status()
    verdict = judge(page, now=visit.now)
    return respond(
        visit,
        "overview.html",
        title=verdict.title,
        section="overview",
        page=page,
        verdict=verdict,
        up_badge=_up_badge,
        state_badge=_state_badge,
        capability_badge=_capability_badge,
        stream_badge=_stream_badge,
    )


def _up_badge(up: bool | None) -> tuple[str, str]:
    return ("wait", "not polled yet") if up is None else ("good", "up") if up else ("bad", "down")


def _state_badge(state: CollectorState) -> tuple[str, str]:
    kinds = {CollectorState.OK: "good", CollectorState.FAILING: "bad", CollectorState.WAITING: "wait"}
    return kinds.get(state, "off"), state.value


def _capability_badge(status: str) -> tuple[str, str]:
    kinds = {"available": "good", "forbidden": "wait"}
    return kinds.get(status, "off"), status.replace("_", " ")


def _stream_badge(stream: StreamStatus) -> tuple[str, str]:
    if stream.connected:
        return "good", "connected"
    return ("off", stream.off.replace("_", " ")) if stream.off else ("wait", "disconnected")
